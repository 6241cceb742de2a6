"""What every data set with known factors offers."""

from __future__ import annotations

import abc
from collections.abc import Mapping

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.data.checks import check_rng
from sparsevae.data.factors import FactorSpace
from sparsevae.data.image_data import ImageData


class FactorData(ImageData):
    """A data set that knows the factors of each image.

    Abstract: a set is either `GroundTruthData`, with one image for each combination, or
    `LabelledData`.

    Attributes:
        factor_space: The factors, their sizes and values.
    """

    def __init__(
        self, name: str, source: str, factor_space: FactorSpace, image_shape: tuple[int, int, int]
    ) -> None:
        if not isinstance(factor_space, FactorSpace):
            raise TypeError(
                f"`factor_space` must be a FactorSpace. Received: factor_space={factor_space!r}"
            )
        super().__init__(name, source, image_shape)
        self.factor_space = factor_space

    @abc.abstractmethod
    def factors(self, indices: np.ndarray) -> np.ndarray:
        """Factors `(n, n_factors)`, int64, of image numbers `(n,)`; errors as `images`."""

    @abc.abstractmethod
    def sample_indices(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> np.ndarray:
        """Numbers `(n,)`, int64, of images drawn uniformly with replacement.

        Args:
            n: Number of images, at least 1.
            rng: NumPy generator; the draw advances it.
            fixed: Factors held at one value, such as `{"shape": 2}`; only images that have these
                values are drawn.

        Raises:
            TypeError: if `n` or a fixed value is not an integer, or `rng` not a generator.
            ValueError: if `n` is below 1, a name is unknown, a fixed value is out of range, or no
                image has the fixed values.
        """

    @property
    def factor_names(self) -> tuple[str, ...]:
        return self.factor_space.names

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        return self.factor_space.sizes

    def __repr__(self) -> str:
        factors = ", ".join(map("{} {}".format, self.factor_names, self.factor_sizes))
        return f"{super().__repr__()[:-1]}; factors {factors}>"

    def sample_factors(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> np.ndarray:
        """Factors `(n, n_factors)`, int64, of images drawn as by `sample_indices`."""
        return self.factors(self.sample_indices(n, rng, fixed))

    def sample(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Factors and images drawn as by `sample_indices`.

        Returns:
            int64 array `(n, n_factors)` and uint8 array `(n, height, width, channels)`.
        """
        indices = self.sample_indices(n, rng, fixed)
        return self.factors(indices), self.images(indices)


class GroundTruthData(FactorData):
    """A data set with one image for each combination of its factors.

    A subclass calls `super().__init__` and defines `images`; everything else follows from it.
    """

    def __len__(self) -> int:
        return len(self.factor_space)

    def factors(self, indices: np.ndarray) -> np.ndarray:
        """Factors `(n, n_factors)`, int64, of image numbers `(n,)`: see `FactorSpace.factors`."""
        return self.factor_space.factors(indices)

    def index(self, factors: np.ndarray) -> np.ndarray:
        """Image numbers `(n,)`, int64, of factors `(n, n_factors)`: see `FactorSpace.index`."""
        return self.factor_space.index(factors)

    def observe(self, factors: np.ndarray) -> np.ndarray:
        """Images `(n, height, width, channels)`, uint8, of factors `(n, n_factors)`."""
        return self.images(self.index(factors))

    def sample_indices(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> np.ndarray:
        return self.index(self.factor_space.sample(n, rng, fixed))


class LabelledData(FactorData):
    """A data set of labelled images that do not fill the grid of their factors exactly once.

    A combination may have several images (a nuisance that is not reported) or none. A subclass
    calls `super().__init__` and defines `images`.

    Args:
        labels: Integer array `(n_images, n_factors)`, the factors of each image.

    Raises:
        TypeError: if `labels` does not hold integers.
        ValueError: if it has no rows, another number of columns than `factor_space` has factors,
            or a value out of range.
    """

    def __init__(
        self,
        name: str,
        source: str,
        factor_space: FactorSpace,
        image_shape: tuple[int, int, int],
        labels: np.ndarray,
    ) -> None:
        super().__init__(name, source, factor_space, image_shape)
        factor_space.index(labels)  # refuses what does not fit
        if not len(labels):
            raise ValueError("`labels` must have at least one row. Received: none")
        self._labels = np.array(labels, np.min_scalar_type(max(factor_space.sizes) - 1))

    def __len__(self) -> int:
        return len(self._labels)

    def factors(self, indices: np.ndarray) -> np.ndarray:
        return self._labels[self.checked(indices)].astype(np.int64)

    def sample_indices(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> np.ndarray:
        columns = self.factor_space.fixed_columns(fixed)
        if not columns:
            return self.draw(n, rng)
        check_rng(rng)
        wanted = self._labels[:, list(columns)] == list(columns.values())
        numbers = np.flatnonzero(wanted.all(axis=1))
        if not len(numbers):
            raise ValueError(
                f"`fixed` must be values that an image of {self.name} has. Received: {fixed!r}"
            )
        return numbers[rng.integers(len(numbers), size=check_integer("n", n, minimum=1))]
