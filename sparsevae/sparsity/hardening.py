"""From gated layers to stock layers with the mask folded into the kernel."""

import keras

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.copying import copied, copy_state, inputs_like
from sparsevae.sparsity.links import gated_layers
from sparsevae.sparsity.selecting import check_calls, is_graph
from sparsevae.sparsity.sparse_model import SparseModel


def harden(model: keras.Model, dtype: str | None = None) -> keras.Model:
    """The same functional or Sequential model in stock Keras layers: kernel = K * M.

    Outputs are those of `model(x, training=False)`; gates are gone, closed links are zeros (so are
    biases of closed channels, where gates switch these), LoRA is merged. The result needs nothing
    of this package. The model given is left as it is.

    Args:
        model: Functional or Sequential; models nested in it too, and `TimeDistributed`. A model
            with such networks, as `SparseVAE`, gives one of their hardened networks.
        dtype: Dtype policy of the new layers; None keeps each layer's own.

    Raises:
        ValueError: for gated layers inside a layer that is none of these models, or a layer that
            cannot be copied, such as a `Lambda` of a Python lambda; for a class of models with a
            `call` of its own.
    """
    if hasattr(model, "with_networks"):
        return model.with_networks(*(harden(network, dtype) for network in model.networks))
    check_calls(model)
    if isinstance(model, SparseModel):  # the clone is to be none, and Keras would compile it
        model = keras.Model(model.input, model.output, name=model.name)
    stock = keras.models.clone_model(
        model,
        inputs_like(model),
        clone_function=lambda layer: _stock_layer(layer, dtype),
        recursive=True,
    )
    for layer in gated_layers(stock):
        raise ValueError(
            "`harden` looks into functional and Sequential models, not into other layers that hold "
            f"layers. Received: a model with {layer.name!r} inside such a layer"
        )
    _copy_weights(model, stock)
    return stock


def _stock_layer(layer, dtype):
    settings = {} if dtype is None else {"dtype": dtype}
    if isinstance(layer, GatedLayer):
        return layer.stock_class.from_config({**layer.stock_config(), **settings})
    if isinstance(layer, keras.layers.TimeDistributed):
        is_model = isinstance(layer.layer, keras.Model)
        inner = harden(layer.layer, dtype) if is_model else _stock_layer(layer.layer, dtype)
        settings["layer"] = keras.saving.serialize_keras_object(inner)
    return copied(layer, **settings)


def _copy_weights(model, stock):
    for old in model.layers:
        if not isinstance(old, keras.layers.InputLayer):  # these change their names
            _copy(old, stock.get_layer(old.name))


def _copy(old, new):
    if isinstance(old, GatedLayer):
        new.set_weights(old.stock_weights())
    elif isinstance(old, keras.layers.TimeDistributed):
        _copy(old.layer, new.layer)
    elif is_graph(old):
        _copy_weights(old, new)
    else:
        copy_state(old, new)
