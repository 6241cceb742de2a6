"""Gaps and sums of mutual information that answer objections to MIG."""

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.information import bin_codes, entropies, mutual_information_matrix
from sparsevae.metrics.validation import check_codes_and_factors, varying_factors


def mig_sup(codes: np.ndarray, factors: np.ndarray, *, n_bins: int = 20) -> float:
    """MIG from the latents' side: mean over latents of the gap between their two best factors.

    With I(z; v) / H(v), the information a latent has of a factor as a share of the factor's
    entropy, a latent scores its largest share minus its second largest. MIG asks whether a factor
    sits in one latent; this asks whether a latent holds one factor. A dead latent scores 0, so
    look at the active ones alone too. Unchanged when latents are permuted, negated or rescaled.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0; one-valued factors
            are left out. With a single factor there is no second and the gap is the share.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor varies. Near 0 for independent codes.

    Raises:
        TypeError: if an array is not numeric or `n_bins` is not an integer.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `n_bins` is below 2.

    References:
        Li, Murkute, Gyawali & Wang 2020, Progressive Learning and Disentanglement of Hierarchical
        Representations, 2002.10549, section 4. They take the information from q(z given x), and
        their code means over the latents whose codes have a variance above 0.01; here binned
        codes and all latents. The code of Carbonneau et al. (2012.09276) divides by the entropy
        of the latent instead.
    """
    information, factors, _ = _information(codes, factors, n_bins)
    if not factors.shape[1]:
        return 0.0
    return float(np.mean(_gap(information / entropies(factors), axis=1)))


def dcimig(codes: np.ndarray, factors: np.ndarray, *, n_bins: int = 20) -> float:
    """DCIMIG: each latent stands for its best factor, each factor for its best latent.

    A latent's gap is its largest minus its second largest mutual information over the factors,
    and counts for the factor where it is largest. The score is the sum over factors of the largest
    gap that counts for each, as a share of the sum of their entropies. Both several factors in a
    latent and a factor without a latent of its own lower it; copies of a latent do not.
    Unchanged when latents are permuted, negated, rescaled or joined by dead ones.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0; one-valued factors
            are left out. With a single factor there is no second and the gap is all it knows.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor varies. Near 0 for independent codes.

    Raises:
        TypeError: if an array is not numeric or `n_bins` is not an integer.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `n_bins` is below 2.

    References:
        Sepliarskaia, Kiseleva & de Rijke 2019, How to Not Measure Disentanglement, 1910.05587;
        as in the code of Carbonneau et al. (Measuring Disentanglement, 2012.09276).
    """
    information, factors, _ = _information(codes, factors, n_bins)
    if not factors.shape[1]:
        return 0.0
    best = np.zeros(factors.shape[1])
    np.maximum.at(best, information.argmax(axis=1), _gap(information, axis=1))
    return float(best.sum() / entropies(factors).sum())


def jemmig(codes: np.ndarray, factors: np.ndarray, *, n_bins: int = 20) -> float:
    """JEMMIG, normalized: MIG that also asks the best latent to hold nothing but its factor.

    For a factor v with best latent z and runner-up z', JEMMIG is `H(z, v) - I(z; v) + I(z'; v)`:
    0 when z and v tell each other fully and no other latent knows v. It is at most
    `H(v) + ln(n_bins)`, and what is returned is the mean over factors of one minus its share of
    that. Unchanged when latents are permuted, negated, rescaled or joined by dead ones.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0; one-valued factors
            are left out.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Float in [0, 1], higher is better; 0 if no factor or no latent varies. Codes that ignore
        the factors do not score 0: what a latent lacks of `ln(n_bins)` nats of entropy counts in
        its favor. Of latents that know equally much of a factor the one of most entropy is best.

    Raises:
        TypeError: if an array is not numeric or `n_bins` is not an integer.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `n_bins` is below 2.

    References:
        Do & Tran 2020, Theory and Evaluation Metrics for Learning Disentangled Representations,
        1908.09961, on interpretability; there lower is better. The normalized form, one minus the
        share, is that of Carbonneau et al. (Measuring Disentanglement, 2012.09276). Do & Tran bin
        q(z given x) on [-4, 4]; here codes, on the range of each latent.
    """
    information, factors, bins = _information(codes, factors, n_bins)
    of_factor, of_latent = entropies(factors), entropies(bins)
    if not of_factor.any() or not of_latent.any():
        return 0.0
    largest = information.max(axis=0)
    of_best = np.where(information == largest, of_latent[:, None], 0.0).max(axis=0)
    # H(z, v) - I(z; v) + I(z'; v), where H(z, v) = H(z) + H(v) - I(z; v)
    terms = of_best + of_factor - largest - _gap(information, axis=0)
    return float(np.mean(np.clip(1 - terms / (of_factor + np.log(n_bins)), 0.0, 1.0)))


def _information(codes, factors, n_bins):
    """Mutual information with the factors that vary; those factors; binned codes."""
    codes, factors = check_codes_and_factors(codes, factors)
    n_bins = check_integer("n_bins", n_bins, minimum=2)
    factors = factors[:, varying_factors(factors)]
    bins = bin_codes(codes, n_bins)
    if not factors.shape[1]:
        return np.zeros((codes.shape[1], 0)), factors, bins
    return mutual_information_matrix(bins, factors, n_bins), factors, bins


def _gap(matrix, axis):
    """Largest minus second largest along an axis; where there is one entry, the second is 0."""
    if matrix.shape[axis] == 1:
        return matrix.max(axis=axis)
    ranked = np.sort(matrix, axis=axis)
    return ranked.take(-1, axis) - ranked.take(-2, axis)
