"""Trees on features that are sorted once: every cut between two samples is tried."""

import numpy as np

from sparsevae.metrics.trees.boosted_trees import MAX_DEPTH, Split, Tree

_PURE = np.finfo(np.float64).eps  # a node of no more variance is left whole
_APART = np.float32(1e-7)  # values closer than this are not told apart


class ExactSplits:
    """Grows trees as scikit-learn does, from presorted features.

    The samples of a node lie side by side in every feature's sorted order. Sums along the order
    give the gain of every cut at once; then each node's part of every order is divided by side,
    which keeps it sorted.

    Args:
        features: Float32 array `(n_features, n)`.
    """

    n_stages = 100

    def __init__(self, features: np.ndarray):
        self.features = features
        self.order = np.argsort(features, axis=1, kind="stable")
        ordered = np.take_along_axis(features, self.order, axis=1)
        # Values that cannot be told apart share a number.
        apart = np.diff(ordered, axis=1, prepend=np.float32(-np.inf)) > _APART
        self.number = np.empty(features.shape, np.int32)
        np.put_along_axis(self.number, self.order, np.cumsum(apart, axis=1, dtype=np.int32), axis=1)
        self.count = np.arange(1.0, features.shape[1])
        self.inverse = 1.0 / self.count

    def grow(self, residual: np.ndarray, rng: np.random.Generator) -> Tree:
        """A tree of depth up to 3 that fits `residual (n,)` by least squares."""
        order, nodes = self.order, {0: (0, len(residual))}  # node -> its part of the order
        splits, leaves = {}, {}
        for depth in range(MAX_DEPTH):
            ordered = np.take(residual, order)
            sums = np.cumsum(ordered, axis=1)
            halves = {}
            for node, (start, stop) in nodes.items():
                part = order[:, start:stop]
                left = sums[:, start : stop - 1] - (sums[:, start - 1 : start] if start else 0.0)
                split, cut = self._best(part, ordered[0, start:stop], left, rng)
                if split is None:
                    leaves[node] = part[0]
                    continue
                splits[node] = split
                row = part[split.feature]
                halves[node] = row[:cut], row[cut:]
            if depth == MAX_DEPTH - 1:
                for node, (left, right) in halves.items():
                    leaves |= {2 * node + 1: left, 2 * node + 2: right}
            elif halves:
                order, nodes = self._divide(order, halves)
            else:
                break
        return Tree(splits, leaves)

    def _best(self, order, values, left, rng):
        """The best split of a node, and how many samples go left; None if there is none."""
        n, mean = len(values), values.mean()
        if n < 2 or np.square(values - mean).mean() <= _PURE:
            return None, 0
        # (sum of the left - its share of the total)^2 (1 / n_left + 1 / n_right)
        inverse = self.inverse[: n - 1]
        left -= mean * self.count[: n - 1]
        gain = np.square(left, out=left)
        gain *= inverse + inverse[::-1]
        cuts = self._told_apart(gain, order)
        gains = gain[np.arange(len(gain)), cuts]
        best = gains.max()
        if best < 0:
            return None, 0
        tied = np.flatnonzero(gains == best)
        feature = int(tied[0] if len(tied) == 1 else rng.choice(tied))
        cut = int(cuts[feature]) + 1
        low, high = (float(self.features[feature, order[feature, i]]) for i in (cut - 1, cut))
        middle = low / 2 + high / 2
        return Split(feature, middle if low <= middle < high else low, float(best)), cut

    def _told_apart(self, gain, order):
        """Best cut of each feature, never one between values that cannot be told apart."""
        cuts = gain.argmax(axis=1)
        rows = np.arange(len(gain))
        ends = [self.number[rows, order[rows, cuts + i]] for i in (0, 1)]
        for row in np.flatnonzero(ends[0] == ends[1]):
            number = self.number[row, order[row]]
            gain[row, number[1:] == number[:-1]] = -1.0
            cuts[row] = gain[row].argmax()
        return cuts

    def _divide(self, order, halves):
        """Orders of all left children, then of all right ones, and each child's part of them."""
        side = np.zeros(self.features.shape[1], np.int8)  # samples of nodes left whole drop out
        children, place = {}, [0, sum(len(left) for left, _ in halves.values())]
        for node, sides in halves.items():
            for i, samples in enumerate(sides):
                side[samples] = i + 1
                children[2 * node + 1 + i] = place[i], place[i] + len(samples)
                place[i] += len(samples)
        sides = np.take(side, order)
        # Many times faster than a boolean index.
        parts = [np.take(order, np.flatnonzero(sides == i)) for i in (1, 2)]
        return np.concatenate([part.reshape(len(order), -1) for part in parts], axis=1), children
