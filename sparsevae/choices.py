"""The one way in which every room refuses an unknown name. Standard library only."""

import difflib
from collections.abc import Collection


def check_choice(argument: str, value: str, choices: Collection[str]) -> None:
    """Refuses a value that is not among the choices, listing them and naming the nearest.

    Raises:
        TypeError: if `value` is not a string.
        ValueError: if `value` is not among `choices`.
    """
    if not isinstance(value, str):
        raise TypeError(f"`{argument}` must be a string. Received: {argument}={value!r}")
    if value not in choices:
        nearest = difflib.get_close_matches(value.lower(), choices, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(
            f"`{argument}` must be one of {', '.join(map(repr, choices))}.{hint} "
            f"Received: {argument}={value!r}"
        )
