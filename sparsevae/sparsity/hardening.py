"""From gated layers to stock layers with the mask folded into the kernel."""

from collections.abc import Sequence
from typing import Any

import keras

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.copying import HALVES, copied, copy_state, inputs_like
from sparsevae.sparsity.graphs import check_graphs
from sparsevae.sparsity.links import check_gate, gated_layers
from sparsevae.sparsity.selecting import check_calls, is_graph
from sparsevae.sparsity.sparse_model import SparseModel


def harden(model: keras.Model, dtype: str | None = None) -> keras.Model:
    """The same functional or Sequential model in stock Keras layers: kernel = K * M.

    Outputs are those of `model(x, training=False)`; gates are gone, closed links are zeros (so are
    biases of closed channels, where gates switch these), LoRA is merged. The result needs nothing
    of this package, and is frozen as the model is. The model given is left as it is.

    Args:
        model: Functional or built Sequential; models nested in it too, and `TimeDistributed`. A
            model with such networks, as `SparseVAE`, gives one of their hardened networks.
        dtype: Dtype policy of the new layers and models; inputs of half precision, and casts to it,
            become of its compute dtype. None keeps each its own.

    Raises:
        TypeError: for what is no Keras model.
        ValueError: for a model that is subclassed or not built, for another dtype, for gates that
            are NaN, for gated layers inside a layer that is none of these models, or a layer that
            cannot be copied, such as a `Lambda` of a Python lambda.
    """
    check_graphs("model", model)
    _check_dtype(dtype)
    if hasattr(model, "with_networks"):
        return in_place_of(model, [harden(network, dtype) for network in model.networks])
    check_calls(model)
    for layer in gated_layers(model):
        check_gate(layer)
    graph = model
    if isinstance(model, SparseModel):  # the clone is to be none, and Keras would compile it
        graph = keras.Model(model.input, model.output, name=model.name)
    stock = _stock_model(graph, dtype, made={})
    for layer in gated_layers(stock):
        raise ValueError(
            "`harden` looks into functional and Sequential models, not into other layers that hold "
            f"layers. Received: a model with {layer.name!r} inside such a layer"
        )
    _copy_settings(model, stock, dtype)
    _copy_weights(model, stock)
    return stock


def in_place_of(model: keras.Model, networks: Sequence[keras.Model]) -> keras.Model:
    """The only network; or, of a model `with_networks`, one with these, frozen as it is."""
    if not hasattr(model, "with_networks"):
        return networks[0]
    new = model.with_networks(*networks)
    if not model.trainable:
        new.trainable = False
    return new


def _check_dtype(dtype: Any) -> None:
    try:
        policy = dtype if dtype is None else keras.dtype_policies.get(dtype)
        known = policy is None or (
            policy.quantization_mode is None and keras.backend.is_float_dtype(policy.compute_dtype)
        )
    except (TypeError, ValueError):
        known = False
    if not known:
        raise ValueError(
            "`dtype` must be None or a dtype policy of floats, such as 'float32' or "
            f"'mixed_bfloat16'. Received: dtype={dtype!r}"
        )


def _stock_model(model, dtype, made):
    """The graph in stock layers; `made` has new layers by identity of the old: shared stay so."""

    def stock(layer):
        return _stock_model(layer, dtype, made) if is_graph(layer) else _stock_layer(layer, dtype)

    wanted = None  # halves, to which nested models would cast what they take, become another
    if dtype is not None and any(x.dtype in HALVES for x in model.inputs):
        wanted = keras.dtype_policies.get(dtype).compute_dtype
    inputs = inputs_like(model, wanted)
    return keras.models.clone_model(model, inputs, clone_function=stock, cache=made)


def _stock_layer(layer, dtype):
    settings = {} if dtype is None else {"dtype": dtype}
    if not isinstance(layer, keras.layers.Layer):
        return _stock_operation(layer, settings)
    if isinstance(layer, GatedLayer):
        return layer.stock_class.from_config({**layer.stock_config(), **settings})
    if isinstance(layer, keras.layers.TimeDistributed):
        is_model = isinstance(layer.layer, keras.Model)
        inner = harden(layer.layer, dtype) if is_model else _stock_layer(layer.layer, dtype)
        settings["layer"] = keras.saving.serialize_keras_object(inner)
    return copied(layer, **settings)


def _stock_operation(operation, settings):
    """An operation has no dtype policy; some, as `ops.cast`, make a dtype that they are given."""
    if getattr(operation, "dtype", None) not in HALVES:
        settings = {}
    elif settings:
        settings = {"dtype": keras.dtype_policies.get(settings["dtype"]).compute_dtype}
    return copied(operation, **settings)


def _copy_settings(old, new, dtype):
    """Dtype policies, by which models cast what they take, and whether they are frozen.

    Keras gives clones of models the policy that is the global one now.
    """
    if isinstance(old, keras.layers.TimeDistributed):
        old, new = old.layer, new.layer
    if not is_graph(old):
        return
    new.dtype_policy = old.dtype_policy if dtype is None else dtype
    if not old.trainable:  # True would reach into layers that are frozen by themselves
        new.trainable = False
    for layer in old.layers:
        if not isinstance(layer, keras.layers.InputLayer):  # these change their names
            _copy_settings(layer, new.get_layer(layer.name), dtype)


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
