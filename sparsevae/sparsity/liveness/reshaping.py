"""Layers that only give entries another place: flatten, reshape, permute."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers

from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, along, anywhere, channel_axis, spread
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


class Reshaped(Rule):
    """Entries in the same order under another shape; of `(h, w, c)`, entry k has channel k % c."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        (shape,), (target,) = call.input_shapes, call.output_shapes
        if None in shape + target:
            return anywhere(inputs, call.output_shapes)
        return [spread(inputs[0], shape).reshape(target)]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        (shape,), (target,) = call.input_shapes, call.output_shapes
        if None in shape + target:
            return anywhere(outputs, call.input_shapes)
        return [spread(outputs[0], target).reshape(shape)]

    sized = True

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        (shape,), (target,) = call.input_shapes, call.output_shapes
        if None in shape + target:
            return super().labels(call, inputs, labels)
        return [spread(inputs[0], shape).reshape(target)]

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        (output,), (target,) = kept.outputs, call.output_shapes
        if None in target:
            return {}
        sizes = [int(along(output, k, size).sum()) for k, size in enumerate(target)]
        return {"target_shape": sizes}


class Flattened(Rule):
    """Reshaped to a vector, with channels last whatever the layer's `data_format`."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        (shape,) = call.input_shapes
        if None in shape:
            return anywhere(inputs, call.output_shapes)
        last = (
            np.moveaxis(spread(inputs[0], shape), channel_axis(call.layer), -1)
            if shape
            else inputs[0]
        )
        return [last.reshape(math.prod(shape))]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        (shape,) = call.input_shapes
        if None in shape:
            return anywhere(outputs, call.input_shapes)
        if not shape:
            return [outputs[0].reshape(shape)]
        axis = channel_axis(call.layer)
        last = list(shape)
        last.append(last.pop(axis))
        return [np.moveaxis(spread(outputs[0], (math.prod(shape),)).reshape(last), -1, axis)]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        if None in call.input_shapes[0]:
            return super().labels(call, inputs, labels)
        return self.varying(call, inputs)


class Permuted(Rule):
    """Axes in another order."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        return [inputs[0].transpose(_order(call))]

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        return [outputs[0].transpose(np.argsort(_order(call)))]

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        del labels  # nothing new
        return self.varying(call, inputs)


def _order(call):
    return [axis - 1 for axis in call.layer.dims]


register(layers.Reshape, Reshaped())
register(layers.Flatten, Flattened())
register(layers.Permute, Permuted())
