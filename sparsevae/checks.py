"""The one way in which every room refuses an unknown name or a bad number. Standard library."""

import difflib
import numbers
import operator
from collections.abc import Collection
from typing import Any


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


def is_number(value: Any) -> bool:
    """Whether a real number of Python or NumPy; booleans are none."""
    return isinstance(value, numbers.Real) and type(value).__name__ not in ("bool", "bool_")


def check_integer(argument: str, value: Any, minimum: int, maximum: int | None = None) -> int:
    """`value` as a Python int, if it is a whole number from `minimum` to `maximum`.

    Args:
        argument: What it is called, for messages.
        value: Python or NumPy integer; booleans are none.
        minimum: Smallest value allowed.
        maximum: Largest value allowed; None for no limit.

    Raises:
        TypeError: if `value` is not an integer.
        ValueError: if it is out of range.
    """
    span = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    refusal = f"`{argument}` must be an integer {span}. Received: {argument}={value!r}"
    if type(value).__name__ in ("bool", "bool_"):
        raise TypeError(refusal)
    try:
        integer = operator.index(value)
    except TypeError:
        raise TypeError(refusal) from None
    if integer < minimum or (maximum is not None and integer > maximum):
        raise ValueError(refusal)
    return integer


def check_boolean(argument: str, value: Any) -> None:
    """Refuses what is neither True nor False, such as "no".

    Raises:
        TypeError: if `value` is no boolean of Python or NumPy.
    """
    if type(value).__name__ not in ("bool", "bool_"):
        raise TypeError(f"`{argument}` must be True or False. Received: {argument}={value!r}")
