"""`Concatenate`: each input has a stretch of the output."""

from collections.abc import Sequence

import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.elementwise import operation
from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, anywhere
from sparsevae.sparsity.liveness.rule import Call, Rule, register


class Concatenated(Rule):
    """Along the layer's axis, inputs one after the other."""

    several_inputs = True

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        if _axis(call) is None:
            return anywhere(inputs, call.output_shapes)
        return [_in_a_row(call, inputs)]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        if _axis(call) is None:
            return super().labels(call, inputs, labels)
        return [_in_a_row(call, inputs)]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        axis = _axis(call)
        if axis is None:
            return anywhere(outputs, call.input_shapes)
        lengths = [shape[axis] for shape in call.input_shapes]
        output = _at_full_length(outputs[0], axis, sum(lengths))
        return np.split(output, np.cumsum(lengths)[:-1], axis)


def _in_a_row(call, inputs):
    """Patterns, of booleans or labels, one after the other."""
    axis = _axis(call)
    shapes = [(*p.shape[:axis], 1, *p.shape[axis + 1 :]) for p in inputs]
    others = np.broadcast_shapes(*shapes)
    parts = []
    for pattern, shape in zip(inputs, call.input_shapes, strict=True):
        part = list(others)
        part[axis] = shape[axis]
        parts.append(np.broadcast_to(pattern, part))
    return np.concatenate(parts, axis)


def _at_full_length(pattern, axis, length):
    shape = list(pattern.shape)
    shape[axis] = length
    return np.broadcast_to(pattern if length != 1 else pattern.any(axis, keepdims=True), shape)


def _axis(call):
    """Axis of patterns; None along the batch, or where a length is free."""
    axis = call.layer.axis % (1 + len(call.output_shapes[0])) - 1
    if axis < 0 or None in [shape[axis] for shape in call.input_shapes]:
        return None
    return axis


for _kind in (layers.Concatenate, operation(lambda *x: ops.concatenate(x, -1), 2)):
    register(_kind, Concatenated())
