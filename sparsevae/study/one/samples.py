"""Images of a data set that downstream tasks learn from and test on, encoded."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from sparsevae.data.ground_truth import FactorData
from sparsevae.metrics.scores import shifts

SIZES = (10, 100, 1_000, 10_000)
N_TEST = 5_000

_BATCH = 1_000  # images encoded at a time


@dataclasses.dataclass(frozen=True)
class Coded:
    """Codes `(n, latent_dim)` and integer factors `(n, n_factors)` of the same images."""

    codes: np.ndarray
    factors: np.ndarray


class Samples:
    """Training and test images, and those under a shift or an intervention.

    A full grid has any number of images: they are drawn with replacement, and factors can be given
    any value. Of other sets each image is drawn once at most, and shifts choose among the images.

    Args:
        encode: Callable from uint8 images to codes.
        data: The data set.
        n_train: Training images.
        n_test: Test images.
        seed: Of the draw.
    """

    def __init__(self, encode: Callable, data: FactorData, n_train: int, n_test: int, seed: int):
        self.encode, self.data, self.seed = encode, data, seed
        self.is_grid = hasattr(data, "index")
        rng = np.random.default_rng(seed)
        if self.is_grid:
            drawn = data.sample_indices(n_train, rng), data.sample_indices(n_test, rng)
        else:
            drawn = shifts.disjoint_rows(len(data), n_train, n_test, rng)
        self._train, self._test = drawn

    @cached_property
    def train(self) -> Coded:
        return self._coded(self._train)

    @cached_property
    def test(self) -> Coded:
        return self._coded(self._test)

    @cached_property
    def latent_dim(self) -> int:
        return self._codes(np.arange(1)).shape[1]

    def shift_values(self, predicted: int) -> dict[int, np.ndarray]:
        """Values of factors other than `predicted` that can be held in training."""
        if not self.is_grid:
            return shifts.shift_values(self._labels, predicted)
        sizes = enumerate(self.data.factor_sizes)
        return {k: np.arange(size) for k, size in sizes if k != predicted and size > 1}

    def shifted(self, other: int, value: int, rng: np.random.Generator) -> tuple[Coded, Coded]:
        """Training images where a factor has a value, and test images where it has others."""
        if self.is_grid:
            size = self.data.factor_sizes[other]
            factors = map(self.data.factors, (self._train, self._test))
            apart = shifts.factors_apart(*factors, other, value, size, rng)
            train, test = map(self.data.index, apart)
        else:
            counts = len(self._train), len(self._test)
            train, test = shifts.rows_apart(self._labels[:, other], value, *counts, rng)
        return self._coded(train), self._coded(test)

    def intervened(self, sensitive: int, n_per_value: int, rng: np.random.Generator) -> np.ndarray:
        """Codes of images under every value of a factor, one value after the other; grids only."""
        factors = self.data.sample_factors(n_per_value, rng)
        size = self.data.factor_sizes[sensitive]
        return self._codes(self.data.index(shifts.interventions(factors, sensitive, size)))

    @cached_property
    def _labels(self):
        return self.data.factors(np.arange(len(self.data)))

    def _coded(self, numbers):
        return Coded(self._codes(numbers), self.data.factors(numbers))

    def _codes(self, numbers):
        starts = range(0, len(numbers), _BATCH)
        parts = [self.encode(self.data.images(numbers[k : k + _BATCH])) for k in starts]
        return np.concatenate(parts)


def counts_that_fit(
    data: FactorData, sizes: Sequence[int] | None, n_test: int | None
) -> tuple[list[int], int, list[str]]:
    """Numbers of labels and of test images for a set, and in words what was left out.

    A full grid has any number of images. Of another set no image is used twice. By default a sixth
    of it is kept for testing (`N_TEST` at most), those of `SIZES` that fit into the rest are taken,
    and what these leave is for testing too (`N_TEST` at most).

    Args:
        data: The data set.
        sizes: Numbers of labels asked for; None for the default.
        n_test: Test images asked for; None for the default.

    Raises:
        ValueError: if what is asked for does not fit, or the set is too small for anything.
    """
    wanted = list(SIZES if sizes is None else sizes)
    if hasattr(data, "index"):
        return wanted, n_test or N_TEST, []
    n = len(data)
    _check_n_test(data, n_test)
    kept = n_test or (max(1, min(n // 6, N_TEST)) if sizes is None else 1)
    fitting = [size for size in wanted if size <= n - kept]
    too_many = [size for size in wanted if size > n - kept]
    if not fitting or (too_many and sizes is not None):
        raise ValueError(
            f"`sizes` must be at most {n - kept} for {data.name}, which has {n} images, of which "
            f"{kept} must be for testing. Received: sizes={wanted}"
        )
    n_test = n_test or min(N_TEST, n - max(fitting))
    listed = ", ".join(f"{size:,}" for size in too_many)
    words = f"{listed} labels: {data.name} has {n:,} images, {n_test:,} of them for testing"
    return fitting, n_test, [words] if too_many else []


def _check_n_test(data, n_test):
    """Refuses more test images than leave two to learn from."""
    n = len(data)
    if n < 3:
        raise ValueError(
            "`folder` must be of a model whose data set has at least 3 images, 2 to learn from and "
            f"1 to test on. Received: {data.name}, {n} images"
        )
    if n_test is not None and n_test > n - 2:
        raise ValueError(
            f"`n_test` must be at most {n - 2} for {data.name}, which has {n} images, of which 2 "
            f"must be to learn from. Received: n_test={n_test}"
        )
