"""From gated layers to stock layers with the mask folded into the kernel."""

import keras

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import gated_layers


def fold(model: keras.Model, dtype: str | None = None) -> keras.Model:
    """The same functional or Sequential model in stock Keras layers: kernel = K * M.

    Outputs are those of `model(x, training=False)`; gates are gone, closed links are zeros. The
    result needs nothing of this package. The model given is left as it is.

    Args:
        model: Functional or Sequential.
        dtype: Dtype policy of the new layers; None keeps each layer's own.

    Raises:
        ValueError: for a gated layer with LoRA switched on (merge it first by saving and loading).
    """
    for layer in gated_layers(model):
        if layer.lora_enabled:
            raise ValueError(
                "Layers with LoRA cannot be folded; save the model and load it, which merges the "
                f"adapters. Received: layer {layer.name!r}"
            )
    stock = keras.models.clone_model(model, clone_function=lambda layer: _stock_layer(layer, dtype))
    for old, new in zip(model.layers, stock.layers, strict=True):
        if isinstance(old, GatedLayer):
            kernel = keras.ops.cast(old.gated_kernel(training=False), "float32")
            new.set_weights([kernel, old.bias] if old.use_bias else [kernel])
        else:
            new.set_weights(old.get_weights())
    return stock


def _stock_layer(layer, dtype):
    gated = isinstance(layer, GatedLayer)
    config = layer.stock_config() if gated else layer.get_config()
    config |= {} if dtype is None else {"dtype": dtype}
    return (layer.stock_class if gated else type(layer)).from_config(config)
