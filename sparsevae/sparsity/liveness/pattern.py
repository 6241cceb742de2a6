"""Patterns: which entries of a tensor are live, as boolean arrays.

A pattern has one axis for each axis of its tensor but the batch. An axis of length 1 stands for
all positions alike, so a pattern of images is `(1, 1, channels)` wherever positions do not differ,
also where their number is unknown.
"""

from collections.abc import Iterable

import numpy as np

Pattern = np.ndarray
Shape = tuple[int | None, ...]  # without the batch axis


def alike(live: bool, shape: Shape) -> Pattern:
    """The pattern of a tensor that is live everywhere, or nowhere."""
    return np.full((1,) * len(shape), live)


def anywhere(patterns: Iterable[Pattern], shapes: Iterable[Shape]) -> list[Pattern]:
    """Patterns of these shapes, live everywhere if any entry of `patterns` is."""
    live = any(pattern.any() for pattern in patterns)
    return [alike(live, shape) for shape in shapes]


def over(pattern: Pattern, axes: Iterable[int]) -> Pattern:
    """The same number of axes, live where any entry along `axes` is."""
    return pattern.any(axis=tuple(axes), keepdims=True)


def along(pattern: Pattern, axis: int, size: int) -> Pattern:
    """Live entries of an axis of that size, whatever their place on the others."""
    others = tuple(set(range(pattern.ndim)) - {axis % pattern.ndim})
    return np.broadcast_to(pattern.any(axis=others), (size,))


def spread(pattern: Pattern, shape: Shape) -> Pattern:
    """A pattern with every axis at its full length; all sizes must be known."""
    return np.broadcast_to(pattern, shape)


def channel_axis(layer) -> int:
    """Axis of a pattern along which `layer` counts channels: 0 or -1."""
    return 0 if getattr(layer, "data_format", None) == "channels_first" else -1
