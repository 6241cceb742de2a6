"""Modularity: whether each latent knows about one factor only."""

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.information import bin_codes, mutual_information_matrix
from sparsevae.metrics.validation import check_codes_and_factors, varying_factors


def modularity(codes: np.ndarray, factors: np.ndarray, *, n_bins: int = 20) -> float:
    """Modularity: mean over latents of one minus what a latent knows beyond its best factor.

    With m the mutual information of a latent with the F factors, in nats, a latent scores
    `1 - (sum m^2 - max m^2) / ((F - 1) max m^2)`. A dead latent, which knows nothing, scores 0:
    k dead ones of L cost k / L, so look at the active ones alone too. Unchanged when latents are
    permuted, negated or rescaled. Two latents may share a factor unpunished.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0; one-valued factors
            are left out. With a single factor a latent that knows it scores 1.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor varies. Noise does not score 0: the
        estimate of information is biased towards factors of many values, which gives codes that
        ignore the factors 0.66 to 0.69 on dSprites.

    Raises:
        TypeError: if an array is not numeric or `n_bins` is not an integer.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `n_bins` is below 2.

    References:
        Ridgeway & Mozer 2018, Learning Deep Disentangled Embeddings with the F-Statistic Loss,
        1802.05312, section 3; bins as in disentanglement_lib.
    """
    codes, factors = check_codes_and_factors(codes, factors)
    n_bins = check_integer("n_bins", n_bins, minimum=2)
    factors = factors[:, varying_factors(factors)]
    if not factors.shape[1]:
        return 0.0
    information = mutual_information_matrix(bin_codes(codes, n_bins), factors, n_bins)
    return float(np.mean(modularity_per_code(information)))


def modularity_per_code(matrix: np.ndarray) -> np.ndarray:
    """Modularity of each latent, given how strongly it goes with each factor.

    Args:
        matrix: Float array `(latent_dim, n_factors)`, 0 or above, such as mutual information.

    Returns:
        Float array `(latent_dim,)` in [0, 1]; 0 for a row of zeros.
    """
    squares = np.square(matrix)
    best = squares.max(axis=1)
    known = best > 0
    rest = (squares.sum(axis=1) - best) / np.where(known, best, 1.0)
    return np.where(known, 1 - rest / max(matrix.shape[1] - 1, 1), 0.0)
