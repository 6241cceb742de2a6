"""Images that a decoder makes of codes, and how they change with each latent."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.metrics.validation import check_codes

METHODS = ("autodiff", "differences")
_BATCH_SIZE = 256


def decoded(decode: Callable[[Any], Any], z: np.ndarray, method: str) -> np.ndarray:
    """Outputs `(n, ...)` of `decode` as a float array, float64 if they came so.

    Args:
        decode: Callable of tensors for "autodiff", of NumPy arrays for "differences".
        z: Float array `(n, latent_dim)`.
        method: One of `METHODS`.

    Raises:
        ValueError: if there is not one output for each row, it has less than two entries, or one
            of them is not finite.
    """
    outputs = np.asarray(ops.convert_to_numpy(decode(_tensor(z) if method == "autodiff" else z)))
    if outputs.dtype != np.float64:
        outputs = outputs.astype(np.float32)
    _check_outputs(outputs, len(z))
    return outputs


def jacobians(
    decode: Callable[[Any], Any], codes: np.ndarray, method: str, step: float, batch_size: int
) -> Iterator[tuple[np.ndarray, float]]:
    """Derivatives with respect to each latent, a few base points at a time.

    Args:
        decode: As for `decoded`; each row of its output depends on the same row of codes only.
        codes: Float array `(n, latent_dim)`.
        method: "autodiff" is exact, by forward mode of the backend. "differences" are central,
            of four neighbors at `step` and twice `step`, with an error of the order of `step^4`.
        step: Of the differences, in units of the latents.
        batch_size: Rows decoded at a time, or more where one base point needs more.

    Yields:
        Float64 `(n_points, latent_dim, ...)`, and the largest absolute difference to central
        differences of two neighbors; 0 for "autodiff".

    Raises:
        ValueError: as `decoded`; or if `decode` has no derivative for "autodiff".
    """
    differentiate = _exact if method == "autodiff" else _differences
    rows = codes.shape[1] * (1 if method == "autodiff" else 4)
    n = max(1, batch_size // rows)
    for start in range(0, len(codes), n):
        yield differentiate(decode, codes[start : start + n], step)


def pixel_maps(decode: Callable[[Any], Any], codes: np.ndarray) -> np.ndarray:
    """Root mean square over base points of the derivative of each output by each latent.

    Args:
        decode: Callable of tensors, as for `decoded`.
        codes: Base points, float array `(n, latent_dim)`.

    Returns:
        Float64 `(latent_dim, ...)`.

    Raises:
        TypeError: if `codes` are not real numbers.
        ValueError: as `jacobians`, and for codes that are no finite matrix.
    """
    codes = check_codes(codes, min_samples=1)
    found = jacobians(decode, codes, "autodiff", 0.0, _BATCH_SIZE)
    return np.sqrt(sum(np.square(jacobian).sum(axis=0) for jacobian, _ in found) / len(codes))


def _exact(decode, z, step):
    n, latent_dim = z.shape
    points = _tensor(np.repeat(z, latent_dim, axis=0))
    directions = _tensor(np.tile(np.eye(latent_dim), (n, 1)))
    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise ValueError(
            f'`method` must be "differences" where Keras runs on {backend}. '
            'Received: method="autodiff"'
        )
    slopes = _BACKENDS[backend](decode, points, directions)
    if slopes is None:
        raise ValueError(
            "`decode` must return a tensor that depends on the codes by operations of the backend; "
            'method="differences" takes any callable. Received: one without derivative'
        )
    slopes = np.asarray(ops.convert_to_numpy(slopes), np.float64)
    _check_outputs(slopes, n * latent_dim)
    return slopes.reshape(n, latent_dim, *slopes.shape[1:]), 0.0


def _with_tensorflow(decode, points, directions):
    import tensorflow as tf

    with tf.autodiff.ForwardAccumulator(points, directions) as forward:
        outputs = decode(points)
    return forward.jvp(outputs) if tf.is_tensor(outputs) else None


def _with_jax(decode, points, directions):
    import jax

    try:
        return jax.jvp(decode, (points,), (directions,))[1]
    except jax.errors.TracerArrayConversionError:  # a function of NumPy arrays
        return None


_BACKENDS = {"tensorflow": _with_tensorflow, "jax": _with_jax}


def _differences(decode, z, step):
    latent_dim = z.shape[1]
    shifts = step * np.array([-2, -1, 1, 2])[:, None, None] * np.eye(latent_dim)
    points = (z[:, None, None] + shifts).astype(z.dtype)  # (n, 4, latent_dim, latent_dim)
    outputs = decoded(decode, points.reshape(-1, latent_dim), "differences").astype(np.float64)
    far_down, down, up, far_up = np.moveaxis(
        outputs.reshape(*points.shape[:3], *outputs.shape[1:]), 1, 0
    )
    near = (up - down) / (2 * step)
    slopes = (4 * near - (far_up - far_down) / (4 * step)) / 3
    return slopes, float(np.abs(slopes - near).max())


def _tensor(array):
    return ops.convert_to_tensor(array, keras.config.floatx())


def _check_outputs(outputs, n):
    if outputs.ndim < 2 or len(outputs) != n or outputs[0].size < 2:
        raise ValueError(
            f"`decode` must give one output of at least 2 entries for each of {n} codes. "
            f"Received: shape {outputs.shape}"
        )
    if not np.isfinite(outputs).all():
        raise ValueError(
            "`decode` must give finite outputs and derivatives. "
            f"Received: {int(np.sum(~np.isfinite(outputs)))} NaN or infinite of {outputs.size}"
        )
