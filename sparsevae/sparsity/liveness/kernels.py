"""Layers with a kernel between channels: dense, convolutions and their kin."""

import abc
import math
from collections.abc import Sequence

import numpy as np
from keras import layers

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import open_links
from sparsevae.sparsity.liveness.activations import activated, before_activation, linear
from sparsevae.sparsity.liveness.pattern import Pattern, Shape, channel_axis, over
from sparsevae.sparsity.liveness.rule import Call, Rule, register


INPUT, OUTPUT = 0, 1


class Kernel(Rule):
    """Output channel o depends on the input channels i with an open link (i, o)."""

    @abc.abstractmethod
    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        """Links of the layer without a gate, booleans `(in_channels, out_channels)`."""

    @abc.abstractmethod
    def multiplications(self, call: Call) -> int | None: ...

    def links(self, call: Call) -> np.ndarray:
        """Open links, booleans `(in_channels, out_channels)`."""
        if isinstance(call.layer, GatedLayer):
            return open_links(call.layer)
        axis = channel_axis(call.layer)
        sizes = call.input_shapes[0][axis], call.output_shapes[0][axis]
        return self.stock_links(call.layer, *sizes)

    def paths(self, call: Call) -> np.ndarray:
        """Which of the layer's inputs reach which outputs, booleans like its channels."""
        return self.links(call)

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        links = self.paths(call)
        channels = self._channels(call, inputs[0], INPUT, links.shape[0])
        return activated(linear(call), self._back(call, _reached(channels, links), OUTPUT))

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        links = self.paths(call)
        before = before_activation(linear(call), outputs)
        channels = self._channels(call, before, OUTPUT, links.shape[1])
        return [self._back(call, _reached(channels, links.T), INPUT)]

    def effective_links(self, call: Call, varying: Pattern, needed: Pattern) -> np.ndarray:
        """Open links from a channel that varies to one that is needed, at one position at least.

        Args:
            call: The use of the layer.
            varying: Pattern of its input.
            needed: Pattern of its output.

        Returns:
            Booleans `(in_channels, out_channels)`.
        """
        links, (n_inputs, n_outputs) = self.links(call), self.paths(call).shape
        before = before_activation(linear(call), [needed])
        inputs = self._channels(call, varying, INPUT, n_inputs)
        outputs = self._channels(call, before, OUTPUT, n_outputs)
        positions = np.broadcast_shapes(inputs.shape[:-1], outputs.shape[:-1])
        inputs, outputs = (
            np.broadcast_to(live, (*positions, live.shape[-1])).reshape(-1, live.shape[-1])
            for live in (inputs, outputs)
        )
        return np.repeat(_reached(inputs.T, outputs), len(links) // n_inputs, axis=0) & links

    def _channels(self, call, pattern, side, n_channels):
        """Channels as the last axis, at their full number; positions as the kernel sees them."""
        del side  # for kernels whose outputs have other axes than their inputs
        axis = channel_axis(call.layer)
        pattern = np.moveaxis(self._positions(pattern, axis), axis, -1)
        return np.broadcast_to(pattern, (*pattern.shape[:-1], n_channels))

    def _back(self, call, channels, side):
        del side
        return np.moveaxis(channels, -1, channel_axis(call.layer))

    def _positions(self, pattern, axis):
        """A kernel that is a window mixes positions."""
        return over(pattern, set(range(pattern.ndim)) - {axis % pattern.ndim})


def _reached(live, links):
    return live.astype("float32") @ links.astype("float32") > 0


def product(sizes: Shape, times: int = 1) -> int | None:
    """Product of sizes; None where one is free."""
    return None if None in sizes else math.prod(sizes) * times


class Dense(Kernel):
    """Works at each position by itself."""

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        return np.ones((n_inputs, n_outputs), bool)

    def multiplications(self, call: Call) -> int | None:
        return product(call.input_shapes[0], call.layer.units)

    def _positions(self, pattern, axis):
        return pattern


class Convolution(Kernel):
    """Groups of input channels are linked to groups of filters, at each output position."""

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        group = np.ones((n_inputs // layer.groups, n_outputs // layer.groups))
        return np.kron(np.eye(layer.groups), group) > 0

    def multiplications(self, call: Call) -> int | None:
        n_inputs = call.input_shapes[0][channel_axis(call.layer)] // call.layer.groups
        return product(call.output_shapes[0], n_inputs * math.prod(call.layer.kernel_size))


class Transposed(Kernel):
    """The kernel is spread at each input position."""

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        return np.ones((n_inputs, n_outputs), bool)

    def multiplications(self, call: Call) -> int | None:
        window = math.prod(call.layer.kernel_size)
        return product(call.input_shapes[0], call.layer.filters * window)


class Depthwise(Kernel):
    """Each input channel has output channels of its own."""

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        return np.repeat(np.eye(n_inputs, dtype=bool), layer.depth_multiplier, axis=1)

    def multiplications(self, call: Call) -> int | None:
        return product(call.output_shapes[0], math.prod(call.layer.kernel_size))


class Separable(Kernel):
    """A depthwise convolution, then a dense one over its channels, which the gates are of."""

    def paths(self, call: Call) -> np.ndarray:
        """An input channel reaches what any of its channels in the middle has a link to."""
        n_inputs = call.input_shapes[0][channel_axis(call.layer)]
        links = self.links(call)
        return links.reshape(n_inputs, -1, links.shape[1]).any(axis=1)

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        return np.ones((n_inputs, n_outputs), bool)

    def multiplications(self, call: Call) -> int | None:
        axis = channel_axis(call.layer)
        positions = list(call.output_shapes[0])
        positions.pop(axis)
        n_middle = call.input_shapes[0][axis] * call.layer.depth_multiplier
        window = math.prod(call.layer.kernel_size)
        return product(tuple(positions), n_middle * (window + call.layer.filters))


register(layers.Dense, Dense())
for _kind in (layers.Conv1D, layers.Conv2D, layers.Conv3D):
    register(_kind, Convolution())
for _kind in (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose):
    register(_kind, Transposed())
for _kind in (layers.DepthwiseConv1D, layers.DepthwiseConv2D):
    register(_kind, Depthwise())
for _kind in (layers.SeparableConv1D, layers.SeparableConv2D):
    register(_kind, Separable())
