"""What every set of images offers, with or without known factors."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.data.checks import check_indices, check_rng

if TYPE_CHECKING:
    import tensorflow as tf

    from sparsevae.data.pipeline import Draws, FieldDraws

_OF_FACTORS = ("factor_space", "factor_names", "factor_sizes", "factors")
_OF_DRAWS = ("sample_indices", "sample_factors", "sample")
_OF_GRIDS = ("index", "observe")


class MissingFactorsError(AttributeError, ValueError):
    """A set was asked for factors that it does not have. The message names the set."""


class ImageData(abc.ABC):
    """Numbered images of one shape.

    A subclass calls `super().__init__` and defines `images` and `__len__`. `hasattr(data,
    "factors")` tells whether factors are known, `hasattr(data, "index")` whether there is exactly
    one image for each of their combinations.

    Attributes:
        name: Name of the set, such as "dsprites".
        source: Where its images come from: "render", "file" or another word worth recording.
        image_shape: `(height, width, channels)`.
    """

    def __init__(self, name: str, source: str, image_shape: tuple[int, int, int]) -> None:
        if len(image_shape) != 3:
            raise ValueError(
                "`image_shape` must be (height, width, channels). "
                f"Received: image_shape={image_shape!r}"
            )
        self.name = name
        self.source = source
        self.image_shape = tuple(check_integer("image_shape", k, minimum=1) for k in image_shape)

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of images."""

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

    def __repr__(self) -> str:
        return f"<{self.name}, source {self.source!r}: {len(self)} images {self.image_shape}>"

    def __getattr__(self, name: str):
        # Reached only for what a class does not define: says why instead of "no attribute".
        if name in _OF_GRIDS and "factors" in dir(self):
            raise MissingFactorsError(
                f"{self.name} does not have exactly one image for each combination of its "
                f"factors, so there is no `{name}`; use `sample(n, rng, fixed=...)`"
            )
        if name in _OF_FACTORS + _OF_DRAWS + _OF_GRIDS:
            raise MissingFactorsError(
                f"{self.name} has no factors, so there is no `{name}`; scores that need them "
                "cannot be computed (`load(path, factors=...)` adds factors)"
            )
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def checked(self, indices: np.ndarray) -> np.ndarray:
        """`indices` as int64 array `(n,)`, if every value lies in 0 ... len - 1.

        Raises:
            TypeError: if `indices` does not hold integers.
            ValueError: if it is not one-dimensional or a value is out of range.
        """
        return check_indices(indices, len(self))

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Image numbers, int64 `(n,)`, uniform and with replacement.

        Raises:
            TypeError: if `n` is not an integer or `rng` not a generator.
            ValueError: if `n` is below 1.
        """
        check_rng(rng)
        return rng.integers(len(self), size=check_integer("n", n, minimum=1))

    def as_tf_dataset(
        self,
        batch_size: int = 64,
        seed: int = 0,
        start: int = 0,
        distribution: Draws | FieldDraws | None = None,
    ) -> tf.data.Dataset:
        """Endless batches of images drawn with replacement, prefetched.

        Batch k depends on `seed`, `distribution` and k only: training resumes at step k with
        `start=k`, which equals `.skip(k)` without drawing what is skipped.

        Args:
            batch_size: Images a batch, at least 1.
            seed: Integer, at least 0.
            start: Step of the first batch, at least 0.
            distribution: Draws the numbers of the images, such as a `FactorDistribution` of this
                set, or pairs or labels too, such as `Pairs` and `FewLabels`; None draws uniformly.

        Returns:
            Data set of float32 tensors `(batch_size, height, width, channels)` in [0, 1]; of dicts
            of fields, with these as `images`, where the distribution draws more than images.

        Raises:
            TypeError: if an argument is not an integer.
            ValueError: if an argument is too small, or `distribution` is of a set of another size.
        """
        # Imported here so that rendering alone does not load TensorFlow.
        from sparsevae.data.pipeline import random_batches

        return random_batches(
            self, batch_size=batch_size, seed=seed, start=start, distribution=distribution
        )
