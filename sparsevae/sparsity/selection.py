"""Which links stay: exactly so many of the largest, and how many in each layer."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from sparsevae.checks import is_number

NEAR = 2**14  # of the 2**23 floats between two powers of 2: a fifth to two fifths of a percent


def largest(scores: Any, n: Any) -> Any:
    """1 at exactly `n` of the largest scores, else 0; among equals the first ones.

    Found by halving the range of the scores, which is a few passes over memory where sorting is
    dozens.

    Args:
        scores: Float32 tensor without NaN.
        n: Integer scalar, 0 to the number of scores.

    Returns:
        Float32 tensor, shaped like `scores`.
    """
    return _above(scores, n, _bounds(_ordered_integers(scores)))[0]


def largest_near(scores: Any, n: Any, threshold: Any) -> tuple[Any, Any]:
    """`largest`, in half as many passes where the scores have hardly changed since the last time.

    Args:
        scores, n: As for `largest`.
        threshold: Float32 scalar, near which the nth score is sought first.

    Returns:
        The mask, and the score above which all are chosen: a threshold for the next time.
    """
    integers, near = _ordered_integers(scores), _ordered_integers(threshold)
    bounds = _bounds(integers)
    for probe in (near - NEAR, near + NEAR):
        bounds = _narrowed(integers, ops.cast(n, "int32"), bounds, probe)
    return _above(scores, n, bounds)


def _bounds(integers):
    """At least n lie above the first, at most n above the second; and how many above the last."""
    return ops.min(integers) - 1, ops.max(integers), ops.full((), -1, "int32")


def _narrowed(integers, n, bounds, probe):
    low, high, _ = bounds
    probe = ops.clip(probe, low, high)
    count = _count(ops.greater(integers, probe))
    return (
        ops.where(ops.greater_equal(count, n), probe, low),
        ops.where(ops.greater(count, n), high, probe),
        count,
    )


def _above(scores, n, bounds):
    integers, n = _ordered_integers(scores), ops.cast(n, "int32")

    def apart(low, high, count):
        return ops.logical_and(ops.less(low + 1, high), ops.not_equal(count, n))

    def halve(low, high, count):
        middle = ops.bitwise_and(low, high) + ops.right_shift(ops.bitwise_xor(low, high), 1)
        return _narrowed(integers, n, (low, high, count), middle)

    # At the end just n lie above `high`, or `high` is low + 1.
    low, high, _ = ops.while_loop(apart, halve, bounds)
    above = ops.greater(integers, high)
    equal = ops.logical_and(ops.greater(integers, low), ops.logical_not(above))
    missing = n - _count(above)
    first = ops.cond(
        ops.greater(_count(equal), missing),
        lambda: ops.reshape(
            ops.less_equal(ops.cumsum(ops.cast(ops.reshape(equal, (-1,)), "int32")), missing),
            ops.shape(equal),
        ),
        lambda: ops.ones_like(equal),
    )
    chosen = ops.logical_or(above, ops.logical_and(equal, first))
    return ops.cast(chosen, "float32"), _float_of(high)


def largest_over(scores: Sequence[Any], n: Any, threshold: Any = 0.0) -> tuple[list[Any], Any]:
    """`largest_near` over several tensors together: a mask for each, and the threshold."""
    flat = ops.concatenate([ops.reshape(score, (-1,)) for score in scores])
    chosen, threshold = largest_near(flat, n, threshold)
    ends = np.cumsum([0, *(math.prod(score.shape) for score in scores)]).tolist()
    parts = [chosen[start:end] for start, end in itertools.pairwise(ends)]
    masks = [ops.reshape(part, score.shape) for part, score in zip(parts, scores, strict=True)]
    return masks, threshold


def largest_of_array(scores: np.ndarray, n: int) -> np.ndarray:
    """`largest` outside of a training step: booleans, of scores of any float type."""
    flat = scores.reshape(-1)
    if n == 0:
        return np.zeros(scores.shape, bool)
    least = np.partition(flat, -n)[-n]
    chosen = flat > least
    chosen[np.flatnonzero(flat == least)[: n - chosen.sum()]] = True
    return chosen.reshape(scores.shape)


def _ordered_integers(floats):
    """Integers in the order of floats: their bits, mirrored where negative, so that -0 is 0."""
    return _mirrored(ops.view(ops.convert_to_tensor(floats, "float32"), "int32"))


def _float_of(integer):
    """The float of an ordered integer."""
    return ops.view(_mirrored(integer), "float32")


def _mirrored(bits):
    return ops.where(ops.less(bits, 0), ops.subtract(-(2**31), bits), bits)


def _count(booleans):
    return ops.sum(ops.cast(booleans, "int32"))


def check_density(density: Any) -> float:
    """Refuses what is no share above 0 and at most 1."""
    if not (is_number(density) and 0 < density <= 1):
        raise ValueError(
            f"`density` must be a float above 0 and at most 1. Received: density={density!r}"
        )
    return float(density)


def shares(
    sizes: Sequence[int],
    density: float,
    scope: str = "layer",
    shapes: Sequence[tuple[int, ...]] = (),
) -> list[int]:
    """How many links each layer keeps; their sum is `density` of all, to the rounding of one.

    Args:
        sizes: Links of each layer.
        density: Share of all links, in (0, 1].
        scope: "layer": the same share of each. "erk": a share in proportion to
            (sum of the kernel's axes) / (their product), Erdos-Renyi kernel, layers that would be
            over 1 being left whole (Evci et al. 2020, 1911.11134, section 3).
        shapes: Of each layer's kernel, `(*window, in_channels, out_channels)`.

    Returns:
        Integers, at least 1 of each layer: fewer than one link is none, and no model.
    """
    wanted = np.asarray(sizes, np.float64) * density
    if scope == "erk":
        wanted = _erk(np.asarray(sizes, np.float64), density, shapes)
    ends = np.floor(np.cumsum(wanted) + 0.5 + 1e-9).astype(int)
    counts = np.diff(ends, prepend=0)
    for empty in np.flatnonzero(counts == 0):
        if counts.max() > 1:
            counts[counts.argmax()] -= 1
        counts[empty] = 1
    return [int(count) for count in counts]


def _erk(sizes, density, shapes):
    share = np.array([sum(shape) / math.prod(shape) for shape in shapes])
    whole = np.zeros(len(sizes), bool)
    while True:
        left = density * sizes.sum() - sizes[whole].sum()
        scale = left / (share * sizes)[~whole].sum() if not whole.all() else 0.0
        over = ~whole & (share * scale >= 1)
        if not over.any():
            return np.where(whole, sizes, share * scale * sizes)
        whole |= over
