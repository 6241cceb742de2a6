"""What a code is good for: predicting factors from few labels, or without the best latents."""

import contextlib
import dataclasses
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sparsevae.checks import check_choice
from sparsevae.cores import available_cores
from sparsevae.metrics.scores.dci import ESTIMATORS, tree_features
from sparsevae.metrics.trees.boosted_trees import boost
from sparsevae.metrics.validation import check_split

Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""From codes `(n, latent_dim)`, labels `(n,)`, other codes and a seed to labels of both codes."""


def _logistic(codes, labels, test_codes, seed):
    """Folds whose training part has one label only have no say."""
    # Loaded only where used: half a second.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, KFold

    folds = KFold(min(5, len(codes))).split(codes)
    folds = [(train, test) for train, test in folds if len(np.unique(labels[train])) > 1]
    model = LogisticRegression()
    if folds:
        penalties = {"C": np.logspace(-4, 4, 10)}
        model = GridSearchCV(model, penalties, scoring="accuracy", cv=folds)
    model.fit(codes, labels)
    return model.predict(codes), model.predict(test_codes)


def _trees(estimator):
    def predict(codes, labels, test_codes, seed):
        features, test_features = tree_features(codes), tree_features(test_codes)
        rng = np.random.default_rng(seed)
        found = boost(ESTIMATORS[estimator](features), labels, test_features, rng)
        return found.train_labels, found.test_labels

    return predict


PREDICTORS: dict[str, Predictor] = {
    "logistic": _logistic,
    "gbt": _trees("gbt"),
    "gbt_fast": _trees("gbt_fast"),
}
"""Logistic regression on raw codes, its penalty one of 10 by 5-fold cross-validation; boosted
trees, exact and fast (see `metrics.dci`)."""


def predict(
    codes: np.ndarray, labels: np.ndarray, test_codes: np.ndarray, *, predictor: str, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels that a classifier trained on codes gives to these and to other codes.

    Where training knows one label only, that is the prediction.

    Args:
        codes: Float array `(n, latent_dim)`.
        labels: Integer array `(n,)`.
        test_codes: Float array `(n_test, latent_dim)`.
        predictor: "logistic", "gbt" or "gbt_fast".
        seed: Breaks ties in trees.

    Returns:
        Labels `(n,)` and `(n_test,)`.

    Raises:
        ValueError: for an unknown predictor.
    """
    check_choice("predictor", predictor, tuple(PREDICTORS))
    with _without_convergence_warnings():
        return _predict(codes, labels, test_codes, predictor, seed)


def _predict(codes, labels, test_codes, predictor, seed):
    if len(np.unique(labels)) == 1:
        return labels.copy(), np.full(len(test_codes), labels[0])
    return PREDICTORS[predictor](codes, labels, test_codes, seed)


@contextlib.contextmanager
def _without_convergence_warnings():
    """Logistic regression ends after 100 steps, as in the reference."""
    from sklearn.exceptions import ConvergenceWarning  # as above

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@dataclasses.dataclass(frozen=True)
class Downstream:
    """Accuracies in [0, 1], float arrays `(n_factors,)`.

    Attributes:
        train: On the samples that were learned from.
        test: On others.
        chance: On those others, by the commonest label of the training samples.
    """

    train: np.ndarray
    test: np.ndarray
    chance: np.ndarray


def downstream(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    *,
    predictor: str = "gbt",
    seed: int = 0,
) -> Downstream:
    """Accuracy of one classifier a factor, trained on codes.

    Args:
        codes: Float array `(n_train, latent_dim)`, n_train of at least 2.
        factors: Integer array `(n_train, n_factors)`.
        test_codes: Float array `(n_test, latent_dim)`, n_test of at least 1.
        test_factors: Integer array `(n_test, n_factors)`.
        predictor: "logistic", "gbt" or "gbt_fast".
        seed: Breaks ties in trees.

    Raises:
        ValueError: if shapes disagree, a value is not finite, or the predictor is unknown.

    References:
        Locatello et al. 2019, Challenging Common Assumptions, section 5.5, 1811.12359; settings of
        its code (commit 86a644d): scikit-learn's default boosted trees, and logistic regression
        with 10 penalties and 5 folds. Where that stops (one label, folds of one label) a rule
        stands here.
    """
    codes, factors, test_codes, test_factors = check_split(
        codes, factors, test_codes, test_factors, min_test=1
    )
    check_choice("predictor", predictor, tuple(PREDICTORS))

    def accuracies(k):
        labels, test_labels = factors[:, k], test_factors[:, k]
        train, test = _predict(codes, labels, test_codes, predictor, seed)
        values, counts = np.unique(labels, return_counts=True)
        chance = values[counts.argmax()] == test_labels
        return np.mean(train == labels), np.mean(test == test_labels), np.mean(chance)

    # Threads, as in `dci`. Filters of warnings are the process's: they are set outside.
    with _without_convergence_warnings(), ThreadPoolExecutor(len(available_cores())) as pool:
        columns = list(pool.map(accuracies, range(factors.shape[1])))
    return Downstream(*np.array(columns).T)


def without_best_latents(
    codes: np.ndarray, labels: np.ndarray, n_removed: int, *, seed: int = 0
) -> np.ndarray:
    """Latents that are left when those most important for a factor are removed one by one.

    Importance is that of exact boosted trees, and is found anew after each removal.

    Args:
        codes: Float array `(n, latent_dim)`.
        labels: Integer array `(n,)`, values of the factor.
        n_removed: How many go, below latent_dim.
        seed: Breaks ties in trees.

    Returns:
        Sorted integer array `(latent_dim - n_removed,)`.

    Raises:
        ValueError: if no latent would be left.

    References:
        `reduced_downstream_task` of disentanglement_lib (commit 86a644d).
    """
    if not 0 <= n_removed < codes.shape[1]:
        raise ValueError(
            f"`n_removed` must be at least 0 and below latent_dim {codes.shape[1]}. "
            f"Received: n_removed={n_removed!r}"
        )
    left = np.arange(codes.shape[1])
    for _ in range(n_removed):
        features = tree_features(codes[:, left])
        if len(np.unique(labels)) == 1 or not np.ptp(features, axis=1).any():
            left = left[1:]  # nothing is important
            continue
        rng = np.random.default_rng(seed)
        found = boost(ESTIMATORS["gbt"](features), labels, features[:, :1], rng)
        left = np.delete(left, found.importance.argmax())
    return left


def sample_efficiency(few: np.ndarray, many: np.ndarray) -> float:
    """Ratio of mean test accuracies from few and from many labels; the field takes 100 and 10,000.

    Args:
        few: Test accuracies `(n_factors,)` of classifiers that learned from few labels.
        many: The same from many labels.

    Returns:
        Float of at least 0, near 1 if few labels are enough; NaN if `many` are all 0.

    References:
        Locatello et al. 2019, Challenging Common Assumptions, section 5.5, 1811.12359.
    """
    return float(np.mean(few) / np.mean(many)) if np.any(many) else float("nan")


def prediction_counts(predicted: np.ndarray, n_labels: int) -> np.ndarray:
    """How often each label was predicted under each value of a factor, as `unfairness` takes it.

    Args:
        predicted: Integer array `(n_values, n_samples)`, labels in 0 ... n_labels - 1.
        n_labels: Labels there are.

    Returns:
        Integer array `(n_labels, n_values)`; columns sum to n_samples.
    """
    return np.transpose([np.bincount(row, minlength=n_labels) for row in predicted])


def unfairness(counts: np.ndarray) -> float:
    """How much the distribution of predictions depends on a sensitive factor.

    Mean, over the values of the sensitive factor, of the total variation distance between the
    predictions made under that value and all predictions.

    Args:
        counts: Array `(n_labels, n_values)`: how often each label was predicted when the sensitive
            factor was set to each value, other factors the same.

    Returns:
        Float in [0, 1): 0 if predictions do not depend on the factor.

    Raises:
        ValueError: if a value has no predictions.

    References:
        Locatello et al. 2019, On the Fairness of Disentangled Representations, section 4,
        1905.13662.
    """
    counts = np.asarray(counts, np.float64)
    if counts.ndim != 2 or not (counts.sum(axis=0) > 0).all():
        raise ValueError(
            "`counts` must be (n_labels, n_values) with predictions for each value. "
            f"Received: shape {counts.shape}"
        )
    overall = counts.sum(axis=1, keepdims=True) / counts.sum()
    distances = np.abs(counts / counts.sum(axis=0) - overall).sum(axis=0) / 2
    return float(np.average(distances, weights=counts.sum(axis=0)))
