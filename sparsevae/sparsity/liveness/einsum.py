"""`EinsumDense`, whose equation says which axes are mixed."""

from collections.abc import Sequence

import numpy as np
from keras import layers

from sparsevae.sparsity.liveness.activations import activated, before_activation, linear
from sparsevae.sparsity.liveness.kernels import Kernel, product
from sparsevae.sparsity.liveness.pattern import Pattern, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Rule, register, rule_of_class


class Einsum(Rule):
    """Axes that stay are passed on position by position, axes that are summed over are mixed."""

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        source, _, target = _subscripts(call)
        if source[0] != target[0]:  # the batch is mixed or moved
            return anywhere(inputs, call.output_shapes)
        return activated(linear(call), _moved(inputs[0], source[1:], target[1:]))

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        source, _, target = _subscripts(call)
        if source[0] != target[0]:
            return anywhere(outputs, call.input_shapes)
        return [_moved(before_activation(linear(call), outputs), target[1:], source[1:])]

    def multiplications(self, call: Call) -> int | None:
        source, kernel, target = _subscripts(call)
        sizes = dict(zip(target[1:], call.output_shapes[0], strict=True))
        sizes |= dict(zip(source[1:], call.input_shapes[0], strict=True))
        return product(tuple(sizes[axis] for axis in {*source[1:], *kernel, *target[1:]}))


class GatedEinsum(Kernel):
    """One axis is summed over and one is new: the channels; the others are positions."""

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        return np.ones((n_inputs, n_outputs), bool)

    def multiplications(self, call: Call) -> int | None:
        return rule_of_class(layers.EinsumDense).multiplications(call)

    def _channels(self, call, pattern, side, n_channels):
        axes, channels_last = self._axes(call, side)
        pattern = _moved(pattern, axes, channels_last)
        return np.broadcast_to(pattern, (*pattern.shape[:-1], n_channels))

    def _back(self, call, channels, side):
        axes, channels_last = self._axes(call, side)
        return _moved(channels, channels_last, axes)

    def _axes(self, call, side):
        """Letters of the axes of the input or output, and with positions first as in the output."""
        source, kernel, target = _subscripts(call)
        positions = [axis for axis in target[1:] if axis not in kernel]
        axes = (source, target)[side][1:]
        (channel,) = [axis for axis in axes if axis in kernel]
        return axes, [*positions, channel]


def _subscripts(call):
    """Letters of the axes of input, kernel and output, the batch's too; `...` gets capitals."""
    inputs, target = call.layer.equation.replace(" ", "").split("->")
    source, kernel = inputs.split(",")
    n_free = 1 + len(call.input_shapes[0]) - len(source.replace("...", ""))
    free = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n_free]
    return [letters.replace("...", free) for letters in (source, kernel, target)]


def _moved(pattern, source, target):
    """The pattern's axes in another order; any over those that go, length 1 for those that come."""
    pattern = over(pattern, [axis for axis, name in enumerate(source) if name not in target])
    kept = [source.index(name) for name in target if name in source]
    gone = [axis for axis in range(pattern.ndim) if axis not in kept]
    moved = pattern.transpose(kept + gone)
    moved = moved.reshape(moved.shape[: len(kept)])
    lengths = iter(moved.shape)
    return moved.reshape([next(lengths) if name in source else 1 for name in target])


register(layers.EinsumDense, Einsum())
