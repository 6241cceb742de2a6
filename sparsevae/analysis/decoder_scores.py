"""Scores of a decoder's Jacobian, from sums over its outputs that fit into memory."""

import dataclasses
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True)
class Products:
    """What the scores need of the Jacobians at n base points.

    Attributes:
        gram: `(n, latent_dim, latent_dim)`, inner products of columns: J^T J.
        shared: `(n, latent_dim, latent_dim)`, sum over pixels of products of the sizes of two
            latents' derivatives there; the size is the norm over the pixel's channels.
        lengths: `(n, latent_dim)`, sum over outputs of absolute derivatives.
        n_outputs: Entries of one column.
    """

    gram: np.ndarray
    shared: np.ndarray
    lengths: np.ndarray
    n_outputs: int

    def of(self, latents: np.ndarray) -> Self:
        """The same for some latents, given as booleans `(latent_dim,)`."""
        chosen = np.flatnonzero(latents)
        square = np.ix_(range(len(self.gram)), chosen, chosen)
        return dataclasses.replace(
            self,
            gram=self.gram[square],
            shared=self.shared[square],
            lengths=self.lengths[:, chosen],
        )


def products(jacobian: np.ndarray) -> Products:
    """Sums over the outputs of Jacobians.

    Args:
        jacobian: Float `(n, latent_dim, height, width, channels)`; of any other number of axes,
            each entry is a pixel of its own.
    """
    columns = jacobian.reshape(*jacobian.shape[:2], -1)
    pixels = np.linalg.norm(jacobian, axis=-1) if jacobian.ndim == 5 else np.abs(jacobian)
    pixels = pixels.reshape(*jacobian.shape[:2], -1)
    return Products(
        columns @ columns.swapaxes(1, 2),
        pixels @ pixels.swapaxes(1, 2),
        np.abs(columns).sum(axis=2),
        columns.shape[2],
    )


def joined(parts: list[Products]) -> Products:
    """Products of all base points, from those of some at a time."""
    gram, shared, lengths = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("gram", "shared", "lengths")
    )
    return Products(gram, shared, lengths, parts[0].n_outputs)


def norms(gram: np.ndarray) -> np.ndarray:
    """Euclidean norms of the columns, `(n, latent_dim)`."""
    return np.sqrt(np.diagonal(gram, axis1=1, axis2=2))


def hoyer_sparsity(length: np.ndarray, norm: np.ndarray, n_entries: int) -> np.ndarray:
    """Hoyer's sparsity of vectors of `n_entries`, from their L1 and L2 norms.

    Returns:
        In [0, 1]: 0 if all entries are equal in size, 1 if all but one are 0; NaN for zero vectors.

    References:
        Hoyer 2004, Non-negative Matrix Factorization with Sparseness Constraints, section 3.1.
    """
    ratio = np.divide(length, norm, out=np.full(np.shape(norm), np.nan), where=norm > 0)
    root = np.sqrt(n_entries)
    return np.clip((root - ratio) / (root - 1), 0.0, 1.0)  # beyond by rounding only


def ima_contrast(gram: np.ndarray) -> np.ndarray:
    """Sum of the log norms of the columns minus half the log determinant of J^T J, `(n,)`.

    Returns:
        Nats, 0 or above; 0 exactly if the columns are orthogonal, infinite if they are linearly
        dependent. Zero columns are left out; one column alone has 0.

    References:
        Gresele et al. 2021, Independent Mechanism Analysis, a New Concept?, section 4, 2106.05200;
        by J^T J for more outputs than latents.
    """
    return np.array([_ima_contrast(matrix) for matrix in cosines(gram)])


def _ima_contrast(cosine):
    moving = ~np.isnan(cosine.diagonal())
    eigenvalues = np.linalg.eigvalsh(cosine[np.ix_(moving, moving)])
    if not eigenvalues.size:
        return 0.0
    if eigenvalues[0] <= len(eigenvalues) * np.finfo(np.float64).eps:
        return np.inf
    return max(0.0, -0.5 * float(np.log(eigenvalues).sum()))


def cosines(gram: np.ndarray) -> np.ndarray:
    """Cosines between columns, `(n, latent_dim, latent_dim)`; NaN with a zero column."""
    norm = norms(gram)
    norm = np.where(norm > 0, norm, np.nan)
    return gram / norm[:, :, None] / norm[:, None]


def mean_cosine(gram: np.ndarray) -> np.ndarray:
    """Mean absolute cosine over pairs of non-zero columns, `(n,)`, in [0, 1]; 0 without a pair."""
    upper = np.triu_indices(gram.shape[1], 1)
    pairs = np.abs(cosines(gram)[:, *upper])
    there = ~np.isnan(pairs)
    return np.where(there, pairs, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)


def compositional_contrast(shared: np.ndarray) -> np.ndarray:
    """Sum over pixels and pairs of latents of the product of their derivatives' sizes, `(n,)`.

    Returns:
        0 or above, in squared units of the derivatives; 0 exactly if one latent at most moves each
        pixel.

    References:
        Brady et al. 2023, Provably Learning Object-Centric Representations, 2305.14229, with
        latents as slots. In their code each channel of a pixel counts by itself.
    """
    return (shared.sum(axis=(1, 2)) - np.trace(shared, axis1=1, axis2=2)) / 2


def overlap(shared: np.ndarray) -> np.ndarray:
    """The compositional contrast as a share of its largest value, `(n,)`.

    That is `(latent_dim - 1) / (2 latent_dim)` times the sum over pixels of the squared sum of
    sizes, reached where all latents move each pixel alike. Ours: the normalized form of the
    authors' code grows with the number of pixels.

    Returns:
        In [0, 1]: 0 if one latent at most moves each pixel, 1 if all move each alike. 0 without a
        pair of latents.
    """
    latent_dim = shared.shape[1]
    largest = shared.sum(axis=(1, 2)) * (latent_dim - 1) / 2 / max(latent_dim, 1)
    contrast = compositional_contrast(shared)
    ratio = np.divide(contrast, largest, out=np.zeros(len(shared)), where=largest > 0)
    return np.clip(ratio, 0.0, 1.0)  # beyond by rounding only
