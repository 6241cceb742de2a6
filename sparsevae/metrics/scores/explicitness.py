"""Explicitness: whether a linear classifier reads the factors off the code."""

import dataclasses

import numpy as np

from sparsevae.metrics.validation import check_split, varying_factors


@dataclasses.dataclass(frozen=True)
class Explicitness:
    """Areas under the ROC curve, in [0, 1].

    Attributes:
        score_test: The score: mean over factors on the test samples.
        score_train: The same on the training samples.
        per_factor_test: `(n_factors,)`, 0 for factors left out.
        per_factor_train: `(n_factors,)`, 0 for factors left out.
    """

    score_test: float
    score_train: float
    per_factor_test: np.ndarray
    per_factor_train: np.ndarray


def explicitness(
    codes: np.ndarray, factors: np.ndarray, test_codes: np.ndarray, test_factors: np.ndarray
) -> Explicitness:
    """Explicitness: mean ROC AUC of one logistic regression per factor, on standardized codes.

    A class's AUC is the chance that a sample of it gets a higher probability of it than a sample of
    another class; a factor's is the mean over its classes. Unchanged when latents are permuted,
    negated, rescaled or joined by dead ones, and nearly so when they are rotated: it asks whether
    the code tells the factors, not where.

    Args:
        codes: Float array `(n_train, latent_dim)`.
        factors: Integer array `(n_train, n_factors)`, class indices from 0. One-valued factors are
            left out.
        test_codes: Float array `(n_test, latent_dim)`, standardized as the training codes.
        test_factors: Integer array `(n_test, n_factors)`. Classes that are all or none of the test
            samples have no AUC and are left out of their factor's mean, classes unseen in training
            too; a factor with no class left counts as chance, 0.5.

    Returns:
        The score, higher is better; chance is 0.5. 0.5 too if all latents are dead, 0 if no factor
        varies.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if sample counts or columns differ, a factor is negative or not whole, a code
            is not finite, or an array is empty or not two-dimensional.

    References:
        Ridgeway & Mozer 2018, Learning Deep Disentangled Embeddings with the F-Statistic Loss,
        1802.05312, section 3 (there scaled so that chance is 0); as in disentanglement_lib.
    """
    codes, factors, test_codes, test_factors = check_split(codes, factors, test_codes, test_factors)
    varied = np.flatnonzero(varying_factors(factors))
    alive = np.ptp(codes, axis=0) > 0
    per_factor = np.zeros((2, factors.shape[1]))
    per_factor[:, varied] = 0.5
    if alive.any():
        samples = [c[:, alive].astype(np.float64) for c in (codes, test_codes)]
        mean, spread = samples[0].mean(axis=0), samples[0].std(axis=0)
        samples = [(sample - mean) / spread for sample in samples]
        for k in varied:
            labels = factors[:, k], test_factors[:, k]
            per_factor[:, k] = _areas(samples, labels)
    means = per_factor[:, varied].mean(axis=1) if len(varied) else np.zeros(2)
    return Explicitness(float(means[1]), float(means[0]), per_factor[1], per_factor[0])


def _areas(samples, labels):
    """Mean AUC on the training and the test samples of a regression fitted to the first."""
    # Loaded only where used: half a second.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(samples[0], labels[0])
    return [
        mean_area(model.predict_proba(sample), label, model.classes_)
        for sample, label in zip(samples, labels, strict=True)
    ]


def mean_area(probabilities: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> float:
    """Mean over classes of the area under the ROC curve, one class against the rest.

    Args:
        probabilities: Float array `(n_samples, n_classes)`.
        labels: Integer array `(n_samples,)`.
        classes: The label of each column, `(n_classes,)`.

    Returns:
        Float in [0, 1], ties counted half; 0.5 if no class has samples both inside and outside.
    """
    from scipy.stats import rankdata

    inside = labels[:, None] == classes
    n_inside = inside.sum(axis=0)
    n_outside = len(labels) - n_inside
    rank_sums = (rankdata(probabilities, axis=0) * inside).sum(axis=0)
    told = (n_inside > 0) & (n_outside > 0)
    if not told.any():
        return 0.5
    wins = rank_sums - n_inside * (n_inside + 1) / 2
    return float(np.mean(wins[told] / (n_inside * n_outside)[told]))
