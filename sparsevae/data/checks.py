"""Checks of arguments that several files of this folder share; each refuses by name."""

import operator

import numpy as np


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
