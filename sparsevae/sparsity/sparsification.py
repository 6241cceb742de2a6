"""Any functional or Sequential model with gates in it."""

from collections.abc import Callable
from typing import Any

import keras

from sparsevae import gates
from sparsevae.layers import (
    GatedLayer,
    copy_stock_weights,
    from_stock,
    gated_class,
    why_not_gated,
)
from sparsevae.sparsity.control import Control, check_control
from sparsevae.sparsity.copying import copied, copy_state, inputs_like
from sparsevae.sparsity.selecting import (
    Where,
    check_calls,
    is_graph,
    layers_within,
    own_methods,
    selection,
)
from sparsevae.sparsity.sparse_model import SparseModel

_OF_TRAINING = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")

GateFor = str | gates.Gate | Callable[[keras.layers.Layer], Any] | None


def sparsify(
    model: keras.Model, gate: GateFor = None, where: Where = None, control: Control | None = None
) -> SparseModel:
    """The same model with gated layers: same graph, same weights, same outputs.

    Dense, convolutions and their transposes (1D, 2D, 3D), the pointwise part of separable
    convolutions, and EinsumDense with one input and one output channel axis get gates. All other
    layers stay as they are, subclasses of these too. Models nested in the model, and
    `TimeDistributed`, are gone through. The model given is left as it is; the result has no
    optimizer yet.

    Args:
        model: Built functional or Sequential model.
        gate: Name of a gate, a `Gate` to copy, or a function from the stock layer to one of them,
            or None for a layer that stays. None: what the control needs, and hard concrete
            without a control.
        where: Layers that get gates: a name, a glob pattern of names, a type, a list of these, or
            a function of the layer. None: all that can have one.
        control: What closes gates while the model trains. None: gates learn without a price;
            `model.control` may be set later.

    Returns:
        Functional model whose plain `fit` lets the control act.

    Raises:
        TypeError: for what is no model, gate, pattern or control.
        ValueError: if the model is subclassed, not built or gated already, or its class has a
            `call` or training step of its own; if `where` matches nothing, if a layer that it
            names cannot have a gate, or if no layer gets one.
    """
    layers = _checked_layers(model)
    _check_gate(gate)
    if control is not None:
        check_control(control)
    cloner = _Cloner(gate, control, selection(layers, where))
    clone = cloner.clone(keras.Model(*_ends(model), name=model.name))
    cloner.copy_weights()
    if not cloner.n_gated:
        raise ValueError(
            "No layer got a gate, which are for Dense, EinsumDense, convolutions and their "
            f"transposes. Received: gate={gate!r}, where={where!r}, {_why_none(layers)}"
        )
    sparse = SparseModel(*_ends(clone), name=model.name)
    if not model.trainable:  # True would reach into layers that are frozen by themselves
        sparse.trainable = False
    sparse.control = control
    return sparse


def _checked_layers(model):
    """All layers of a model that can be made sparse."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a Keras model. Received: {model!r}")
    kind = f"{type(model).__name__} {model.name!r}"
    if not is_graph(model):
        raise ValueError(
            "`model` must be functional or Sequential, since a subclassed one hides its graph: "
            "build it as keras.Model(inputs, outputs), or use sparsevae.layers in it and the base "
            f"class sparsevae.sparsity.Controlled. Received: {kind}"
        )
    if not model.built or not model.inputs:
        raise ValueError(
            "`model` must be built: give it a keras.Input, call it once, or call "
            f"model.build(input_shape). Received: {kind}"
        )
    layers = list({id(layer): layer for layer in layers_within(model)}.values())
    if gated := [layer for layer in layers if isinstance(layer, GatedLayer)]:
        raise ValueError(
            "`model` must have no gated layers yet; for one that has, set `control` of "
            "sparsevae.sparsity.SparseModel(model.inputs, model.outputs). "
            f"Received: {kind} with {gated[0].name!r}"
        )
    check_calls(model)
    if own := own_methods(model, _OF_TRAINING):
        raise ValueError(
            "`model` must train as Keras does, since only its graph is copied: sparsify "
            "keras.Model(model.inputs, model.outputs), or use sparsevae.layers in your class and "
            "sparsevae.sparsity.Controlled before its base. "
            f"Received: {kind} with its own {', '.join(own)}"
        )
    return layers


def _check_gate(gate):
    """Refuses layers that are no gates, which could be called like a function."""
    if isinstance(gate, keras.layers.Layer) and not isinstance(gate, gates.Gate):
        kind = type(gate).__name__
        hint = f": give it as control={kind}(...)" if isinstance(gate, Control) else ""
        raise TypeError(f"`gate` must be a name, a Gate, or a function{hint}. Received: {gate!r}")


def _why_none(layers):
    """Why one of them has no gate, if it is of a kind that could; else what they are."""
    reasons = [(layer.name, why_not_gated(layer)) for layer in layers if layer.weights]
    for name, reason in reasons:
        if reason and not reason.startswith("There is no gated layer"):
            return f"{name!r}: {reason}"
    return f"layers of {', '.join(sorted({type(layer).__name__ for layer in layers}))}"


def _ends(model):
    """Inputs and outputs of a graph, in the structure in which it was made."""
    if isinstance(model, keras.Sequential):  # has no `input` before something calls it
        return model.inputs[0], model.outputs[0]
    return model.input, model.output


class _Cloner:
    """Makes the layers of the new model, and remembers of which old ones."""

    def __init__(self, gate, control, is_meant):
        self.gate, self.control, self.is_meant = gate, control, is_meant
        self.pairs, self.n_gated = [], 0
        self.made = {}  # new layers and models by identity of the old: what is shared stays so

    def clone(self, model):
        """The graph of a functional or Sequential model with new layers."""
        settings = {"clone_function": self, "recursive": True, "cache": self.made}
        return keras.models.clone_model(model, inputs_like(model), **settings)

    def __call__(self, layer):
        if isinstance(layer, keras.layers.TimeDistributed):
            return self._time_distributed(layer)
        if not isinstance(layer, keras.layers.Layer):
            return copied(layer)  # an operation, as `a + b`
        new = self._gated(layer) if self.is_meant(layer) else None
        new = copied(layer) if new is None else new
        self.pairs.append((layer, new))
        return new

    def _time_distributed(self, layer):
        inner = layer.layer
        if id(inner) not in self.made:
            self.made[id(inner)] = self.clone(inner) if is_graph(inner) else self(inner)
        more = {"name": layer.name, "trainable": layer.trainable, "dtype": layer.dtype_policy}
        return type(layer)(self.made[id(inner)], **more)

    def _gated(self, layer):
        """The gated layer for a stock one; None where it stays."""
        if gated_class(layer) is None:
            return None
        gate = self.gate
        if callable(gate) and not isinstance(gate, (gates.Gate, type)):
            gate = gate(layer)
            if gate is None:
                return None
        if gate is None:
            gate = "hard_concrete" if self.control is None else self.control.default_gate()
        granularity = "links" if self.control is None else self.control.granularity
        seed = self.n_gated
        if isinstance(gate, str):
            gate = gates.get(gate, seed=seed)
        elif isinstance(gate, gates.Gate):
            gate = gate.fresh(gate.seed + seed)
        else:
            raise TypeError(
                "`gate` must be a name, a Gate, or a function from a layer to one of them or None. "
                f"Received: {gate!r} for {layer.name!r}"
            )
        self.n_gated += 1
        return from_stock(layer, gate, granularity)

    def copy_weights(self):
        """From the old layers to the new ones, and all other state."""
        for old, new in self.pairs:
            if isinstance(new, GatedLayer):
                copy_stock_weights(old, new)
            else:
                copy_state(old, new)
