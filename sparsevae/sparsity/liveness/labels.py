"""Labels: which entries of which tensors can only go together."""

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sparsevae.sparsity.liveness.pattern import Shape

LabelPattern = np.ndarray  # integers; axes as in a `Pattern`


class Labels:
    """Numbers for channels, and what is known of them.

    Each channel that a kernel makes gets a label. It goes through the layers that work on it, so
    the same label in several tensors is the same channel. Labels that are tied, as by a sum, are
    kept or removed together; pinned ones are kept.
    """

    def __init__(self):
        self.n, self._ties, self._pinned = 0, [], []

    def fresh(self, shape: Iterable[int]) -> LabelPattern:
        """New labels, each another one."""
        shape = tuple(shape)
        size = int(np.prod(shape))
        self.n += size
        return np.arange(self.n - size, self.n).reshape(shape)

    def tie(self, first: LabelPattern, second: LabelPattern) -> None:
        """Entries of the same place go together; axes of length 1 are stretched."""
        first, second = np.broadcast_arrays(first, second)
        self._ties.append((first.ravel(), second.ravel()))

    def tie_along(self, labels: LabelPattern, axes: Iterable[int]) -> LabelPattern:
        """Entries that differ only along `axes` go together: the pattern at one place of them."""
        places = tuple(slice(0, 1) if k in set(axes) else slice(None) for k in range(labels.ndim))
        self.tie(labels, labels[places])
        return labels[places]

    def pin(self, labels: LabelPattern) -> None:
        """These are kept."""
        self._pinned.append(np.ravel(labels))

    def pinned(self, shape: Shape) -> LabelPattern:
        """The pattern of a tensor of which nothing is removed."""
        labels = self.fresh((1,) * len(shape))
        self.pin(labels)
        return labels

    def bundles(self) -> tuple[int, np.ndarray]:
        """How many sets of labels there are that go together, and the one of each label."""
        first, second = np.concatenate([np.empty((2, 0), int), *map(np.stack, self._ties)], axis=1)
        ties = coo_array((np.ones(len(first), bool), (first, second)), shape=(self.n, self.n))
        return connected_components(ties, directed=False)

    def pinned_bundles(self, n: int, bundle: np.ndarray) -> np.ndarray:
        """Which of the `n` bundles are kept in any case, booleans."""
        kept = np.zeros(n, bool)
        for labels in self._pinned:
            kept[bundle[labels]] = True
        return kept


def varying_axes(labels: LabelPattern) -> set[int]:
    """Axes along which entries have different labels."""
    return {k for k in range(labels.ndim) if (labels != labels.take([0], axis=k)).any()}
