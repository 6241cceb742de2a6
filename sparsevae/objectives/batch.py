"""One batch of training data: what a training step, and with it an objective, is given."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images of a batch, and what comes with each of them.

    Attributes:
        images: float32 `(batch, height, width, channels)`, in [0, 1].
        partner: Second image of each pair, shaped like `images`, in [0, 1]; None without pairs.
        labels: float32 `(batch, n_factors)`, finite; None without labels.
        weight: float32 `(batch,)`, finite and at least 0; None if all images count alike.
    """

    images: tf.Tensor
    partner: tf.Tensor | None = None
    labels: tf.Tensor | None = None
    weight: tf.Tensor | None = None
