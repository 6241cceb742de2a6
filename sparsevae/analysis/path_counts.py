"""How many ways of open links there are between the inputs and the outputs of a network."""

import keras
import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness import Elementwise, Kernel
from sparsevae.sparsity.liveness.activations import Activated, activation_of
from sparsevae.sparsity.liveness.rule import rule_of

_MERGES = (
    layers.Add,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Subtract,
)
_REARRANGES = (
    *(layers.InputLayer, layers.Flatten, layers.Reshape, layers.Permute, layers.RepeatVector),
    *(layers.Concatenate, layers.Identity),
    *(
        getattr(layers, f"{name}{rank}D")
        for rank in (1, 2, 3)
        for name in ("ZeroPadding", "Cropping", "UpSampling")
    ),
    *(
        getattr(layers, f"{kind}Pooling{rank}D")
        for rank in (1, 2, 3)
        for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
    ),
)


class _Same(keras.layers.Layer):
    """The identity, however the layer in whose place it is was called."""

    def call(self, inputs, **kwargs):
        del kwargs
        return inputs


def path_counts(network: keras.Model, batch_size: int = 256) -> np.ndarray:
    """Number of paths from each input entry to each output entry of a network of stock layers.

    The network is run with a 1 in the place of each weight that is not 0, without biases and
    activations, on inputs that have a single 1. A path goes through one weight of each layer; where
    branches meet it goes through either. Averages divide the count, and a maximum takes the
    larger one: behind pooling it is positive just where there is a path.

    Args:
        network: Functional or Sequential model with one input, without gates (`harden`).
        batch_size: Inputs a call.

    Returns:
        Float64 `(n_inputs, *output_shape)` of the first output, 0 where there is no path.

    Raises:
        ValueError: for a network of several inputs, or with a layer whose paths are not known.
    """
    if len(network.inputs) != 1:
        raise ValueError(
            f"`model` must have networks of one input. Received: {len(network.inputs)} inputs of "
            f"{network.name!r}"
        )
    pairs = []

    def counting_layer(layer):
        pairs.append((layer, _ones(layer)))
        return pairs[-1][1]

    first = keras.Model(network.inputs, network.outputs[0])
    counting = keras.models.clone_model(first, clone_function=counting_layer, recursive=True)
    for layer, copy in pairs:
        _set_ones(layer, copy)
    shape = tuple(network.inputs[0].shape[1:])
    size = int(np.prod(shape))
    parts = []
    for start in range(0, size, batch_size):
        rows = np.arange(start, min(start + batch_size, size))
        single = np.zeros((len(rows), size))
        single[np.arange(len(rows)), rows] = 1
        counts = counting(ops.convert_to_tensor(single.reshape(-1, *shape)), training=False)
        parts.append(ops.convert_to_numpy(counts))
    return np.concatenate(parts).astype(np.float64)


def _ones(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer of the same name in float64 that is linear."""
    rule, config = rule_of(layer), {**layer.get_config(), "dtype": "float64"}
    if not isinstance(rule_of(activation_of(layer)), Elementwise):
        raise ValueError(
            "`model` must have activations that work entry by entry, or paths go anywhere. "
            f"Received: the activation of {layer.name!r}"
        )
    if isinstance(rule, Kernel):
        config |= {"activation": None}
        config |= {"bias_axes": None} if "bias_axes" in config else {"use_bias": False}
        return type(layer).from_config(config)
    if isinstance(layer, _MERGES):
        return layers.Add(name=layer.name, dtype="float64")
    if isinstance(layer, _REARRANGES):
        return type(layer).from_config(config)
    if isinstance(rule, (Activated, Elementwise)):
        return _Same(name=layer.name, dtype="float64")
    raise ValueError(
        "`model` must have layers whose paths are known: kernels, activations, merging, pooling "
        f"and reshaping. Received: {type(layer).__name__} {layer.name!r}"
    )


def _set_ones(layer, copy):
    if isinstance(rule_of(layer), Kernel):
        kernels = [v for v in layer.weights if v.name != "bias"]
        values = [ops.convert_to_numpy(ops.cast(v, "float32")) for v in kernels]
        copy.set_weights([np.float64(value != 0) for value in values])
