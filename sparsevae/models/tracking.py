"""What a model logs beside the means of its losses."""

import keras
import tensorflow as tf


class ActiveLatents(keras.metrics.Metric):
    """Number of latents whose KL, averaged over the batches so far, is above a threshold.

    Args:
        latent_dim: Integer.
        threshold: Float, nats.
    """

    def __init__(self, latent_dim, threshold, **kwargs):
        super().__init__(**kwargs)
        self.threshold = threshold
        self.total = self.add_weight(name="total", shape=(latent_dim,), initializer="zeros")
        self.count = self.add_weight(name="count", shape=(), initializer="zeros")

    def update_state(self, kl_per_latent, sample_weight=None):
        """Adds the mean of `kl_per_latent`, `(batch, latent_dim)`, nats."""
        self.total.assign_add(tf.reduce_mean(kl_per_latent, axis=0))
        self.count.assign_add(1.0)

    def kl_per_latent(self):
        """Mean KL of each latent, `(latent_dim,)`, nats."""
        return self.total / tf.maximum(tf.convert_to_tensor(self.count), 1.0)

    def result(self):
        return tf.reduce_sum(tf.cast(self.kl_per_latent() > self.threshold, tf.float32))


class GateLogs(keras.callbacks.Callback):
    """Adds `model.gate_logs()` to the logs of each epoch.

    Counting open links takes 3 % of a training step, so it is not done in each.
    """

    def on_epoch_end(self, epoch, logs=None):
        logs.update(self.model.gate_logs())
