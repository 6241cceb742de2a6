"""Pairs of images that differ in a few factors: weak supervision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.data.checks import check_rng
from sparsevae.data.factors import FactorSpace


class FactorPairs(NamedTuple):
    """Numbers of both images, int64 `(n,)`, and which factors differ, booleans `(n, n_factors)`."""

    first: np.ndarray
    second: np.ndarray
    changed: np.ndarray


def draw_pairs(
    space: FactorSpace, n: int, rng: np.random.Generator, n_changed: int | None = 1
) -> FactorPairs:
    """Pairs of images that agree in all but `n_changed` factors.

    The first image is uniform; the factors that change are a uniform choice among those with at
    least two values, each moved to a uniform other value. So they truly differ: in the original a
    redrawn factor may keep its value.

    Args:
        space: The factors, a full grid.
        n: Number of pairs, at least 1.
        rng: NumPy generator; the draw advances it.
        n_changed: Factors that differ, at least 1; None draws the number uniformly from 1 to one
            less than there are (so that at least one factor is shared), anew for each pair.

    Returns:
        Image numbers and what changed.

    Raises:
        TypeError: if a count is not an integer or `rng` not a generator.
        ValueError: if a count is out of range.

    References:
        Locatello et al. 2020, Weakly-Supervised Disentanglement Without Compromises, 2002.02886,
        section 5: k = 1, and k random.
    """
    check_rng(rng)
    sizes = np.array(space.sizes)
    varied = np.flatnonzero(sizes > 1)
    n = check_integer("n", n, minimum=1)
    if n_changed is None:
        n_changed = rng.integers(1, max(len(varied), 2), size=n)
    elif check_integer("n_changed", n_changed, minimum=1) > len(varied):
        raise ValueError(
            f"`n_changed` must lie in 1 ... {len(varied)}. Received: n_changed={n_changed!r}"
        )
    first = space.sample(n, rng)
    rank = rng.permuted(np.tile(np.arange(len(varied)), (n, 1)), axis=1)
    changed = np.zeros(first.shape, bool)
    changed[:, varied] = rank < np.reshape(n_changed, (-1, 1))
    step = rng.integers(1, np.maximum(sizes, 2), size=first.shape)
    second = np.where(changed, (first + step) % sizes, first)
    return FactorPairs(space.index(first), space.index(second), changed)
