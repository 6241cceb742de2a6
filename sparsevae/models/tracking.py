"""What a model logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

ELBO_NAMES = ("elbo", "reconstruction", "kl", "penalty")
RESERVED = frozenset(
    {"loss", *ELBO_NAMES, "active_latents", "density", "undecided", "sparsity_strength", "learning"}
)


class Means(keras.metrics.Metric):
    """Means over all observations since the last reset, by name; one update for all of them.

    Args:
        names: Of the means.
    """

    def __init__(self, names: Iterable[str], **kwargs: Any):
        super().__init__(**kwargs)
        self.names = tuple(names)
        self.total = self.add_weight(
            name="total", shape=(len(self.names),), initializer="zeros", dtype="float32"
        )
        self.count = self.add_weight(name="count", shape=(), initializer="zeros", dtype="float32")

    def update_state(self, values: Mapping[str, tf.Tensor], n: tf.Tensor) -> None:
        """Adds the values of a batch of `n`, by name: one for each observation, or scalars."""
        n = tf.cast(n, tf.float32)
        means = [tf.reduce_mean(tf.cast(values[name], tf.float32)) for name in self.names]
        # A replica may get none of the images of a last batch, and a mean over none is NaN.
        self.total.assign_add(tf.math.multiply_no_nan(tf.stack(means), n))
        self.count.assign_add(n)

    def result(self) -> dict[str, tf.Tensor]:
        means = tf.math.divide_no_nan(tf.convert_to_tensor(self.total), self.n_observations())
        return dict(zip(self.names, tf.unstack(means), strict=True))

    def n_observations(self) -> tf.Tensor:
        """Observations since the last reset, a float32 scalar."""
        return tf.convert_to_tensor(self.count)


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
