"""Layers that keep channels and work on positions: pooling, up-sampling, padding, cropping."""

from collections.abc import Sequence

import numpy as np
from keras import layers

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, alike, channel_axis, over
from sparsevae.sparsity.liveness.rule import Call, Rule, register


class Positions(Rule):
    """A channel is live at all positions if it is at any."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [_everywhere(call, inputs[0])]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [_everywhere(call, outputs[0])]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        return [_tied(call, inputs[0], labels)]


class Global(Rule):
    """All positions become one, whose axes stay (`keepdims`) or go."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        pooled = _everywhere(call, inputs[0])
        return [pooled if call.layer.keepdims else pooled.ravel()]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        channels = alike(True, call.input_shapes[0])
        shape = list(channels.shape)
        shape[channel_axis(call.layer)] = -1
        return [outputs[0].reshape(shape)]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        pooled = _tied(call, inputs[0], labels)
        return [pooled if call.layer.keepdims else pooled.ravel()]


class Repeated(Rule):
    """A vector at each of n positions."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [inputs[0][np.newaxis]]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [outputs[0].any(axis=0)]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        del labels  # nothing new
        return self.varying(call, inputs)


def _everywhere(call, pattern):
    return over(pattern, _positions(call, pattern))


def _tied(call, labels_of_input, labels):
    return labels.tie_along(labels_of_input, _positions(call, labels_of_input))


def _positions(call, pattern):
    return set(range(pattern.ndim)) - {channel_axis(call.layer) % pattern.ndim}


_LOCAL = (
    *("AveragePooling", "MaxPooling", "AdaptiveAveragePooling", "AdaptiveMaxPooling"),
    *("UpSampling", "ZeroPadding", "Cropping"),
)
for _rank in ("1D", "2D", "3D"):
    for _name in _LOCAL:
        if hasattr(layers, _name + _rank):  # adaptive pooling is of Keras 3.13
            register(getattr(layers, _name + _rank), Positions())
    for _name in ("GlobalAveragePooling", "GlobalMaxPooling"):
        register(getattr(layers, _name + _rank), Global())
register(layers.RepeatVector, Repeated())
