"""Checks of arguments that several files of this folder share; each refuses by name."""

import numpy as np


def check_image_size(image_size: int) -> None:
    """Refuse sizes that the renderers do not draw.

    Raises:
        ValueError: if `image_size` is not 32, 64 or 128.
    """
    if image_size not in (32, 64, 128):
        raise ValueError(f"`image_size` must be 32, 64 or 128. Received: image_size={image_size!r}")


def check_rng(rng: np.random.Generator) -> None:
    """Refuse anything but a NumPy `Generator`: a seed would repeat the same draw at each call.

    Raises:
        TypeError: if `rng` is not a `numpy.random.Generator`.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            "`rng` must be a numpy.random.Generator, such as numpy.random.default_rng(0). "
            f"Received: rng={rng!r}"
        )


def check_indices(indices: np.ndarray, n: int) -> np.ndarray:
    """`indices` as int64 array `(n_indices,)`, if every value lies in 0 ... n - 1.

    Raises:
        TypeError: if `indices` does not hold integers.
        ValueError: if it is not one-dimensional or a value is out of range.
    """
    indices = check_integers("indices", indices)
    if indices.ndim != 1:
        raise ValueError(f"`indices` must have shape (n,). Received: shape {indices.shape}")
    wrong = np.flatnonzero((indices < 0) | (indices >= n))
    if len(wrong):
        raise ValueError(
            f"`indices` must lie in 0 ... {n - 1}. "
            f"Received: {indices[wrong[0]]} at position {wrong[0]}"
        )
    return indices.astype(np.int64)


def check_integers(argument: str, array: np.ndarray) -> np.ndarray:
    """`array` as a NumPy array, if it holds integers.

    Raises:
        TypeError: if it does not.
    """
    array = np.asarray(array)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(
            f"`{argument}` must be an array of integers. Received: dtype {array.dtype}, "
            f"shape {array.shape}"
        )
    return array
