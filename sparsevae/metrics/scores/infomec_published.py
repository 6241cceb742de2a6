"""InfoMEC as its authors compute it: nearest neighbors, and regressions on one set of samples."""

import warnings

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.information import entropies, neighbor_information
from sparsevae.metrics.scores.infomec import InfoMEC, active, concentration
from sparsevae.metrics.validation import check_codes_and_factors, varying_factors

N_NEIGHBORS = 10
MAX_STEPS = 100  # of the logistic regressions, which end there as in the authors' code


def infomec_published(
    codes: np.ndarray, factors: np.ndarray, *, continuous: bool = False, seed: int = 0
) -> InfoMEC:
    """InfoMEC of a code by the estimates of its authors.

    Modularity and compactness are those of `infomec`, with the mutual information of latents and
    factors estimated from 10 nearest neighbors. Explicitness is `1 - cross entropy / ln(n_classes)`
    with the cross entropy of a logistic regression without regularization and with balanced
    classes, on the samples that it was fitted to; ln(n_classes) is what such a regression reaches
    without codes. It counts what is fitted by chance too, and is not converged on many classes:
    compare codes at one number of samples.

    Continuous factors: their entropy is the information that the same estimator finds between the
    factor and itself; explicitness is R^2 of a linear regression.

    Unchanged when latents are permuted or negated, and when dead ones join. Scale matters only in
    that latents narrower than 1/20 of the widest are not active: they count in explicitness alone.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0; finite numbers if
            `continuous`. One-valued factors are left out.
        continuous: Whether factors are numbers instead of classes; needs more than 10 samples.
        seed: Of the jitter that keeps equal values apart, a ten-billionth of the spread.

    Returns:
        Three floats up to 1, all 0 if no factor or latent varies. info_m and info_c are 0 or above,
        and mean nothing where info_e is near 0: about half of the estimates of no information are
        0, so codes of noise reach 0.3 to 0.8. info_e can fall below 0 where classes are uneven.
        With a single factor every latent that knows it is modular and info_m is 1, likewise info_c
        with a single active latent.

    Raises:
        TypeError: if an array is not numeric or `seed` is not an integer.
        ValueError: if sample counts differ, a class is negative or not whole, a number or code is
            not finite, `seed` is negative, an array is not two-dimensional or has too few samples.

    References:
        Hsu, Dorrell, Whittington et al. 2023, Disentanglement via Latent Quantization, 2305.18378,
        section 4, as in disentangle/metrics of github.com/kylehkhsu/latent_quantization (commit
        9a420a3): infomec.py for classes, explicitness.py and mutual_information.py for numbers.
        There a latent or factor of no information at all makes the score NaN; here it counts as
        an even spread. Tripod (2404.10282) counts latents as active by another rule.
    """
    codes, factors = check_codes_and_factors(
        codes, factors, continuous=continuous, min_samples=N_NEIGHBORS + 1 if continuous else 2
    )
    seed = check_integer("seed", seed, minimum=0)
    factors, used = factors[:, varying_factors(factors)], active(codes)
    if not factors.shape[1] or not used.any():
        return InfoMEC(0.0, 0.0, 0.0)
    information = _shares_of_entropy(codes[:, used], factors, continuous, seed)
    codes = codes[:, np.ptp(codes, axis=0) > 0].astype(np.float64)
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    known = _squared_correlations if continuous else _shares_of_cross_entropy
    info_e = float(np.mean(known(codes, factors)))
    return InfoMEC(concentration(information), info_e, concentration(information.T))


def _shares_of_entropy(codes, factors, continuous, seed):
    """Mutual information over the entropy of the factor: `(latent_dim, n_factors)`."""

    def estimate(columns, factors):
        return neighbor_information(columns, factors, N_NEIGHBORS, continuous=continuous, seed=seed)

    information = estimate(codes, factors)
    if continuous:
        entropy = np.array([estimate(factor, factor)[0, 0] for factor in factors.T[:, :, None]])
    else:
        entropy = entropies(factors)
    # So few distinct numbers may hold no information that the estimate finds, nor does any latent.
    return np.divide(information, entropy, out=np.zeros_like(information), where=entropy > 0)


def _shares_of_cross_entropy(codes, factors):
    """Share of the cross entropy of an even guess that a logistic regression removes, each factor.

    Args:
        codes: Standardized float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, each of at least two values.
    """
    # Loaded only where used: half a second.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=MAX_STEPS)
    shares = []
    for factor in factors.T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(codes, factor)
        cross_entropy = log_loss(factor, model.predict_proba(codes))
        shares.append(1 - cross_entropy / np.log(len(model.classes_)))
    return shares


def _squared_correlations(codes, factors):
    """R^2 of a linear regression of each factor on all latents."""
    from sklearn.linear_model import LinearRegression  # as above

    return [LinearRegression().fit(codes, factor).score(codes, factor) for factor in factors.T]
