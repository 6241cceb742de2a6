"""What layers with a kernel between channels have in common."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import open_links
from sparsevae.sparsity.liveness.activations import (
    activated,
    activated_labels,
    activation_of,
    before_activation,
    linear,
)
from sparsevae.sparsity.liveness.labels import LabelPattern, Labels
from sparsevae.sparsity.liveness.pattern import Pattern, Shape, along, channel_axis, over
from sparsevae.sparsity.liveness.rule import Call, Kept, Rule

INPUT, OUTPUT = 0, 1


class Kernel(Rule):
    """Output channel o depends on the input channels i with an open link (i, o)."""

    @abc.abstractmethod
    def kernels(self, layer: Any) -> np.ndarray:
        """Weights `(window, in_channels, out_channels)` of a stock layer, 0 where none is."""

    def stock_links(self, layer, n_inputs: int, n_outputs: int) -> np.ndarray:
        """Links that such a layer can have, booleans `(in_channels, out_channels)`."""
        del layer  # for kernels that have not all
        return np.ones((n_inputs, n_outputs), bool)

    @abc.abstractmethod
    def multiplications(self, call: Call) -> int | None: ...

    def links(self, call: Call) -> np.ndarray:
        """Open links, booleans `(in_channels, out_channels)`; of stock layers, those not 0."""
        if isinstance(call.layer, GatedLayer):
            return open_links(call.layer)
        return (self.kernels(call.layer) != 0).any(axis=0)

    def n_links(self, call: Call) -> int:
        """How many links a stock layer has, open or not."""
        sizes = self.kernels(call.layer).shape[1:]
        return int(self.stock_links(call.layer, *sizes).sum())

    def paths(self, call: Call) -> np.ndarray:
        """Which of the layer's inputs reach which outputs, booleans like its channels."""
        return self.links(call)

    def varying(self, call: Call, inputs: Sequence[Pattern]) -> list[Pattern]:
        links = self.paths(call)
        channels = self._channels(call, inputs[0], INPUT, links.shape[0])
        return activated(linear(call), self._back(call, channels @ links, OUTPUT))

    def needed(self, call: Call, outputs: Sequence[Pattern]) -> list[Pattern]:
        links = self.paths(call)
        before = before_activation(linear(call), outputs)
        channels = self._channels(call, before, OUTPUT, links.shape[1])
        return [self._back(call, channels @ links.T, INPUT)]

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
        return np.repeat(inputs.T @ outputs, len(links) // n_inputs, axis=0) & links

    # Making it narrower

    sized = True
    makes_channels = True  # that are no inputs, so that constant inputs end here
    width: str  # setting that has the number of output channels

    def labels(
        self, call: Call, inputs: Sequence[LabelPattern], labels: Labels
    ) -> list[LabelPattern]:
        if not self.is_plain(call.layer):
            return super().labels(call, inputs, labels)
        n_inputs, n_outputs = self.kernels(call.layer).shape[1:]
        given = labels.tie_along(inputs[0], set(range(inputs[0].ndim)) - {self.axis(call, INPUT)})
        channels = np.broadcast_to(given.ravel(), n_inputs)
        shape = np.ones(len(call.output_shapes[0]), int)
        shape[self.axis(call, OUTPUT)] = n_outputs
        made = self.made_of(call.layer, channels, n_outputs, labels).reshape(shape)
        return activated_labels(linear(call), made, labels)

    def is_plain(self, layer: Any) -> bool:
        """Whether the layer's weights are its kernels and bias alone."""
        special = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
        return not special and not getattr(activation_of(layer), "weights", ())

    def axis(self, call: Call, side: int) -> int:
        """Axis of the channels in patterns of the input or output."""
        shape = (call.input_shapes, call.output_shapes)[side][0]
        return channel_axis(call.layer) % len(shape)

    def made_of(
        self, layer: Any, channels: LabelPattern, n_outputs: int, labels: Labels
    ) -> LabelPattern:
        """Labels of the output channels of a layer, given those of its input channels."""
        del layer, channels  # for kernels where they depend on these
        return labels.fresh((n_outputs,))

    def ends(self, call: Call, even: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which constant input channels add the same at all positions of the output.

        Args:
            call: The use of the layer.
            even: Whether a channel is the same at all positions.
            values: Of each channel, at one position.
        """
        return even & (self.is_even(call.layer) | (values == 0))

    def is_even(self, layer: Any) -> bool:
        """Whether an input that is the same at all positions gives such an output."""
        del layer  # for windows, which may reach over the border
        return True

    def settings(self, call: Call, kept: Kept) -> dict[str, Any]:
        more = {} if kept.constants is None else {"use_bias": True}
        return {self.width: int(self.stay(call, kept)[OUTPUT].sum()), **more}

    def weights(self, call: Call, kept: Kept) -> list[np.ndarray]:
        inputs, outputs = self.stay(call, kept)
        old = call.layer.get_weights()
        bias = old.pop() if call.layer.bias is not None else None
        if kept.constants is not None:
            shape = (-1, *(1,) * self.n_axes_behind(call))
            before = 0 if bias is None else bias.astype("float64")
            bias = before + kept.constants.reshape(shape)
        if kept.shares is not None:
            axis = self.input_axis(call.layer)
            old = [np.moveaxis(np.moveaxis(old[0], axis, -1) @ kept.shares, -1, axis)]
        new = self.cut(call.layer, old, inputs, outputs)
        return new if bias is None else [*new, bias[outputs]]

    def n_axes_behind(self, call: Call) -> int:
        """Axes of length 1 that a bias has behind its channels."""
        del call
        return 0

    def input_axis(self, layer: Any) -> int | None:
        """Axis of the kernel as it is stored; None where an input has no part of its own."""
        del layer
        return -2

    @abc.abstractmethod
    def cut(
        self, layer: Any, kernels: list[np.ndarray], inputs: np.ndarray, outputs: np.ndarray
    ) -> list[np.ndarray]:
        """The kernels, as the layer stores them, of input and output channels that stay."""

    def stay(self, call: Call, kept: Kept) -> tuple[np.ndarray, np.ndarray]:
        """Which input and output channels stay, booleans."""
        n_inputs, n_outputs = self.kernels(call.layer).shape[1:]
        return (
            along(kept.inputs[0], self.axis(call, INPUT), n_inputs),
            along(kept.outputs[0], self.axis(call, OUTPUT), n_outputs),
        )

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


def product(sizes: Shape, times: int = 1) -> int | None:
    """Product of sizes; None where one is free."""
    return None if None in sizes else math.prod(sizes) * times
