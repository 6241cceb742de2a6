"""Layers in which entries share one number: softmax, layer and group normalization."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.elementwise import operation
from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, along, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


class Coupled(Rule):
    """Along the layer's `axis` (the last, if it has none) any live entry makes all live."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._coupled(call, inputs[0])]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._coupled(call, outputs[0])]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        axes = _axes(call, inputs[0])
        if -1 in axes:
            return super().labels(call, inputs, labels)
        labels.tie_along(inputs[0], axes)
        return [inputs[0]]

    def _coupled(self, call, pattern):
        axes = _axes(call, pattern)
        if -1 in axes:
            return anywhere([pattern], call.input_shapes)[0]
        return over(pattern, axes)


class Grouped(Rule):
    """Within a group of channels, at all positions, any live entry makes all live."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._grouped(call, inputs[0])]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._grouped(call, outputs[0])]

    sized = True

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        axis, n_channels = _channels(call)
        first = labels.tie_along(inputs[0], set(range(inputs[0].ndim)) - {axis})
        groups = np.broadcast_to(first.ravel(), n_channels).reshape(call.layer.groups, -1)
        labels.tie_along(groups, [1])
        return [inputs[0]]

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        axis, n_channels = _channels(call)
        n_kept = along(kept.inputs[0], axis, n_channels).sum()
        return {"groups": int(n_kept) * call.layer.groups // n_channels}

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        stay = along(kept.inputs[0], *_channels(call))
        return [weight[stay] for weight in call.layer.get_weights()]

    def _grouped(self, call, pattern):
        axis, n_channels = _channels(call)
        others = [other for other in range(pattern.ndim) if other != axis]
        channels = np.broadcast_to(over(pattern, others).ravel(), n_channels)
        groups = channels.reshape(call.layer.groups, -1).any(axis=1)
        live = np.repeat(groups, n_channels // call.layer.groups)
        return live.reshape([-1 if other == axis else 1 for other in range(pattern.ndim)])


def _channels(call):
    """Axis and number of the channels of a group normalization."""
    (shape,) = call.input_shapes
    axis = call.layer.axis % (len(shape) + 1) - 1
    return axis, shape[axis]


def _axes(call, pattern):
    """Axes of the pattern; -1: across observations. That of functions is the last."""
    axes = np.atleast_1d(getattr(call.layer, "axis", -1))
    return [axis % (pattern.ndim + 1) - 1 for axis in axes]


for _kind in (
    *(layers.Softmax, layers.LayerNormalization, layers.RMSNormalization),
    layers.UnitNormalization,
    *(keras.activations.softmax, keras.activations.log_softmax, keras.activations.sparsemax),
    *(operation(function, 1) for function in (ops.softmax, ops.log_softmax)),
):
    register(_kind, Coupled())
register(layers.GroupNormalization, Grouped())
