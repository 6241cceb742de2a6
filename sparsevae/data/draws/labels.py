"""A few labelled images: semi-supervision."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sparsevae.checks import check_choice, check_integer
from sparsevae.data.checks import check_rng
from sparsevae.data.ground_truth import GroundTruthData


class Labels(NamedTuple):
    """Numbers of the labelled images, int64 `(n,)`, and their labels, int64 `(n, n_factors)`."""

    images: np.ndarray
    labels: np.ndarray


def draw_labels(
    data: GroundTruthData,
    n: int,
    rng: np.random.Generator,
    *,
    factors: Sequence[str] | None = None,
    noise: float = 0.0,
    n_bins: int | None = None,
) -> Labels:
    """Distinct images with labels that may be coarse, wrong or partial.

    Args:
        data: Data set with factors.
        n: Number of images, drawn uniformly without replacement; at most all.
        rng: NumPy generator; the draw advances it.
        factors: Names of the labelled factors, in the order wanted; by default all.
        noise: Chance in [0, 1] that a label is replaced by a uniform one (which may be right).
        n_bins: Merges neighbouring values of each factor into at most so many labels of about
            equal width, at least 2; noise comes after.

    Returns:
        Image numbers and labels: 0 to the number of values (or bins) minus 1.

    Raises:
        TypeError: if a count is not an integer or `rng` not a generator.
        ValueError: if a name is unknown or repeated, or a number out of range.

    References:
        Locatello et al. 2020, Disentangling Factors of Variation Using Few Labels, 1905.01258,
        section 3: 100 or 1,000 labels; binned to 5, noisy by 10 %, or of two factors only.
    """
    check_rng(rng)
    if check_integer("n", n, minimum=1) > len(data):
        raise ValueError(f"`n` must be at most the {len(data)} images. Received: n={n!r}")
    if not 0 <= noise <= 1:
        raise ValueError(f"`noise` must be a chance from 0 to 1. Received: noise={noise!r}")
    names = data.factor_names if factors is None else tuple(factors)
    if isinstance(factors, str) or not names or len(set(names)) != len(names):
        raise ValueError(f"`factors` must be a list of distinct names. Received: {factors!r}")
    for name in names:
        check_choice("factors", name, data.factor_names)
    columns = [data.factor_names.index(name) for name in names]
    sizes = np.array(data.factor_sizes)[columns]
    images = rng.choice(len(data), n, replace=False)
    labels = data.factors(images)[:, columns]
    if n_bins is not None:
        n_values = np.minimum(sizes, check_integer("n_bins", n_bins, minimum=2))
        labels, sizes = labels * n_values // sizes, n_values
    wrong = rng.random(labels.shape) < noise
    return Labels(images, np.where(wrong, rng.integers(sizes, size=labels.shape), labels))
