"""`EinsumDense`, whose equation says which axes are mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import layers, ops

from sparsevae.layers.einsum_dense import channels
from sparsevae.sparsity.liveness.activations import (
    activated,
    activated_labels,
    before_activation,
    linear,
)
from sparsevae.sparsity.liveness.kernel import INPUT, OUTPUT, Kernel, product
from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, anywhere, over
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule, register


class Einsum(Rule):
    """Axes that stay are passed on position by position, axes that are summed over are mixed."""

    def for_layer(self, layer: Any) -> Rule:
        inputs, kernel, outputs = letters(layer)
        if channels(f"{inputs},{kernel}->{outputs}") is None:
            return self
        if not any(axis in inputs and axis in outputs for axis in kernel):
            return CHANNELS
        return SHARED if inputs[0] == outputs[0] else self

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
        kernel = ops.convert_to_numpy(layer.kernel)
        return (kernel if self.input_axis(layer) == 0 else kernel.T)[np.newaxis]

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
        source, axes, target = letters(layer)
        return axes.index(channels(f"{source},{axes}->{target}")[INPUT])

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        first, second = (inputs, outputs) if self.input_axis(layer) == 0 else (outputs, inputs)
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


class SharedAxis(ChannelEinsum):
    """One axis of the kernel is an axis of the input and of the output: a link has a place there.

    As in `w_j * z` for each feature j, where the latents are shared and can be removed, and in a
    readout of each feature, where the features are, and nothing is removed.
    """

    makes_channels = False

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        source, pair, target = self._ends(call)
        live = _over_links(inputs[0], source, self.links(call), pair, target)
        return activated(linear(call), live)

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        source, pair, target = self._ends(call)
        before = before_activation(linear(call), outputs)
        return [_over_links(before, target, self.links(call), pair, source)]

    def effective_links(self, call: Call, varying: Pattern, needed: Pattern) -> np.ndarray:
        links, (source, pair, target) = self.links(call), self._ends(call)
        before = before_activation(linear(call), [needed])
        given, made = _full(varying, source, links, pair), _full(before, target, links, pair)
        return (np.einsum(f"{source},{target}->{pair}", given, made) > 0) & links

    def axis(self, call: Call, side: int) -> int:
        source, pair, target = self._ends(call)
        return (source, target)[side].index(pair[side])

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        source, pair, target = self._ends(call)
        if pair[INPUT] not in target or not self.is_plain(call.layer):
            return Rule.labels(self, call, inputs, labels)
        given = labels.tie_along(inputs[0], set(range(len(source))) - {source.index(pair[INPUT])})
        shape = np.ones(len(target), int)
        shape[target.index(pair[INPUT])] = given.size
        return activated_labels(linear(call), given.reshape(shape), labels)

    def is_plain(self, layer: Any) -> bool:
        """The bias must not have the axis that is removed, nor axes of unknown number be behind."""
        source, kernel, target = letters(layer)
        shared, _ = channels(f"{source},{kernel}->{target}")
        free = "..." in target and target.index(shared) < target.index("...")
        return not free and shared not in (layer.bias_axes or "") and Kernel.is_plain(self, layer)

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        _, pair, _ = self._ends(call)
        _, _, target = letters(call.layer)
        if pair[INPUT] not in target:
            return {}
        sizes = list(np.atleast_1d(call.layer.get_config()["output_shape"]))
        sizes[target.index(pair[INPUT]) - len(target)] = int(self.stay(call, kept)[INPUT].sum())
        return {"output_shape": sizes}

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        kernel, *others = call.layer.get_weights()
        return [*self.cut(call.layer, [kernel], *self.stay(call, kept)), *others]

    def _ends(self, call):
        """Letters of the axes of input, link and output, without the batch."""
        source, kernel, target = _subscripts(call)
        pair = channels(f"{source},{kernel}->{target}")
        return source[1:], "".join(pair), target[1:]


def _over_links(pattern, axes, links, pair, target):
    """Entries with the axes `target` to which a link `pair` leads from a live one."""
    found = [axis for axis in target if axis in axes or axis in pair]
    full = _full(pattern, axes, links, pair)
    live = np.einsum(f"{axes},{pair}->{''.join(found)}", full, links.astype("float32")) > 0
    return _moved(live, found, target)


def _full(pattern, axes, links, pair):
    """Float32, with the kernel's axes at their full length."""
    sizes = dict(zip(pair, links.shape, strict=True))
    shape = [sizes.get(axis, n) for axis, n in zip(axes, pattern.shape, strict=True)]
    return np.broadcast_to(pattern, shape).astype("float32")


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


EINSUM, CHANNELS, SHARED = Einsum(), ChannelEinsum(), SharedAxis()
register(layers.EinsumDense, EINSUM)
