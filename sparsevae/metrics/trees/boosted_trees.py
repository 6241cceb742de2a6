"""Gradient-boosted classification trees, to the values of scikit-learn's with its defaults.

Own code for one reason: speed. scikit-learn sorts the features anew in every node of every tree;
here they are sorted once (`ExactSplits`) or put into bins once (`BinnedSplits`).
"""

import dataclasses
from typing import Protocol

import numpy as np

LEARNING_RATE = 0.1
MAX_DEPTH = 3


@dataclasses.dataclass(frozen=True)
class Split:
    """A node that was split: its parts become nodes `2 i + 1` and `2 i + 2` of node `i`."""

    feature: int
    threshold: float  # samples of at most so much go left
    gain: float  # fall of the sum of squares


@dataclasses.dataclass(frozen=True)
class Tree:
    """Splits by node number, root 0, and the samples of each leaf by node number."""

    splits: dict[int, Split]
    leaves: dict[int, np.ndarray]


class SplitFinder(Protocol):
    """Grows one regression tree after the other on the same features, over `n_stages` stages."""

    n_stages: int

    def grow(self, residual: np.ndarray, rng: np.random.Generator) -> Tree:
        """A tree of depth up to 3 that fits `residual (n,)` by least squares."""


@dataclasses.dataclass(frozen=True)
class Boosted:
    """What boosting found.

    Attributes:
        importance: `(n_features,)`, share of each feature in the mean gain of the trees; sums to 1,
            or to 0 if no tree split.
        train_labels, test_labels: Predicted labels.
    """

    importance: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray


def boost(
    finder: SplitFinder,
    labels: np.ndarray,
    test_features: np.ndarray,
    rng: np.random.Generator,
) -> Boosted:
    """Boosts trees for one label: in each stage one tree a class (one for two classes), depth 3.

    Args:
        finder: Grows trees on the training features.
        labels: Integer array `(n_train,)` of at least two values.
        test_features: Float32 array `(n_features, n_test)`.
        rng: Breaks ties between features.

    Returns:
        Importances and predictions.

    References:
        Friedman 2001, Greedy Function Approximation: A Gradient Boosting Machine, algorithm 6; in
        the details as scikit-learn's GradientBoostingClassifier: start from the log frequencies,
        squared error for the splits, one Newton step for the leaves, learning rate 0.1.
    """
    values, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    frequency = counts / len(labels)
    binary = len(values) == 2
    if binary:
        targets = (classes == 1)[None].astype(np.float64)
        start = np.log(frequency[1:] / frequency[0])
    else:
        targets = (classes == np.arange(len(values))[:, None]).astype(np.float64)
        start = np.log(frequency)
    scores = np.tile(start[:, None], (1, len(labels)))
    test_scores = np.tile(start[:, None], (1, test_features.shape[1]))
    # Newton's step in a class of K symmetric ones is shrunk by (K - 1) / K.
    shrink = 1.0 if binary else (len(values) - 1) / len(values)
    importance, n_grown = np.zeros(len(test_features)), 0
    for _ in range(finder.n_stages):
        probability = _probabilities(scores)
        residual = targets - probability
        curvature = probability * (1 - probability)
        for k in range(len(scores)):
            tree = finder.grow(residual[k], rng)
            steps = {}
            for node, samples in tree.leaves.items():
                down = curvature[k, samples].sum()
                step = shrink * residual[k, samples].sum() / down if down > 1e-150 else 0.0
                steps[node] = LEARNING_RATE * step
                scores[k, samples] += steps[node]
            test_scores[k] += _apply(tree, steps, test_features)
            for split in tree.splits.values():
                importance[split.feature] += split.gain
            n_grown += bool(tree.splits)
    total = importance.sum()
    return Boosted(
        importance=importance / total if total > 0 else importance,
        train_labels=values[_named(scores)],
        test_labels=values[_named(test_scores)],
    )


def _probabilities(scores):
    """Of each class `(n_classes, n)`; of the second one alone, `(1, n)`, if there are two."""
    if len(scores) == 1:
        return 1 / (1 + np.exp(-scores))
    probability = np.exp(scores - scores.max(axis=0))
    probability /= probability.sum(axis=0)
    return probability


def _named(scores):
    return (scores[0] > 0).astype(int) if len(scores) == 1 else scores.argmax(axis=0)


def _apply(tree, steps, features):
    """The step of the leaf that each sample `(n_features, n)` falls into."""
    n_nodes = 2 ** (MAX_DEPTH + 1) - 1
    feature, threshold = np.zeros(n_nodes, np.intp), np.full(n_nodes, np.inf)
    for node, split in tree.splits.items():
        feature[node], threshold[node] = split.feature, split.threshold
    values = np.zeros(n_nodes)
    for node, step in steps.items():
        values[node] = step
        while node < n_nodes // 2:  # a leaf above the last level: its samples go left, downwards
            node = 2 * node + 1
            values[node] = step
    sample = np.arange(features.shape[1])
    node = np.zeros(features.shape[1], np.intp)
    for _ in range(MAX_DEPTH):
        node = 2 * node + 1 + (features[feature[node], sample] > threshold[node])
    return values[node]
