"""Layers that work entry by entry: activations, sums, dropout, scales of each channel."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels, varying_axes
from sparsevae.sparsity.liveness.pattern import Pattern, along, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


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

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        if not _aligned(call) or getattr(call.layer, "weights", ()):
            return super().labels(call, inputs, labels)
        (output,) = call.output_shapes
        pairs = list(zip(inputs, call.input_shapes, strict=True))
        made = [given for given, shape in pairs if not _stretched(shape, call)]
        first = made[0] if made else labels.pinned(output)
        for other in made[1:]:
            labels.tie(first, other)
        for given, shape in pairs:
            if stretched := _stretched(shape, call):
                # an axis of positions, which all stay, need not be tied to that of the others
                own = set(range(len(output))) - set(stretched)
                tied = own & (varying_axes(first) | varying_axes(given))
                labels.tie(first, given) if tied else labels.pin(given)
        return [np.broadcast_arrays(first, *made)[0]]


class Scaled(Elementwise):
    """Entry by entry, with weights that have some of the input's axes."""

    sized = True
    several_inputs = False  # a mask would be another one

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        axes = self.axes(call)
        labels.tie_along(inputs[0], set(range(inputs[0].ndim)) - set(axes))
        return [inputs[0]]

    def axes(self, call: Call) -> list[int]:
        """Axes of the input that the weights have, in their order."""
        return [call.layer.axis % (1 + len(call.input_shapes[0])) - 1]

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        axes = self.axes(call)
        (shape,) = call.input_shapes
        stay = np.ix_(*(along(kept.inputs[0], axis, shape[axis]) for axis in axes))
        return [weight[stay] for weight in call.layer.get_weights()]


class BatchNormalized(Scaled):
    """Channels with a gamma of 0 are constant."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [inputs[0] & self._passing(call)]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [outputs[0] & self._passing(call)]

    def _passing(self, call):
        if not (call.layer.built and call.layer.scale):
            return np.True_
        shape = np.ones(len(call.input_shapes[0]), int)
        shape[self.axes(call)] = -1
        return (ops.convert_to_numpy(call.layer.gamma) != 0).reshape(shape)


class Normalized(Elementwise):
    """By statistics for all entries, or by arrays that belong to all of them."""

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        arrays = call.layer.weights or np.ndim(call.layer.input_mean)
        arrays = arrays or np.ndim(call.layer.input_variance)
        return (Rule if arrays else Elementwise).labels(self, call, inputs, labels)


class Rescaled(Elementwise):
    """By numbers for all entries, or by arrays that belong to all of them."""

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        arrays = np.ndim(call.layer.scale) or np.ndim(call.layer.offset)
        return (Rule if arrays else Elementwise).labels(self, call, inputs, labels)


class Sloped(Scaled):
    """A slope for each entry, or one along some axes."""

    def axes(self, call: Call) -> list[int]:
        return [k for k, size in enumerate(call.layer.alpha.shape) if size > 1]

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        (alpha,), (shape,) = call.layer.get_weights(), call.input_shapes
        for k in self.axes(call):
            alpha = alpha.compress(along(kept.inputs[0], k, shape[k]), axis=k)
        return [alpha]


def _aligned(call):
    """Whether axes of inputs and output are the same ones; Keras aligns some ranks by the left."""
    (output,) = call.output_shapes
    return all(len(shape) == len(output) for shape in call.input_shapes)


def _stretched(shape, call):
    (output,) = call.output_shapes
    return [axis for axis, size in enumerate(shape) if size == 1 and output[axis] != 1]


def operation(function: Callable, n_inputs: int) -> type:
    """The class of nodes that a function of tensors makes in a functional model."""
    made = function(*(keras.KerasTensor((1, 2)) for _ in range(n_inputs)))
    return type(made._keras_history.operation)


_LAYERS = (
    *(layers.ReLU, layers.LeakyReLU, layers.ELU),
    *(layers.Add, layers.Subtract, layers.Multiply),
    *(layers.Average, layers.Maximum, layers.Minimum),
    *(layers.Identity, layers.ActivityRegularization),
    *(layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise),
    *(layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
)
_FUNCTIONS = (
    *("linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish"),
    *("tanh", "sigmoid", "softplus", "softsign", "squareplus", "exponential", "threshold"),
    *("hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink"),
    *("log_sigmoid", "sparse_plus", "sparse_sigmoid"),
)
_UNARY = (
    *(ops.relu, ops.sigmoid, ops.tanh, ops.softplus, ops.silu, ops.gelu, ops.elu, ops.leaky_relu),
    *(ops.relu6, ops.celu, ops.selu, ops.softsign, ops.log_sigmoid),
    *(ops.hard_sigmoid, ops.hard_silu, ops.hard_tanh, ops.hard_shrink, ops.soft_shrink),
    *(ops.exp, ops.log, ops.sqrt, ops.square, ops.abs, ops.negative, ops.sin, ops.cos),
    *(ops.expm1, ops.log1p, ops.rsqrt, ops.reciprocal, ops.sign, ops.erf),
    *(ops.floor, ops.ceil, ops.round, ops.stop_gradient),
)
_WITH_SETTINGS = (
    lambda x: ops.cast(x, "float16"),
    lambda x: ops.clip(x, 0, 1),
)
_BINARY = (
    *(ops.add, ops.subtract, ops.multiply, ops.divide, ops.true_divide, ops.power),
    *(ops.maximum, ops.minimum),
)

for _kind in (
    *_LAYERS,
    *(getattr(keras.activations, name) for name in _FUNCTIONS),
    *_UNARY,
    *(operation(function, 1) for function in (*_UNARY, *_WITH_SETTINGS)),
    *(operation(function, 2) for function in _BINARY),
):
    register(_kind, Elementwise())
register(layers.BatchNormalization, BatchNormalized())
register(layers.Normalization, Normalized())
register(layers.PReLU, Sloped())
register(layers.Rescaling, Rescaled())
