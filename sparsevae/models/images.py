"""Images at the boundary: what users hand over, checked and brought to float32 in [0, 1]."""

import numpy as np
import tensorflow as tf


def to_float(images) -> tf.Tensor:
    """uint8 0...255 becomes float32 in [0, 1]; floats become float32. No check: for graphs."""
    images = tf.convert_to_tensor(images)
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) * (1 / 255)
    return tf.cast(images, tf.float32)


def check_spec(shape, dtype, image_shape: tuple[int, ...]) -> None:
    """Refuses a batch by its shape `(batch, height, width, channels)` and dtype.

    Raises:
        ValueError: if the image shape differs or the dtype is neither uint8 nor a float.
    """
    if len(shape) != len(image_shape) + 1 or any(
        a is not None and b is not None and a != b
        for a, b in zip(shape[1:], image_shape, strict=True)
    ):
        expected = ", ".join("any" if n is None else str(n) for n in image_shape)
        raise ValueError(
            f"Images must have the shape (n, {expected}). Received: shape {tuple(shape)}"
        )
    dtype = tf.as_dtype(dtype)
    if not (dtype.is_floating or dtype == tf.uint8):
        raise ValueError(
            f"Images must be uint8 (0 to 255) or floats in [0, 1]. Received: dtype {dtype.name}"
        )


def check_values(images: np.ndarray) -> None:
    """Refuses floats that are NaN or outside [0, 1].

    Raises:
        ValueError: with the values found.
    """
    if images.dtype == np.uint8 or images.size == 0:
        return
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        found = "NaN" if np.isnan(low) else f"values from {low:.4g} to {high:.4g}"
        hint = " (uint8 images may stay uint8)" if high > 1 else ""
        raise ValueError(f"Float images must lie in [0, 1]{hint}. Received: {found}")


def check_images(images, image_shape: tuple[int, ...]) -> np.ndarray:
    """The images as an array `(n, height, width, channels)`, checked for shape, dtype and range."""
    images = np.asarray(images)
    check_spec(images.shape, images.dtype, image_shape)
    check_values(images)
    return images
