"""What every data set with known factors offers."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sparsevae.data.checks import check_integer
from sparsevae.data.factors import FactorSpace

if TYPE_CHECKING:
    import tensorflow as tf


class GroundTruthData(abc.ABC):
    """A data set with one image for each combination of its factors.

    A subclass calls `super().__init__` and defines `images`; everything else follows from it.

    Attributes:
        name: Name of the set, such as "dsprites".
        source: Where its images come from: "render", "file" or another word worth recording.
        factor_space: The factors and their numbering.
        image_shape: `(height, width, channels)`.
    """

    def __init__(
        self, name: str, source: str, factor_space: FactorSpace, image_shape: tuple[int, int, int]
    ) -> None:
        if not isinstance(factor_space, FactorSpace):
            raise TypeError(
                f"`factor_space` must be a FactorSpace. Received: factor_space={factor_space!r}"
            )
        if len(image_shape) != 3:
            raise ValueError(
                "`image_shape` must be (height, width, channels). "
                f"Received: image_shape={image_shape!r}"
            )
        self.name = name
        self.source = source
        self.factor_space = factor_space
        self.image_shape = tuple(check_integer("image_shape", k, minimum=1) for k in image_shape)

    @abc.abstractmethod
    def images(self, indices: np.ndarray) -> np.ndarray:
        """Images by number; the same number always gives the same image.

        Args:
            indices: Integer array `(n,)`, values in 0 ... len - 1.

        Returns:
            uint8 array `(n, height, width, channels)`, 0 ... 255.

        Raises:
            TypeError: if `indices` does not hold integers.
            ValueError: if it is not one-dimensional or a value is out of range.
        """

    @property
    def factor_names(self) -> tuple[str, ...]:
        return self.factor_space.names

    @property
    def factor_sizes(self) -> tuple[int, ...]:
        return self.factor_space.sizes

    def __len__(self) -> int:
        return len(self.factor_space)

    def __repr__(self) -> str:
        factors = ", ".join(map("{} {}".format, self.factor_names, self.factor_sizes))
        return (
            f"<{self.name}, source {self.source!r}: {len(self)} images {self.image_shape}; "
            f"factors {factors}>"
        )

    def factors(self, indices: np.ndarray) -> np.ndarray:
        """Factors `(n, n_factors)`, int64, of image numbers `(n,)`: see `FactorSpace.factors`."""
        return self.factor_space.factors(indices)

    def index(self, factors: np.ndarray) -> np.ndarray:
        """Image numbers `(n,)`, int64, of factors `(n, n_factors)`: see `FactorSpace.index`."""
        return self.factor_space.index(factors)

    def sample_factors(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> np.ndarray:
        """Independent, uniform factors `(n, n_factors)`, int64: see `FactorSpace.sample`."""
        return self.factor_space.sample(n, rng, fixed)

    def observe(self, factors: np.ndarray) -> np.ndarray:
        """Images `(n, height, width, channels)`, uint8, of factors `(n, n_factors)`."""
        return self.images(self.index(factors))

    def sample(
        self, n: int, rng: np.random.Generator, fixed: Mapping[str, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Independent, uniform factors and their images; arguments of `FactorSpace.sample`.

        Returns:
            int64 array `(n, n_factors)` and uint8 array `(n, height, width, channels)`.
        """
        factors = self.sample_factors(n, rng, fixed)
        return factors, self.observe(factors)

    def as_tf_dataset(self, batch_size: int = 64, seed: int = 0, start: int = 0) -> tf.data.Dataset:
        """Endless batches of images drawn uniformly with replacement, prefetched.

        Batch k depends on `seed` and k only: training resumes at step k with `start=k`, which
        equals `.skip(k)` without drawing what is skipped.

        Args:
            batch_size: Images a batch, at least 1.
            seed: Integer, at least 0.
            start: Step of the first batch, at least 0.

        Returns:
            Data set of float32 tensors `(batch_size, height, width, channels)` in [0, 1].

        Raises:
            TypeError: if an argument is not an integer.
            ValueError: if an argument is too small.
        """
        # Imported here so that rendering alone does not load TensorFlow.
        from sparsevae.data.pipeline import random_batches

        return random_batches(self, batch_size=batch_size, seed=seed, start=start)
