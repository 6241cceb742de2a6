"""What a model logs, and the callback that goes with every `fit`."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from sparsevae.models.epoch_logs import add_logs

ELBO_NAMES = ("loss", "elbo", "reconstruction", "kl", "penalty")
RESERVED = frozenset(
    {*ELBO_NAMES, "active_latents", "density", "undecided", "sparsity_strength", "learning"}
)


class Means:
    """Means over all observations since the last reset, by name.

    Args:
        names: Of the means.
    """

    def __init__(self, names: Iterable[str]):
        self._of = {name: keras.metrics.Mean(name) for name in names}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The Keras metrics behind them."""
        return list(self._of.values())

    def update(self, values: Mapping[str, tf.Tensor], n: tf.Tensor) -> None:
        """Adds the values of a batch of `n`: one for each observation, or scalars."""
        for name, value in values.items():
            self._of[name].update_state(tf.reduce_mean(value), sample_weight=tf.cast(n, tf.float32))

    def n_observations(self) -> tf.Tensor:
        """Observations since the last reset, an int32 scalar."""
        return tf.cast(self._of["loss"].count, tf.int32)


class ActiveLatents(keras.metrics.Metric):
    """Number of latents whose KL, averaged over the observations so far, is above a threshold.

    Args:
        latent_dim: Number of latents.
        threshold: Float, nats.
    """

    def __init__(self, latent_dim: int, threshold: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.threshold = threshold
        self.total = self.add_weight(name="total", shape=(latent_dim,), initializer="zeros")
        self.count = self.add_weight(name="count", shape=(), initializer="zeros")

    def update_state(self, kl_per_latent: tf.Tensor, sample_weight: None = None) -> None:
        """Adds `kl_per_latent`, `(batch, latent_dim)`, nats."""
        self.total.assign_add(tf.reduce_sum(kl_per_latent, axis=0))
        self.count.assign_add(tf.cast(tf.shape(kl_per_latent)[0], tf.float32))

    def kl_per_latent(self) -> tf.Tensor:
        """Mean KL of each latent, `(latent_dim,)`, nats."""
        return self.total / tf.maximum(tf.convert_to_tensor(self.count), 1.0)

    def result(self) -> tf.Tensor:
        return tf.reduce_sum(tf.cast(self.kl_per_latent() > self.threshold, tf.float32))


class GateLogs(keras.callbacks.Callback):
    """Adds `model.gate_logs()` to the logs of each epoch; the first callback of every `fit`.

    Counting open links takes 3 % of a training step, so it is not done in each.
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        add_logs(self, logs, self.model.gate_logs())


class Retraces(keras.callbacks.Callback):
    """Traces steps anew after other callbacks have changed something; the last of every `fit`."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.model.refresh()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.model.refresh(parts_only=True)
