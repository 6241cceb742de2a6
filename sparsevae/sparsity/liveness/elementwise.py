"""Layers that work entry by entry: activations, sums, dropout, scales of each channel."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.pattern import Pattern, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Rule, register


class Elementwise(Rule):
    """An output entry depends on the same entry of each input, which may be broadcast."""

    several_inputs = True

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        if not _aligned(call):
            return anywhere(inputs, call.output_shapes)
        varying = inputs[0]
        for pattern in inputs[1:]:
            varying = np.logical_or(varying, pattern)
        return [varying]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        if not _aligned(call):
            return anywhere(outputs, call.input_shapes)
        (output,) = outputs
        return [over(output, _stretched(shape, call)) for shape in call.input_shapes]


def _aligned(call):
    """Whether axes of inputs and output are the same ones; Keras aligns some ranks by the left."""
    (output,) = call.output_shapes
    return all(len(shape) == len(output) for shape in call.input_shapes)


def _stretched(shape, call):
    (output,) = call.output_shapes
    return [axis for axis, size in enumerate(shape) if size == 1 and output[axis] != 1]


def _operation(function, n_inputs):
    """The class of nodes that `function` makes in a functional model."""
    made = function(*(keras.KerasTensor((1, 1)) for _ in range(n_inputs)))
    return type(made._keras_history.operation)


_LAYERS = (
    *(layers.ReLU, layers.LeakyReLU, layers.ELU, layers.PReLU),
    *(layers.Add, layers.Subtract, layers.Multiply),
    *(layers.Average, layers.Maximum, layers.Minimum),
    *(layers.Identity, layers.ActivityRegularization, layers.Rescaling, layers.Normalization),
    *(layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
    layers.BatchNormalization,
)
_FUNCTIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish"),
    *("tanh", "sigmoid", "softplus", "softsign", "squareplus", "exponential", "threshold"),
    *("hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink"),
    *("log_sigmoid", "sparse_plus", "sparse_sigmoid"),
)
_UNARY = (
    *(ops.relu, ops.sigmoid, ops.tanh, ops.softplus, ops.silu, ops.gelu, ops.elu, ops.leaky_relu),
    *(ops.exp, ops.log, ops.sqrt, ops.square, ops.abs, ops.negative, ops.sin, ops.cos),
)
_BINARY = (
    *(ops.add, ops.subtract, ops.multiply, ops.divide, ops.true_divide, ops.power),
    *(ops.maximum, ops.minimum),
)

for _kind in (
    *_LAYERS,
    *(getattr(keras.activations, name) for name in _FUNCTIONS),
    *_UNARY,
    *(_operation(function, 1) for function in _UNARY),
    *(_operation(function, 2) for function in _BINARY),
):
    register(_kind, Elementwise())
