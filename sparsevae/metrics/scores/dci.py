"""Disentanglement, completeness, informativeness (DCI)."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sparsevae.checks import check_choice, check_integer
from sparsevae.cores import available_cores
from sparsevae.metrics.trees.binned_splits import BinnedSplits
from sparsevae.metrics.trees.boosted_trees import Boosted, boost
from sparsevae.metrics.trees.exact_splits import ExactSplits
from sparsevae.metrics.validation import check_split, varying_factors

ESTIMATORS = {"gbt": ExactSplits, "gbt_fast": BinnedSplits}
_FLOOR = 1e-11  # added to each share within the entropies, as in the reference


@dataclasses.dataclass(frozen=True)
class ImportanceScores:
    """What a matrix of importances says; floats in [0, 1], higher is better.

    Attributes:
        disentanglement: How far each latent serves one factor: mean of `disentanglement_per_code`,
            weighted by the latents' shares of all importance.
        completeness: How far each factor is served by one latent: mean of
            `completeness_per_factor`, weighted by the factors' shares.
        disentanglement_per_code: `(latent_dim,)`.
        completeness_per_factor: `(n_factors,)`.
    """

    disentanglement: float
    completeness: float
    disentanglement_per_code: np.ndarray
    completeness_per_factor: np.ndarray


@dataclasses.dataclass(frozen=True)
class DCI(ImportanceScores):
    """DCI of a code; floats in [0, 1], higher is better.

    Attributes:
        informativeness_train, informativeness_test: Mean accuracy of the trees over factors.
        importance: `(latent_dim, n_factors)`, each column sums to 1, or to 0 if no tree split.
    """

    informativeness_train: float
    informativeness_test: float
    importance: np.ndarray

    @property
    def informativeness(self) -> float:
        """Mean accuracy over factors on the test samples."""
        return self.informativeness_test


def dci(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    *,
    estimator: str = "gbt",
    seed: int = 0,
) -> DCI:
    """DCI: how gradient-boosted trees use the latents to tell each factor.

    For each factor trees are boosted (100 stages, depth 3, learning rate 0.1) and the share of
    each latent in their gain is its importance. With p a latent's importances as shares of their
    sum, its disentanglement is `1 - H(p)`, entropy to base n_factors; with p a factor's, its
    completeness is `1 - H(p)`, to base latent_dim. Unchanged when latents are permuted or rescaled,
    and but for rounding when negated. Dead latents have no importance and change that of no other,
    but latent_dim counts them, and completeness rises with it.

    Args:
        codes: Float array `(n_train, latent_dim)`; used as float32.
        factors: Integer array `(n_train, n_factors)`, class indices from 0; one-valued factors are
            left out (zero columns).
        test_codes: Float array `(n_test, latent_dim)`.
        test_factors: Integer array `(n_test, n_factors)`.
        estimator: "gbt" tries every cut, the trees of the reference. "gbt_fast" tries cuts between
            64 bins, in 50 stages: many times faster, nearly the same order of codes, other values
            (docs/dci.md).
        seed: Of the choice between latents that split equally well.

    Returns:
        The scores. All are 0 if no factor varies, disentanglement and completeness if no latent
        does. A perfect code reaches 1 - 7e-10; with a single factor each latent in use is
        disentangled (1), with a single latent each factor complete. Informativeness at chance is
        the largest class's share.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if sample counts or columns differ, a factor is negative or not whole, a code is
            not finite, an array is empty or not two-dimensional, or `estimator` is unknown.

    References:
        Eastwood & Williams 2018, A Framework for the Quantitative Evaluation of Disentangled
        Representations. Boosted trees, and accuracy for informativeness (there an error), as in
        disentanglement_lib (Locatello et al. 2019, 1811.12359).
    """
    check_choice("estimator", estimator, tuple(ESTIMATORS))
    seed = check_integer("seed", seed, minimum=0)
    codes, factors, test_codes, test_factors = check_split(codes, factors, test_codes, test_factors)
    importance = np.zeros((codes.shape[1], factors.shape[1]))
    varied = np.flatnonzero(varying_factors(factors))
    features, test_features = tree_features(codes), tree_features(test_codes)
    alive = np.ptp(features, axis=1) > 0
    alive |= ~alive.any()  # constant latents alone split nothing, and the trees guess
    finder = ESTIMATORS[estimator](features[alive])

    def fit(k: int) -> Boosted:
        # One stream a factor: neither other factors nor the number of threads change it.
        return boost(finder, factors[:, k], test_features[alive], np.random.default_rng([seed, k]))

    # Threads, not processes: NumPy lets go of the interpreter, and nothing needs to be importable.
    with ThreadPoolExecutor(min(len(varied), len(available_cores())) or 1) as pool:
        fits = dict(zip(varied, pool.map(fit, varied), strict=True))
    if not fits:
        nothing = np.zeros(codes.shape[1]), np.zeros(factors.shape[1])
        return DCI(0.0, 0.0, *nothing, 0.0, 0.0, importance)
    for k, fitted in fits.items():
        importance[alive, k] = fitted.importance
    found = dci_from_importance(importance[:, varied])
    per_factor = np.zeros(factors.shape[1])
    per_factor[varied] = found.completeness_per_factor
    return DCI(
        disentanglement=found.disentanglement,
        completeness=found.completeness,
        disentanglement_per_code=found.disentanglement_per_code,
        completeness_per_factor=per_factor,
        informativeness_train=_accuracy(
            [f.train_labels for f in fits.values()], factors[:, varied]
        ),
        informativeness_test=_accuracy(
            [f.test_labels for f in fits.values()], test_factors[:, varied]
        ),
        importance=importance,
    )


def _accuracy(labels, factors):
    return float(np.mean(np.stack(labels, axis=1) == factors))


def tree_features(codes):
    """Codes as the trees want them: `(latent_dim, n)`, float32.

    Raises:
        ValueError: if a value overflows float32.
    """
    largest = np.finfo(np.float32).max
    if np.abs(codes).max() > largest:
        raise ValueError(
            f"`codes` must lie within float32, up to {largest:.3g}. "
            f"Received: a value of {np.abs(codes).max():.3g}"
        )
    return np.ascontiguousarray(codes.T, np.float32)


def dci_from_importance(importance: np.ndarray) -> ImportanceScores:
    """Disentanglement and completeness of a given matrix of importances.

    Args:
        importance: Float array `(latent_dim, n_factors)`, finite, 0 or above.

    Returns:
        The scores; 0 if all entries are 0.

    Raises:
        ValueError: if the array has a wrong shape, or an entry is negative or not finite.

    References:
        Eastwood & Williams 2018, section 2.
    """
    importance = np.asarray(importance, np.float64)
    valid = np.isfinite(importance) & (importance >= 0)
    if importance.ndim != 2 or 0 in importance.shape or not valid.all():
        raise ValueError(
            "`importance` must be a non-empty array (latent_dim, n_factors) of finite numbers of 0 "
            f"or above. Received: shape {importance.shape}"
        )
    per_code, code_weight = _concentration(importance)
    per_factor, factor_weight = _concentration(importance.T)
    return ImportanceScores(
        disentanglement=float(per_code @ code_weight),
        completeness=float(per_factor @ factor_weight),
        disentanglement_per_code=per_code,
        completeness_per_factor=per_factor,
    )


def _concentration(matrix):
    """One minus the entropy of each row, to the base of its length, and its share of the total."""
    rows = matrix.sum(axis=1)
    weight = rows / rows.sum() if rows.any() else np.zeros_like(rows)
    if matrix.shape[1] == 1:
        return (rows > 0).astype(np.float64), weight
    share = matrix + _FLOOR
    share /= share.sum(axis=1, keepdims=True)
    return 1 + (share * np.log(share)).sum(axis=1) / np.log(matrix.shape[1]), weight
