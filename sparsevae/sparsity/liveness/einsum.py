"""`EinsumDense`, whose equation says which axes are mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.activations import activated, before_activation, linear
from sparsevae.sparsity.liveness.kernel import OUTPUT, Kernel, product
from sparsevae.sparsity.liveness.pattern import Pattern, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


class Einsum(Rule):
    """Axes that stay are passed on position by position, axes that are summed over are mixed."""

    def for_layer(self, layer: Any) -> Rule:
        inputs, kernel, outputs = letters(layer)
        summed = [axis for axis in kernel if axis in inputs and axis not in outputs]
        new = [axis for axis in kernel if axis in outputs and axis not in inputs]
        return CHANNELS if len(summed) == len(new) == 1 and len(kernel) == 2 else self

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


class ChannelEinsum(Kernel):
    """The kernel has an axis that is summed over and one that is new; others are positions."""

    def kernels(self, layer: Any) -> np.ndarray:
        inputs, axes, _ = letters(layer)
        kernel = ops.convert_to_numpy(layer.kernel)
        return (kernel if axes[0] in inputs else kernel.T)[np.newaxis]

    def multiplications(self, call: Call) -> int | None:
        return EINSUM.multiplications(call)

    width = "output_shape"

    def is_plain(self, layer: Any) -> bool:
        """The output's channels must not come before axes of unknown number."""
        _, kernel, outputs = letters(layer)
        (new,) = [axis for axis in kernel if axis in outputs]
        free = "..." in outputs and outputs.index(new) < outputs.index("...")
        return not free and layer.bias_axes in (None, new) and super().is_plain(layer)

    def axis(self, call: Call, side: int) -> int:
        axes, channels_last = self._axes(call, side)
        return axes.index(channels_last[-1])

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        _, kernel, outputs = letters(call.layer)
        (new,) = [axis for axis in kernel if axis in outputs]
        sizes = list(np.atleast_1d(call.layer.get_config()["output_shape"]))
        sizes[outputs.index(new) - len(outputs)] = int(self.stay(call, kept)[OUTPUT].sum())
        more = {} if kept.constants is None else {"bias_axes": new}
        return {"output_shape": sizes, **more}

    def n_axes_behind(self, call: Call) -> int:
        return len(call.output_shapes[0]) - 1 - self.axis(call, OUTPUT)

    def input_axis(self, layer: Any) -> int | None:
        source, axes, _ = letters(layer)
        return 0 if axes[0] in source else 1

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        source, axes, _ = letters(layer)
        first, second = (inputs, outputs) if axes[0] in source else (outputs, inputs)
        return [kernels[0][first][:, second]]

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
    parts = letters(call.layer)
    n_free = 1 + len(call.input_shapes[0]) - len(parts[0].replace("...", ""))
    free = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n_free]
    return [part.replace("...", free) for part in parts]


def letters(layer: Any) -> tuple[str, str, str]:
    """Axes of input, kernel and output of an `EinsumDense`."""
    inputs, outputs = layer.equation.replace(" ", "").split("->")
    return (*inputs.split(","), outputs)


def _moved(pattern, source, target):
    """The pattern's axes in another order; any over those that go, length 1 for those that come."""
    pattern = over(pattern, [axis for axis, name in enumerate(source) if name not in target])
    kept = [source.index(name) for name in target if name in source]
    gone = [axis for axis in range(pattern.ndim) if axis not in kept]
    moved = pattern.transpose(kept + gone)
    moved = moved.reshape(moved.shape[: len(kept)])
    lengths = iter(moved.shape)
    return moved.reshape([next(lengths) if name in source else 1 for name in target])


EINSUM, CHANNELS = Einsum(), ChannelEinsum()
register(layers.EinsumDense, EINSUM)
