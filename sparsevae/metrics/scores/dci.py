"""Disentanglement, completeness, informativeness (DCI)."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sparsevae.checks import check_choice, check_integer
from sparsevae.cores import available_cores
from sparsevae.metrics.scores.dci_regressors import REGRESSORS, fit_regressor
from sparsevae.metrics.trees.binned_splits import BinnedSplits
from sparsevae.metrics.trees.boosted_trees import boost
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
        informativeness_train, informativeness_test: Mean over factors of the accuracy of the
            trees; of numbers, 1 - root mean square error over the factor's standard deviation,
            0 for guessing the mean and below it for worse.
        importance: `(latent_dim, n_factors)`. Of trees and forests each column sums to 1, or to 0
            if nothing was split; of the lasso they are the sizes of its coefficients.
    """

    informativeness_train: float
    informativeness_test: float
    importance: np.ndarray

    @property
    def informativeness(self) -> float:
        """`informativeness_test`."""
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
    """DCI: how gradient-boosted trees, or regressors, use the latents to tell each factor.

    For each factor trees are boosted (100 stages, depth 3, learning rate 0.1) and the share of
    each latent in their gain is its importance. Factors that are numbers are predicted by a lasso
    or a random forest instead. With p a latent's importances as shares of their
    sum, its disentanglement is `1 - H(p)`, entropy to base n_factors; with p a factor's, its
    completeness is `1 - H(p)`, to base latent_dim. Unchanged when latents are permuted or rescaled,
    and but for rounding when negated. Dead latents have no importance and change that of no other,
    but latent_dim counts them, and completeness rises with it.

    Args:
        codes: Float array `(n_train, latent_dim)`; trees use it as float32.
        factors: Integer array `(n_train, n_factors)`, class indices from 0; finite numbers for
            "lasso" and "random_forest". One-valued factors are left out (zero columns).
        test_codes: Float array `(n_test, latent_dim)`.
        test_factors: Array `(n_test, n_factors)`.
        estimator: "gbt" tries every cut, the trees of the reference. "gbt_fast" tries cuts between
            64 bins, in 50 stages: many times faster, nearly the same order of codes, other values
            (docs/dci.md). "lasso" (penalty 0.02, codes and factors standardized) and
            "random_forest" (10 trees; of the depths 2 to 12 the one that predicts a ninth of the
            training samples best, then fitted to all) take factors as numbers. Of two equal
            latents the lasso uses the first.
        seed: Of the choice between latents that split equally well, and of the forests.

    Returns:
        The scores. All are 0 if no factor varies, disentanglement and completeness if no latent
        does. A perfect code reaches 1 - 7e-10; with a single factor each latent in use is
        disentangled (1), with a single latent each factor complete. Disentanglement and
        completeness are of shares: the lasso may give a code of noise one tiny coefficient, and 1,
        so read them beside informativeness. That is at chance the largest class's share, and 0 of
        numbers; a perfect code reaches 0.98 by the lasso.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if sample counts or columns differ, a class is negative or not whole, a number
            or code is not finite, an array is empty or not two-dimensional, or `estimator` is
            unknown.

    References:
        Eastwood & Williams 2018, A Framework for the Quantitative Evaluation of Disentangled
        Representations: lasso and forest with the settings of its code (cianeastwood/qedr, commit
        f1f47e5), whose depths, listed there for each factor, span 2 to 12. Informativeness is one
        minus its error, over the spread in training and not in testing; completeness is weighted,
        where its tables have the plain mean of `completeness_per_factor`. Boosted trees and
        accuracy are those of disentanglement_lib
        (Locatello et al. 2019, 1811.12359).
    """
    check_choice("estimator", estimator, (*ESTIMATORS, *REGRESSORS))
    seed = check_integer("seed", seed, minimum=0)
    continuous = estimator in REGRESSORS
    codes, factors, test_codes, test_factors = check_split(
        codes, factors, test_codes, test_factors, continuous=continuous
    )
    if not continuous:
        codes, test_codes = tree_features(codes).T, tree_features(test_codes).T
    importance = np.zeros((codes.shape[1], factors.shape[1]))
    per_factor = np.zeros(factors.shape[1])
    varied = np.flatnonzero(varying_factors(factors))
    if not len(varied):
        return DCI(0.0, 0.0, importance.sum(axis=1), per_factor, 0.0, 0.0, importance)
    alive = np.ptp(codes, axis=0) > 0
    alive |= ~alive.any()  # from constant latents alone, all are told alike
    fitter = _regressors if continuous else _trees
    fit = fitter(codes[:, alive], test_codes[:, alive], estimator)

    def fit_one(k: int) -> tuple[np.ndarray, float, float]:
        # One stream a factor: neither other factors nor the number of threads change it.
        return fit(factors[:, k], test_factors[:, k], np.random.default_rng([seed, k]))

    # Threads, not processes: NumPy lets go of the interpreter, and nothing needs to be importable.
    with ThreadPoolExecutor(min(len(varied), len(available_cores()))) as pool:
        columns, train, test = zip(*pool.map(fit_one, varied), strict=True)
    importance[np.ix_(alive, varied)] = np.stack(columns, axis=1)
    found = dci_from_importance(importance[:, varied])
    per_factor[varied] = found.completeness_per_factor
    return DCI(
        disentanglement=found.disentanglement,
        completeness=found.completeness,
        disentanglement_per_code=found.disentanglement_per_code,
        completeness_per_factor=per_factor,
        informativeness_train=float(np.mean(train)),
        informativeness_test=float(np.mean(test)),
        importance=importance,
    )


def _trees(codes, test_codes, estimator):
    """How boosted trees tell one factor by the codes: importances and two accuracies."""
    finder, test_features = ESTIMATORS[estimator](tree_features(codes)), tree_features(test_codes)

    def fit(factor, test_factor, rng):
        found = boost(finder, factor, test_features, rng)
        accuracies = found.train_labels == factor, found.test_labels == test_factor
        return found.importance, *map(np.mean, accuracies)

    return fit


def _regressors(codes, test_codes, estimator):
    """How a regressor predicts one factor by the codes: see `fit_regressor`."""

    def fit(factor, test_factor, rng):
        seed = int(rng.integers(2**32))  # scikit-learn's seeds end there
        return fit_regressor(codes, factor, test_codes, test_factor, estimator=estimator, seed=seed)

    return fit


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
