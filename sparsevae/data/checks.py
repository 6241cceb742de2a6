"""Checks of arguments that several files of this folder share; each refuses by name."""

import difflib
import operator
from collections.abc import Collection

import numpy as np


def check_name(argument: str, name: str, valid: Collection[str]) -> None:
    """Refuse a `name` that is not in `valid`, naming the valid ones and the nearest.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if `name` is not in `valid`.
    """
    if not isinstance(name, str):
        raise TypeError(f"`{argument}` must be a string. Received: {argument}={name!r}")
    if name not in valid:
        nearest = difflib.get_close_matches(name.lower(), valid, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(
            f"`{argument}` must be one of {', '.join(map(repr, valid))}.{hint} "
            f"Received: {argument}={name!r}"
        )


def check_integer(argument: str, value: int, minimum: int) -> int:
    """`value` as a Python int, if it is a whole number of at least `minimum`.

    Raises:
        TypeError: if `value` is not an integer (booleans are not).
        ValueError: if `value` is below `minimum`.
    """
    try:
        integer = operator.index(value)
    except TypeError:
        integer = None
    if integer is None or isinstance(value, bool):
        raise TypeError(f"`{argument}` must be an integer. Received: {argument}={value!r}")
    if integer < minimum:
        raise ValueError(
            f"`{argument}` must be an integer of at least {minimum}. Received: {argument}={value!r}"
        )
    return integer


def check_rng(rng: np.random.Generator) -> None:
    """Refuse anything but a NumPy `Generator`: a seed would repeat the same draw at each call.

    Raises:
        TypeError: if `rng` is not a `numpy.random.Generator`.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            "`rng` must be a numpy.random.Generator, such as numpy.random.default_rng(0). "
            f"Received: rng={rng!r}"
        )
