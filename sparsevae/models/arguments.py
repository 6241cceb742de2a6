"""Arguments of a compiled model and of a model in use, refused by name."""

import keras
import numpy as np
import tensorflow as tf

from sparsevae.checks import check_integer
from sparsevae.data.images import check_spec
from sparsevae.models.fields import as_array, check_array, check_lengths, prefixed


def check_compile(
    loss: object = None,
    loss_weights: object = None,
    metrics: object = None,
    weighted_metrics: object = None,
) -> None:
    """Refuses what `keras.Model.compile` takes and a model with an objective does not use.

    Raises:
        ValueError: naming the argument, and what to use instead.
    """
    instead = "use a callback, such as models.DisentanglementScores"
    refused = {
        "loss": (loss, "the loss is the objective's: give the model `objective`"),
        "loss_weights": (loss_weights, "the loss is the objective's: set the weights there"),
        "metrics": (metrics, f"the terms of the loss are logged; for more, {instead}"),
        "weighted_metrics": (
            weighted_metrics,
            f"the terms of the loss are logged, weighted; for more, {instead}",
        ),
    }
    for name, (value, reason) in refused.items():
        if value is not None:
            kind = type(value).__name__
            shown = repr(value) if isinstance(value, (str, int, float)) else f"a {kind}"
            raise ValueError(f"`{name}` must be None: {reason}. Received: {name}={shown}")


def check_input(x: object, image_shape: tuple[int | None, ...], *, minimum: int = 1) -> object:
    """Images for `encode` and the like: an array `(n, height, width, channels)`, or a tensor.

    A symbolic tensor is checked by its spec, as it has no values yet; a tensor stays one.

    Args:
        x: Images, uint8 or floats in [0, 1].
        image_shape: `(height, width, channels)` expected.
        minimum: Fewest images.

    Raises:
        ValueError: if the shape, dtype or range is wrong, or there are too few images.
        TypeError: if it is not an array.
    """
    if isinstance(x, keras.KerasTensor) or tf.is_symbolic_tensor(x):
        shape = tf.TensorShape(x.shape)
        if shape.rank is not None:
            with prefixed("`x`"):
                check_spec(tuple(shape), tf.as_dtype(x.dtype), image_shape)
        return x
    array = as_array(x, "`x`")
    check_array("images", array, image_shape, "`x`")
    if len(array) < minimum:
        with prefixed("`x`"):
            check_lengths({"images": 0})
    return x if tf.is_tensor(x) else array


def check_latents(z: object, latent_dim: int) -> object:
    """Latents as a float32 tensor `(n, latent_dim)`.

    A symbolic tensor is checked for its shape only, and a `KerasTensor` stays one.

    Raises:
        ValueError: if the shape is another, there is no row, or a value is not finite.
        TypeError: if it is not an array of real numbers.
    """
    symbolic = isinstance(z, keras.KerasTensor) or tf.is_symbolic_tensor(z)
    values = z if symbolic else as_array(z, "`z`")
    if len(values.shape) != 2 or values.shape[1] != latent_dim or values.shape[0] == 0:
        raise ValueError(
            f"`z` must have the shape (n, {latent_dim}), n at least 1. "
            f"Received: shape {tuple(values.shape)}"
        )
    if symbolic:
        return z if isinstance(z, keras.KerasTensor) else tf.cast(z, tf.float32)
    if values.dtype == bool or not np.can_cast(values.dtype, np.float64, casting="same_kind"):
        raise TypeError(f"`z` must be real numbers. Received: dtype {values.dtype}")
    with np.errstate(over="ignore"):  # what overflows float32 is found below
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        n = int(np.sum(~np.isfinite(values)))
        raise ValueError(
            f"`z` must be finite (float32). Received: {n} of {values.size} values NaN or infinite"
        )
    return z if tf.is_tensor(z) and z.dtype == tf.float32 else tf.convert_to_tensor(values)


def check_seed(seed: object) -> object:
    """A seed: an integer that fits int32, as a Python int; a symbolic tensor stays as it is.

    Raises:
        TypeError: if it is not an integer.
        ValueError: if it does not fit.
    """
    if tf.is_symbolic_tensor(seed):
        return seed
    seed = check_integer("seed", seed, minimum=-(2**31))
    if seed >= 2**31:
        raise ValueError(f"`seed` must be below 2**31. Received: seed={seed}")
    return seed
