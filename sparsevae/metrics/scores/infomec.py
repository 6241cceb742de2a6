"""InfoMEC: modularity, explicitness and compactness as shares of information."""

import dataclasses

import numpy as np

from sparsevae.metrics.information import bin_codes, entropies, mutual_information_matrix
from sparsevae.metrics.validation import check_split, varying_factors

N_BINS = 20
MIN_RANGE = 1 / 20  # of the widest latent; narrower ones are not active


@dataclasses.dataclass(frozen=True)
class InfoMEC:
    """Three shares, higher is better.

    Attributes:
        info_m: Modularity: how much each active latent knows of one factor only.
        info_e: Explicitness: how much of the factors a linear classifier reads off the code.
        info_c: Compactness: how much each factor is known by one active latent only.
    """

    info_m: float
    info_e: float
    info_c: float


def infomec(
    codes: np.ndarray, factors: np.ndarray, test_codes: np.ndarray, test_factors: np.ndarray
) -> InfoMEC:
    """InfoMEC of a code, with bins and test samples; `infomec_published` has neither.

    With N the mutual information of latents and factors over the factor's entropy, a latent's
    modularity is the share of its row that the largest entry has, and a factor's compactness that
    of its column; their means are scaled so that an even spread gives 0. Explicitness is
    `1 - cross entropy / entropy`, with the cross entropy of a logistic regression on test samples
    and the entropy that of the classes' training frequencies there.

    Modularity and compactness are unchanged when latents are permuted or negated; scale matters
    only in that latents narrower than 1/20 of the widest are not active. Explicitness is also
    unchanged by rescaling. Dead latents change nothing.

    Args:
        codes: Float array `(n_train, latent_dim)`.
        factors: Integer array `(n_train, n_factors)`, class indices from 0; one-valued factors are
            left out.
        test_codes: Float array `(n_test, latent_dim)`.
        test_factors: Integer array `(n_test, n_factors)`.

    Returns:
        Three floats in [0, 1]; all 0 if no factor or latent varies. With a single factor every
        latent is modular and info_m is 1, likewise info_c with a single active latent.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if sample counts or columns differ, a factor is negative or not whole, a code
            is not finite, or an array is empty or not two-dimensional.

    References:
        Hsu, Dorrell, Whittington et al. 2023, Disentanglement via Latent Quantization, 2305.18378,
        section 4. Theirs is `infomec_published`; here 20 equal-width bins, and scikit-learn's
        default regularization, tested on samples of their own.
    """
    codes, factors, test_codes, test_factors = check_split(codes, factors, test_codes, test_factors)
    varied = varying_factors(factors)
    used = active(codes)
    if not varied.any() or not used.any():
        return InfoMEC(0.0, 0.0, 0.0)
    factors, test_factors = factors[:, varied], test_factors[:, varied]
    bins = bin_codes(codes[:, used], N_BINS)
    information = mutual_information_matrix(bins, factors, N_BINS) / entropies(factors)
    alive = np.ptp(codes, axis=0) > 0
    info_e = _explicitness(codes[:, alive], factors, test_codes[:, alive], test_factors)
    return InfoMEC(concentration(information), info_e, concentration(information.T))


def active(codes: np.ndarray) -> np.ndarray:
    """Latents wider than 1/20 of the widest, `(latent_dim,)`; none if all are constant."""
    width = np.ptp(codes, axis=0)
    return width > MIN_RANGE * width.max()


def concentration(matrix: np.ndarray) -> float:
    """Mean over rows of the largest entry's share, scaled so that an even spread gives 0.

    Args:
        matrix: Float array of entries of 0 or above; a row of zeros counts as an even spread.

    Returns:
        Float in [0, 1]; with a single column the share of rows that are not 0.
    """
    total, n = matrix.sum(axis=1), matrix.shape[1]
    if n == 1:
        return float(np.mean(total > 0))
    share = np.full(len(total), 1 / n)
    np.divide(matrix.max(axis=1), total, out=share, where=total > 0)
    return float(np.clip((np.mean(share) - 1 / n) / (1 - 1 / n), 0.0, 1.0))  # rounding


def _explicitness(codes, factors, test_codes, test_factors):
    """Mean over factors of the share of entropy that the regression removes, on test samples."""
    # Loaded only where used: half a second.
    from sklearn.linear_model import LogisticRegression

    mean, spread = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    codes, test_codes = (codes - mean) / spread, (test_codes - mean) / spread
    shares = []
    for train, test in zip(factors.T, test_factors.T, strict=True):
        model = LogisticRegression(max_iter=1_000).fit(codes, train)
        known = np.isin(test, model.classes_)  # a class never seen has no probability
        if not known.any():
            shares.append(0.0)
            continue
        column = np.searchsorted(model.classes_, test[known])
        log_probability = model.predict_log_proba(test_codes[known])
        frequency = np.bincount(np.searchsorted(model.classes_, train)) / len(train)
        entropy = -np.log(frequency)[column].mean()
        cross = -log_probability[np.arange(len(column)), column].mean()
        shares.append(np.clip(1 - cross / entropy, 0.0, 1.0))
    return float(np.mean(shares))
