"""Which images of a data set the scores look at, and their codes; no image is encoded twice."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from tqdm import tqdm

from sparsevae.metrics.validation import check_codes, varying_factors

BATCH = 64  # images a vote and pairs a difference, as in the papers


class ImagesWithFactors(Protocol):
    """What scores that draw images ask of a data set."""

    factor_names: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images."""

    def factors(self, indices: np.ndarray) -> np.ndarray:
        """Factors `(n, n_factors)` of images by number."""

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Images `(n, height, width, channels)` by number."""


def factors_to_score(data: ImagesWithFactors) -> np.ndarray:
    """Factors of all images: the one rule for whether a set has any that scores can use.

    Returns:
        Integer array `(n_images, n_factors)`; no columns if factors are not known, or none of them
        takes two values.
    """
    if not hasattr(data, "factors"):
        return np.empty((len(data), 0), np.int64)
    factors = data.factors(np.arange(len(data)))
    return factors if varying_factors(factors).any() else factors[:, :0]


@dataclass(frozen=True)
class Rows:
    """Arrays whose first axis is the same: one sample, vote or pair a row."""

    def resampled(self, rng: np.random.Generator) -> "Rows":
        """As many rows, drawn with replacement: one bootstrap sample."""
        arrays = [getattr(self, field.name) for field in fields(self)]
        rows = rng.integers(len(arrays[0]), size=len(arrays[0]))
        return type(self)(*(array[rows] for array in arrays))


@dataclass(frozen=True)
class Sample(Rows):
    """Images drawn uniformly: numbers `(n,)`."""

    images: np.ndarray


@dataclass(frozen=True)
class Votes(Rows):
    """Batches of images with one factor held: numbers `(n, batch)`, factor `(n,)`."""

    images: np.ndarray
    factor: np.ndarray


@dataclass(frozen=True)
class Pairs(Rows):
    """Pairs of images that agree in one factor: numbers `(n, batch)` twice, factor `(n,)`."""

    first: np.ndarray
    second: np.ndarray
    factor: np.ndarray


class SharedValue:
    """Draws images that share the value of one factor with given images.

    Args:
        factors: Integer array `(n_images, n_factors)` of the whole data set.

    Raises:
        ValueError: if no factor takes two values.
    """

    def __init__(self, factors: np.ndarray):
        self._varying = np.flatnonzero(varying_factors(factors))
        if not len(self._varying):
            raise ValueError("`data` must have a factor that takes two values. Received: none does")
        self._n_images = len(factors)
        self._groups = {k: _group(factors[:, k]) for k in self._varying}

    def votes(self, n: int, rng: np.random.Generator) -> Votes:
        """Batches for the FactorVAE score: a random factor, held at the value of a random image."""
        factor = rng.choice(self._varying, n)
        like = np.repeat(rng.integers(self._n_images, size=(n, 1)), BATCH, axis=1)
        return Votes(self._partners(factor, like, rng), factor)

    def pairs(self, n: int, rng: np.random.Generator) -> Pairs:
        """Pairs for the beta-VAE score: a random factor, equal within each pair."""
        factor = rng.choice(self._varying, n)
        first = rng.integers(self._n_images, size=(n, BATCH))
        return Pairs(first, self._partners(factor, first, rng), factor)

    def _partners(self, factor, like, rng):
        """For each image of `like (n, batch)` one of equal value in its row's `factor (n,)`."""
        partners = np.empty_like(like)
        for k, (order, first, size, group) in self._groups.items():
            rows = factor == k
            groups = group[like[rows]]
            partners[rows] = order[first[groups] + rng.integers(size[groups])]
        return partners


def _group(values):
    """Images sorted by value; where each value begins; how often it comes; each image's value."""
    _, group, size = np.unique(values, return_inverse=True, return_counts=True)
    return np.argsort(group, kind="stable"), np.cumsum(size) - size, size, group


def encode_once(
    encode: Callable[[np.ndarray], np.ndarray],
    data: ImagesWithFactors,
    needed: list[np.ndarray],
    batch_size: int,
) -> np.ndarray:
    """Codes of a data set by image number, for the images needed; each is encoded once.

    Args:
        encode: Callable from uint8 images to codes `(n, latent_dim)`.
        data: The data set.
        needed: Integer arrays of image numbers, any shape.
        batch_size: Images per call of `encode`.

    Returns:
        Float array `(len(data), latent_dim)`; rows of images that were not needed are 0.

    Raises:
        ValueError: if the codes have a wrong shape or are not finite.
    """
    is_needed = np.zeros(len(data), bool)
    for numbers in needed:
        is_needed[numbers] = True
    numbers = np.flatnonzero(is_needed)
    table = None
    with tqdm(
        total=len(numbers), desc="Encoding", unit=" images", leave=False, disable=None
    ) as bar:
        for start in range(0, len(numbers), batch_size):
            batch = numbers[start : start + batch_size]
            codes = np.asarray(encode(data.images(batch)))
            latent_dim = codes.shape[1:] if table is None else table.shape[1:]
            if codes.ndim != 2 or codes.shape != (len(batch), *latent_dim):
                raise ValueError(
                    "`encode` must return codes (n_images, latent_dim) of one latent_dim. "
                    f"Received: shape {codes.shape} for {len(batch)} images"
                )
            codes = check_codes(codes, min_samples=1)
            if table is None:
                table = np.zeros((len(data), *latent_dim), codes.dtype)
            table[batch] = codes
            bar.update(len(batch))
    return table
