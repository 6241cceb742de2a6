"""From stock layers to gated ones."""

from typing import Any

import keras
from keras import ops

from sparsevae.layers.convolution import GatedConv1D, GatedConv2D, GatedConv3D
from sparsevae.layers.dense import GatedDense
from sparsevae.layers.einsum_dense import GatedEinsumDense
from sparsevae.layers.gated import GatedLayer
from sparsevae.layers.separable_convolution import GatedSeparableConv1D, GatedSeparableConv2D
from sparsevae.layers.transposed_convolution import (
    GatedConv1DTranspose,
    GatedConv2DTranspose,
    GatedConv3DTranspose,
)

_GATED = {
    gated.stock_class: gated
    for gated in (
        GatedDense,
        GatedEinsumDense,
        GatedConv1D,
        GatedConv2D,
        GatedConv3D,
        GatedConv1DTranspose,
        GatedConv2DTranspose,
        GatedConv3DTranspose,
        GatedSeparableConv1D,
        GatedSeparableConv2D,
    )
}


def why_not_gated(layer: keras.layers.Layer) -> str | None:
    """One line that says why `layer` has no gated class; None where it has one."""
    gated = _GATED.get(type(layer))  # whatever a subclass of a stock layer does, we do not know it
    if gated is None:
        return f"There is no gated layer for a {type(layer).__name__}."
    return gated.refusal(layer)


def gated_class(layer: keras.layers.Layer) -> type[GatedLayer] | None:
    """The gated class for a stock Keras layer; None where it has none, see `why_not_gated`."""
    return _GATED[type(layer)] if why_not_gated(layer) is None else None


def from_stock(
    layer: keras.layers.Layer, gate: Any = "hard_concrete", granularity: str = "links"
) -> GatedLayer:
    """An unbuilt gated layer with the name and all settings of a stock layer; frozen if that is.

    Args:
        layer: Stock layer, built or not; left as it is. LoRA switched on stays on.
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: with the reason, if there is no gated layer for it; or as that layer does.
    """
    if (reason := why_not_gated(layer)) is not None:
        raise ValueError(f"{reason} Layer: {layer.name!r}")
    config = layer.get_config() | {"gate": gate, "granularity": granularity}
    gated = gated_class(layer).from_config(config)
    if not layer.trainable:
        gated.gate.trainable = False
    return gated


def copy_stock_weights(stock: keras.layers.Layer, gated: GatedLayer) -> None:
    """Gives a gated layer that has not learned yet the weights of a stock layer.

    What the mask multiplies is divided by the mask of the test rule, so that both layers do the
    same at test; closed links (of a given mask) keep the weight. The gated layer is left as
    by `GatedLayer.hold`: it is divided anew when its gate begins to learn.

    Args:
        stock: Built stock layer.
        gated: Built layer, of `from_stock(stock)`.
    """
    gated.hold()
    own = {w.name: w for w in (*gated._trainable_variables, *gated._non_trainable_variables)}
    for weight in stock.weights:
        own[weight.name].assign(ops.copy(weight))  # JAX would share the array, and `fit` frees it
    kernel, lora = gated._raw_kernel, 0.0
    wide = keras.backend.result_type(kernel.dtype, "float32")  # masks are float32, kernels any
    mask = ops.cast(gated.kernel_mask(), wide)
    scale = 1 / ops.where(mask > 0, mask, ops.ones_like(mask))
    if gated.lora_enabled:  # (K' + L) M = K + L
        gated.lora_alpha = stock.lora_alpha  # which `Dense` forgets when it is built
        share = gated.lora_alpha / gated.lora_rank
        lora = share * ops.matmul(gated.lora_kernel_a, gated.lora_kernel_b)
    kernel.assign(kernel * scale + lora * (scale - 1))
    if gated._switches_bias:
        gated.bias.assign(gated.bias * ops.reshape(scale, gated.bias.shape))
