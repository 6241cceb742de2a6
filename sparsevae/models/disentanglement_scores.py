"""Disentanglement scores while a model trains."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from sparsevae import metrics as scores
from sparsevae.checks import check_integer
from sparsevae.metrics.encoding import ImagesWithFactors
from sparsevae.metrics.evaluation import score_names
from sparsevae.training.epoch_logs import add_logs


class DisentanglementScores(keras.callbacks.Callback):
    """Adds disentanglement scores to the logs of `fit`, and so to history, CSV and TensorBoard.

    Place it before callbacks that read them, such as `CSVLogger` or `EarlyStopping`. The same
    images are scored each time, so values of different epochs compare.

    Args:
        data: Data set with known factors, see `sparsevae.metrics.evaluate`.
        metrics: Names of scores. Those that need votes of 64 images ("factor_vae", "beta_vae")
            encode nearly the whole data set each time.
        every: Epochs from one scoring to the next, at least 1.
        n_samples: Images to score, at least 4; and half as many for testing.
        seed: Of the images.
        encode: Callable from uint8 images to codes `(n, latent_dim)`. By default `model.codes`,
            which a `SparseVAE` has.

    Raises:
        TypeError: if a count is not an integer; in `fit` if `encode` is missing.
        ValueError: if a count is too small or a metric unknown; in `fit` if the logs hold one of
            the names already, as they do after another callback of this class.
    """

    def __init__(
        self,
        data: ImagesWithFactors,
        metrics: str | Iterable[str] = ("mig",),
        *,
        every: int = 1,
        n_samples: int = 10_000,
        seed: int = 0,
        encode: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.data = data
        self.metrics = score_names(metrics)
        self.every = check_integer("every", every, minimum=1)
        self.n_samples = check_integer("n_samples", n_samples, minimum=4)
        self.seed = seed
        self.encode = encode

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.encode is None and not hasattr(self.model, "codes"):
            raise TypeError(
                "`encode` must be given for a model without `codes`. "
                f"Received: a {type(self.model).__name__} and encode=None"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            found = scores.evaluate(
                self.encode or self.model.codes,
                self.data,
                metrics=self.metrics,
                seed=self.seed,
                n_samples=self.n_samples,
            )
            add_logs(self, logs, found)
