"""Mutual information gap (MIG)."""

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.information import bin_codes, entropies, mutual_information_matrix
from sparsevae.metrics.validation import (
    check_codes_and_factors,
    varying_factors,
)


def mig(codes: np.ndarray, factors: np.ndarray, *, n_bins: int = 20) -> float:
    """Mutual information gap: mean over factors between the two latents that know most about each.

    Unchanged when latents are permuted, rescaled or joined by dead (constant) ones; a latent may
    serve two factors unpunished. With one latent the runner-up is taken to know nothing.
    One-valued factors are left out.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor varies. Near 0 for independent codes;
        bias grows with `n_bins`. A factor with more values than `n_bins` keeps a
        perfect code below 1: .895 on dSprites.

    Raises:
        TypeError: if an array is not numeric or `n_bins` is not an integer.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `n_bins` is below 2.

    References:
        Chen et al. 2018, Isolating Sources of Disentanglement in VAEs, section 4, 1802.04942.
        They take the information from q(z given x); here, as in disentanglement_lib (Locatello
        et al. 2019, 1811.12359), from binned codes.
    """
    codes, factors = check_codes_and_factors(codes, factors)
    n_bins = check_integer("n_bins", n_bins, minimum=2)
    factors = factors[:, varying_factors(factors)]
    if not factors.shape[1]:
        return 0.0
    information = mutual_information_matrix(bin_codes(codes, n_bins), factors, n_bins)
    nothing = np.zeros((1, factors.shape[1]))  # the runner-up of a single latent
    ranked = np.sort(np.concatenate([nothing, information]), axis=0)
    return float(np.mean((ranked[-1] - ranked[-2]) / entropies(factors)))
