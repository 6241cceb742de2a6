"""Streams of pairs, and of images of which few have labels, for training."""

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.data.draws.labels import Labels
from sparsevae.data.draws.pairs import draw_pairs
from sparsevae.data.ground_truth import GroundTruthData


class Pairs:
    """Pairs of images that differ in a few factors, for `data.as_tf_dataset(distribution=...)`.

    Batches are dicts of `images` and `partner`, as objectives such as `AdaGVAE` use them. See
    `draw_pairs` for how they are drawn.

    Args:
        data: Data set with one image for each combination of its factors.
        n_changed: Factors that differ, at least 1; None draws the number for each pair.
    """

    def __init__(self, data: GroundTruthData, n_changed: int | None = 1) -> None:
        if not hasattr(data, "index"):
            raise ValueError(
                "`data` must have one image for each combination of factors, so that there are "
                f"pairs. Received: {data.name}"
            )
        self._space, self._n_changed, self._n = data.factor_space, n_changed, len(data)
        self.draw_fields(1, np.random.default_rng(0))  # refuses what cannot be drawn

    def __len__(self) -> int:
        return self._n

    def draw_fields(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Image numbers of n pairs, int64 `(n,)` each."""
        pairs = draw_pairs(self._space, n, rng, self._n_changed)
        return {"images": pairs.first, "partner": pairs.second}


class FewLabels:
    """Images with labels mixed among others, for `data.as_tf_dataset(distribution=...)`.

    Batches are dicts of `images` and `labels`, float32 `(batch, n_factors)`, -1 where an image has
    none: half of a batch is drawn from the labelled images, half from all. Objectives such as
    `SemiSupervised` use them.

    Args:
        data: The data set.
        labels: Of its images, as `draw_labels` gives them.
    """

    def __init__(self, data: GroundTruthData, labels: Labels) -> None:
        data.checked(labels.images)
        self._data, self._labels = data, labels

    def __len__(self) -> int:
        return len(self._data)

    def draw_fields(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Image numbers, int64 `(n,)`, and labels."""
        n_labelled = (check_integer("n", n, minimum=1) + 1) // 2
        rows = rng.integers(len(self._labels.images), size=n_labelled)
        others = rng.integers(len(self._data), size=n - n_labelled)
        labels = np.full((n, self._labels.labels.shape[1]), -1, np.float32)
        labels[:n_labelled] = self._labels.labels[rows]
        return {"images": np.concatenate([self._labels.images[rows], others]), "labels": labels}
