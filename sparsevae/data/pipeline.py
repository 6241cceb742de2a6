"""Streams of batches for training: the only file of this folder that loads TensorFlow."""

import numpy as np
import tensorflow as tf

from sparsevae.data.checks import check_integer
from sparsevae.data.ground_truth import GroundTruthData

PREFETCH = 4  # batches: 4 MB of 64 x 64 x 1 float32 at batch 64


def random_batches(
    data: GroundTruthData, *, batch_size: int, seed: int, start: int
) -> tf.data.Dataset:
    """Endless, uniform, float32 batches in [0, 1]: see `GroundTruthData.as_tf_dataset`."""
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    seed = check_integer("seed", seed, minimum=0)
    start = check_integer("start", start, minimum=0)

    def draw(step):
        # One stream of random numbers a step, as `SeedSequence.spawn` makes them.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(step),)))
        return data.images(rng.integers(len(data), size=batch_size))

    def batch(step):
        images = tf.numpy_function(draw, [step], tf.uint8)
        images.set_shape((batch_size, *data.image_shape))
        return tf.cast(images, tf.float32) / 255

    options = tf.data.Options()
    # The autotuner can sleep for seconds when a data set is iterated anew.
    options.autotune.enabled = False
    return tf.data.Dataset.counter(start).map(batch).prefetch(PREFETCH).with_options(options)
