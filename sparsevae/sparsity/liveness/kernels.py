"""Layers with a kernel between channels: dense, convolutions and their kin."""

import math
from typing import Any

import numpy as np
from keras import layers, ops

from sparsevae.sparsity.liveness.kernel import Kernel, product
from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import channel_axis
from sparsevae.sparsity.liveness.rule import Call, Kept, register


class Dense(Kernel):
    """Works at each position by itself."""

    width = "units"

    def kernels(self, layer: Any) -> np.ndarray:
        return ops.convert_to_numpy(layer.kernel)[np.newaxis]

    def multiplications(self, call: Call) -> int | None:
        return product(call.input_shapes[0], call.layer.units)

    def _positions(self, pattern, axis):
        return pattern

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        return [kernels[0][inputs][:, outputs]]


class Convolution(Kernel):
    """Groups of input channels are linked to groups of filters, at each output position."""

    width = "filters"

    def kernels(self, layer: Any) -> np.ndarray:
        return _blocks(_windows(layer.kernel), layer.groups)

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        group = np.ones((n_inputs // layer.groups, n_outputs // layer.groups))
        return np.kron(np.eye(layer.groups), group) > 0

    def multiplications(self, call: Call) -> int | None:
        n_inputs = call.input_shapes[0][channel_axis(call.layer)] // call.layer.groups
        return product(call.output_shapes[0], n_inputs * math.prod(call.layer.kernel_size))

    def made_of(
        self, layer: Any, channels: LabelPattern, n_outputs: int, labels: Labels
    ) -> LabelPattern:
        """Groups stay of one size: the same channels of each stay."""
        made = labels.fresh((n_outputs,))
        for each in (channels, made):
            labels.tie_along(each.reshape(layer.groups, -1), [0])
        return made

    def is_even(self, layer: Any) -> bool:
        return layer.padding == "valid" or math.prod(layer.kernel_size) == 1

    def input_axis(self, layer: Any) -> int | None:
        return -2 if layer.groups == 1 else None

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        in_group = inputs[: len(inputs) // layer.groups]
        return [kernels[0][..., in_group, :][..., outputs]]


class Transposed(Kernel):
    """The kernel is spread at each input position."""

    width = "filters"

    def kernels(self, layer: Any) -> np.ndarray:
        return _windows(layer.kernel).swapaxes(1, 2)

    def multiplications(self, call: Call) -> int | None:
        window = math.prod(call.layer.kernel_size)
        return product(call.input_shapes[0], call.layer.filters * window)

    def is_even(self, layer: Any) -> bool:
        return math.prod(layer.kernel_size) == math.prod(layer.strides) == 1

    def input_axis(self, layer: Any) -> int | None:
        return -1

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        return [kernels[0][..., outputs, :][..., inputs]]


class Depthwise(Kernel):
    """Each input channel has output channels of its own."""

    makes_channels = False

    def kernels(self, layer: Any) -> np.ndarray:
        kernel = _windows(layer.kernel)
        return _blocks(kernel.reshape(len(kernel), 1, -1), kernel.shape[1])

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        return np.repeat(np.eye(n_inputs, dtype=bool), layer.depth_multiplier, axis=1)

    def multiplications(self, call: Call) -> int | None:
        return product(call.output_shapes[0], math.prod(call.layer.kernel_size))

    def made_of(
        self, layer: Any, channels: LabelPattern, n_outputs: int, labels: Labels
    ) -> LabelPattern:
        """Those of an input channel stay or go with it."""
        return np.repeat(channels, layer.depth_multiplier)

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        return {}

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        return [kernels[0][..., inputs, :]]


class Separable(Kernel):
    """A depthwise convolution, then a dense one over its channels, which the gates are of."""

    width = "filters"

    def paths(self, call: Call) -> np.ndarray:
        """An input channel reaches what any of its channels in the middle has a link to."""
        links = self.links(call)
        n_inputs = call.input_shapes[0][channel_axis(call.layer)]
        return links.reshape(n_inputs, -1, links.shape[1]).any(axis=1)

    def kernels(self, layer: Any) -> np.ndarray:
        """Of all that leads from an input channel by any of its channels in the middle."""
        depthwise = _windows(layer.depthwise_kernel)
        pointwise = _windows(layer.pointwise_kernel)[0]
        n_inputs, multiplier = depthwise.shape[1:]
        pointwise = pointwise.reshape(n_inputs, multiplier, -1)
        return np.einsum("wim,imo->wio", depthwise, pointwise)

    def multiplications(self, call: Call) -> int | None:
        axis = channel_axis(call.layer)
        positions = list(call.output_shapes[0])
        positions.pop(axis)
        n_middle = call.input_shapes[0][axis] * call.layer.depth_multiplier
        window = math.prod(call.layer.kernel_size)
        return product(tuple(positions), n_middle * (window + call.layer.filters))

    def is_even(self, layer: Any) -> bool:
        return layer.padding == "valid" or math.prod(layer.kernel_size) == 1

    def input_axis(self, layer: Any) -> int | None:
        return None

    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        depthwise, pointwise = kernels
        middle = np.repeat(inputs, layer.depth_multiplier)
        return [depthwise[..., inputs, :], pointwise[..., middle, :][..., outputs]]


def _windows(kernel):
    """Weights `(window, in_channels, out_channels)` as the layer stores them."""
    kernel = ops.convert_to_numpy(kernel)
    return kernel.reshape(-1, *kernel.shape[-2:])


def _blocks(kernel, n_groups):
    """Links of groups of inputs with groups of outputs, 0 between groups."""
    n_windows, n_inputs, n_outputs = kernel.shape
    blocks = np.zeros(
        (n_windows, n_groups, n_inputs, n_groups, n_outputs // n_groups), kernel.dtype
    )
    parts = kernel.reshape(n_windows, n_inputs, n_groups, -1)
    for group in range(n_groups):
        blocks[:, group, :, group] = parts[:, :, group]
    return blocks.reshape(n_windows, n_groups * n_inputs, n_outputs)


RULES = {
    layers.Dense: Dense(),
    **dict.fromkeys((layers.Conv1D, layers.Conv2D, layers.Conv3D), Convolution()),
    **dict.fromkeys(
        (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), Transposed()
    ),
    **dict.fromkeys((layers.DepthwiseConv1D, layers.DepthwiseConv2D), Depthwise()),
    **dict.fromkeys((layers.SeparableConv1D, layers.SeparableConv2D), Separable()),
}
for _kind, _rule in RULES.items():
    register(_kind, _rule)
