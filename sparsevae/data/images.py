"""Images at the boundary: what users hand over, checked for shape, dtype and range."""

from collections.abc import Iterable

import numpy as np

_PIECE = 256  # images looked at together


def check_spec(shape, dtype, image_shape: tuple[int, ...]) -> None:
    """Refuses a batch by its shape `(batch, height, width, channels)` and dtype.

    Args:
        shape: Shape of the batch; None where it is open.
        dtype: Of NumPy or TensorFlow.
        image_shape: `(height, width, channels)` expected; None where any size will do.

    Raises:
        ValueError: if the image shape differs or the dtype is neither uint8, bool nor a float.
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
    if name not in ("uint8", "bool") and not name.startswith(("float", "bfloat")):
        raise ValueError(
            f"Images must be uint8 (0 to 255), bool or floats in [0, 1]. Received: dtype {name}"
        )


def check_values(images: np.ndarray) -> None:
    """Refuses floats that are NaN or outside [0, 1], and bytes that hold 0 and 1 only.

    Raises:
        ValueError: with the values found.
    """
    if images.dtype == np.uint8:
        starts = range(0, len(images), _PIECE)
        check_bytes(images[k : k + _PIECE] for k in starts)
    elif images.dtype != bool and images.size:
        check_range(float(images.min()), float(images.max()))


def check_range(low: float, high: float) -> None:
    """Refuses float images by their least and greatest value, both NaN if there is a NaN.

    Raises:
        ValueError: with the values found.
    """
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        digits = 9 if round(low, 4) >= 0 and round(high, 4) <= 1 else 4  # as many as tell
        found = "NaN" if np.isnan(low) else f"values from {low:.{digits}g} to {high:.{digits}g}"
        hint = " (uint8 images may stay uint8)" if high > 1 else ""
        raise ValueError(f"Float images must lie in [0, 1]{hint}. Received: {found}")


def check_bytes(pieces: Iterable[np.ndarray]) -> None:
    """Refuses bytes of which the largest is 1: black and white by another scale than 0 to 255.

    Args:
        pieces: uint8 arrays; none is asked for after a byte above 1 was found.

    Raises:
        ValueError: saying what to do.
    """
    largest = 0
    for piece in pieces:
        largest = max(largest, int(piece.max(initial=0)))
        if largest > 1:
            return
    if largest == 1:
        raise ValueError(
            "uint8 images are on the scale 0 to 255, where these are almost black: save them as "
            "bool, or multiply them by 255. Received: 0 and 1 only"
        )


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
