"""SynFlow: what flows through the absolute weights."""

from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae import gates
from sparsevae.checks import check_integer
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.at_start.choice import (
    check_scores,
    check_start,
    largest_of,
    open_largest,
)
from sparsevae.sparsity.links import gated_layers
from sparsevae.sparsity.selecting import check_calls
from sparsevae.training import double_precision, gradients

_IDENTITIES = (  # in the linear network
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
    keras.layers.Softmax,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
    keras.layers.Normalization,
)


def synflow(model: keras.Model, density: float, n_rounds: int = 100) -> None:
    """Keeps the gates with most flow of absolute weights from inputs to outputs; needs no data.

    R is the sum of the outputs for inputs of ones in a linear copy of the model: weights |w|,
    biases 0, activations and normalizations left out (a fresh BatchNormalization is the identity).
    Other layers stay as they are, in inference mode. The score of a gate is dR / d mask; in each
    of `n_rounds` rounds the density falls by the same factor and scores are found anew. What
    flows into a channel flows out of it, so no layer is emptied before all others are down to a
    path. In float64, as R may be huge.

    Args:
        model: With `gates.Pruned` in all gated layers, all open, and inputs of a known size.
        density: Float in (0, 1]: share of all gates that stay open, to the rounding of one.
        n_rounds: At least 1; few rounds bring the collapse of layers back.

    Raises:
        ValueError: as `check_start`; if an input's size is unknown; if R overflows or depends on
            no gate, as behind a softmax that is an operation and no layer; for a class of models
            with a `call` of its own.

    References:
        Tanaka et al. 2020, Pruning neural networks without any data by iteratively conserving
        synaptic flow, algorithm 1, 2006.05467.
    """
    check_start(model, density)
    check_calls(model)
    n_rounds = check_integer("n_rounds", n_rounds, minimum=1)
    with double_precision():
        linear = _linear(model)
        ones = keras.tree.map_structure(_ones, linear.input)
        opens = [layer.gate.open for layer in gated_layers(linear)]

        def flow():
            outputs = keras.tree.flatten(linear(ones, training=False))
            return sum(ops.sum(output) for output in outputs)

        for k in range(1, n_rounds + 1):
            scores = gradients(flow, opens)
            check_scores(scores, "The flow through `model`", "look at layers between its gates")
            scores = [
                np.where(ops.convert_to_numpy(is_open) > 0, score, -1.0)
                for score, is_open in zip(scores, opens, strict=True)
            ]
            kept = largest_of(scores, density ** (k / n_rounds))
            for is_open, keep in zip(opens, kept, strict=True):
                is_open.assign(ops.cast(keep, "float64"))
    open_largest(model, scores, density, "global")


def _ones(x):
    if None in x.shape[1:]:
        raise ValueError(f"`model` must have inputs of a known size. Received: {x.shape}")
    return ops.ones((1, *x.shape[1:]), x.dtype)


class _Through(keras.layers.Layer):
    def call(self, inputs, **kwargs):
        return inputs


def _linear(model):
    """The linear copy of a model, in float64, its gates open."""
    pairs: list[tuple[Any, Any]] = []

    def copied(layer):
        if isinstance(layer, keras.layers.TimeDistributed):
            return keras.layers.TimeDistributed(inner(layer.layer), name=layer.name)
        if isinstance(layer, _IDENTITIES):
            return _Through(name=layer.name, dtype="float64")
        config = layer.get_config()
        if not isinstance(layer, keras.layers.Layer):
            return type(layer).from_config(config)  # an operation, as `a + b`
        config |= {"activation": "linear"} if "activation" in config else {}
        config |= {"gate": gates.Pruned(dtype="float64")} if isinstance(layer, GatedLayer) else {}
        new = type(layer).from_config(config | {"dtype": "float64"})
        pairs.append((layer, new))
        return new

    def inner(layer):
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=copied, recursive=True)
        return copied(layer)

    linear = inner(keras.Model(model.input, model.output))  # plain: cloning would compile it
    for old, new in pairs:
        for source, target in zip(old.weights, new.weights, strict=True):
            value = ops.absolute(ops.cast(source, target.dtype))
            target.assign(ops.zeros_like(value) if target.name == "bias" else value)
    return linear
