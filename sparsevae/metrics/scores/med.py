"""MED: the disentanglement of DCI, read off mutual information."""

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.information import bin_codes, mutual_information_matrix
from sparsevae.metrics.scores.dci import dci_from_importance
from sparsevae.metrics.validation import check_codes_and_factors, varying_factors


def med(codes: np.ndarray, factors: np.ndarray, *, n_bins: int = 20) -> float:
    """Mutual information based entropy disentanglement (MED).

    The disentanglement of DCI, with the share that each latent has in all the mutual information
    about a factor as its importance. It asks what DCI asks, without a classifier whose kind and
    settings decide the value, so it is cheap and steady. Unchanged when latents are permuted,
    negated, rescaled or joined by dead ones.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0; one-valued factors
            are left out.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor varies or no latent knows any.

    Raises:
        TypeError: if an array is not numeric or `n_bins` is not an integer.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `n_bins` is below 2.

    References:
        Cao, Nai, Yang et al. 2022, An Empirical Study on Disentanglement of Negative-free
        Contrastive Learning, section 3. Chosen for the place of EDI (Julka, Wang & Granitzer 2024,
        2410.03056), which trains a network for every latent and factor.
    """
    codes, factors = check_codes_and_factors(codes, factors)
    n_bins = check_integer("n_bins", n_bins, minimum=2)
    factors = factors[:, varying_factors(factors)]
    if not factors.shape[1]:
        return 0.0
    information = mutual_information_matrix(bin_codes(codes, n_bins), factors, n_bins)
    total = information.sum(axis=0)
    return dci_from_importance(information / np.where(total > 0, total, 1.0)).disentanglement
