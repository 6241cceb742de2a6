"""Layers in which entries share one number: softmax, layer and group normalization."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from sparsevae.sparsity.liveness.pattern import Pattern, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Rule, register


class Coupled(Rule):
    """Along the layer's `axis` (the last, if it has none) any live entry makes all live."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._coupled(call, inputs[0])]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._coupled(call, outputs[0])]

    def _coupled(self, call, pattern):
        axes = [axis % (pattern.ndim + 1) for axis in np.atleast_1d(_axis(call.layer))]
        if 0 in axes:  # across observations
            return anywhere([pattern], call.input_shapes)[0]
        return over(pattern, [axis - 1 for axis in axes])


class Grouped(Rule):
    """Within a group of channels, at all positions, any live entry makes all live."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._grouped(call, inputs[0])]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [self._grouped(call, outputs[0])]

    def _grouped(self, call, pattern):
        axis = call.layer.axis % (pattern.ndim + 1) - 1
        n_channels = call.input_shapes[0][axis]
        others = [other for other in range(pattern.ndim) if other != axis]
        channels = np.broadcast_to(over(pattern, others).ravel(), n_channels)
        groups = channels.reshape(call.layer.groups, -1).any(axis=1)
        live = np.repeat(groups, n_channels // call.layer.groups)
        return live.reshape([-1 if other == axis else 1 for other in range(pattern.ndim)])


def _axis(layer):
    return getattr(layer, "axis", -1)  # that of functions is the last


for _kind in (
    *(layers.Softmax, layers.LayerNormalization, layers.RMSNormalization),
    layers.UnitNormalization,
    *(keras.activations.softmax, keras.activations.log_softmax, keras.activations.sparsemax),
):
    register(_kind, Coupled())
register(layers.GroupNormalization, Grouped())
