"""Images inside graphs."""

import tensorflow as tf


def to_float(images) -> tf.Tensor:
    """uint8 0...255 becomes float32 in [0, 1]; floats become float32. No check: for graphs."""
    images = tf.convert_to_tensor(images)
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) * (1 / 255)
    return tf.cast(images, tf.float32)
