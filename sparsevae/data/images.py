"""Images at the boundary: what users hand over, checked for shape, dtype and range."""

import numpy as np


def check_spec(shape, dtype, image_shape: tuple[int, ...]) -> None:
    """Refuses a batch by its shape `(batch, height, width, channels)` and dtype.

    Args:
        shape: Shape of the batch; None where it is open.
        dtype: Of NumPy or TensorFlow.
        image_shape: `(height, width, channels)` expected; None where any size will do.

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
    name = np.dtype(getattr(dtype, "as_numpy_dtype", dtype)).name
    if name != "uint8" and not name.startswith(("float", "bfloat")):
        raise ValueError(
            f"Images must be uint8 (0 to 255) or floats in [0, 1]. Received: dtype {name}"
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
        digits = 9 if round(low, 4) >= 0 and round(high, 4) <= 1 else 4  # as many as tell
        found = "NaN" if np.isnan(low) else f"values from {low:.{digits}g} to {high:.{digits}g}"
        hint = " (uint8 images may stay uint8)" if high > 1 else ""
        raise ValueError(f"Float images must lie in [0, 1]{hint}. Received: {found}")


def check_images(images, image_shape: tuple[int, ...]) -> np.ndarray:
    """The images as an array `(n, height, width, channels)`, checked for shape, dtype and range."""
    images = np.asarray(images)
    check_spec(images.shape, images.dtype, image_shape)
    check_values(images)
    return images


def as_float32(images: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Checked images as float32 in [0, 1], in `out` if it is given: uint8 is rescaled."""
    if images.dtype == np.uint8:
        return np.multiply(images, np.float32(1 / 255), out=out, dtype=np.float32)
    if out is None:
        return np.asarray(images, np.float32)
    out[...] = images
    return out
