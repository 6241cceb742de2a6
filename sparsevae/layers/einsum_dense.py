"""Gated einsum layer."""

import re
from typing import Any

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer


def _channels(equation):
    """Letters of a kernel's input and output channels; None where it has other axes than these."""
    match = re.fullmatch("([a-zA-Z.]+),([a-zA-Z]{2})->([a-zA-Z.]+)", equation)
    inputs, kernel, outputs = match.groups() if match else ("", "", "")
    summed = [axis for axis in kernel if axis in inputs and axis not in outputs]
    new = [axis for axis in kernel if axis in outputs and axis not in inputs]
    return (*summed, *new) if len(summed) == len(new) == 1 else None


@keras.saving.register_keras_serializable("sparsevae")
class GatedEinsumDense(GatedLayer, keras.layers.EinsumDense):
    """`keras.layers.EinsumDense` with one gate for each (input, output) channel of its kernel.

    The kernel must have two axes, in either order: one that is summed over and one that is new in
    the output, as in `"abc,cd->abd"` or `"...x,yx->...y"`.

    Args:
        *args, **kwargs: Those of `keras.layers.EinsumDense`, LoRA included (mask after K + B A).
        gate, granularity: See `GatedLayer`; `"weights"` are the links here. `"channels"` needs
            `bias_axes` to be the output channel alone, or None.

    Raises:
        ValueError: for kernels with other axes, an unknown gate or granularity, or a gate that
            belongs to another layer.
    """

    stock_class = keras.layers.EinsumDense

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        inputs, kernel, _ = re.split(",|->", self.equation)
        in_axis, out_axis = _channels(self.equation)
        self._transposed = kernel[0] == out_axis
        # ahead of an ellipsis axes are counted from the front, behind it from the back
        place = inputs.replace("...", "").index(in_axis)
        self._in_place = place - len(inputs) + 3 if inputs.startswith("...") else place
        if self.granularity == "channels" and self.bias_axes not in (None, out_axis):
            raise ValueError(
                f"`bias_axes` must be {out_axis!r}, the output channel, or None where gates switch "
                f"channels. Received: bias_axes={self.bias_axes!r}"
            )

    @classmethod
    def refusal(cls, layer: keras.layers.Layer) -> str | None:
        if _channels(layer.equation) is None:
            return (
                "`equation` must have a kernel of two axes, one summed over and one new in the "
                f"output, as 'abc,cd->abd'. Received: equation={layer.equation!r}"
            )
        return super().refusal(layer)

    @property
    def _bias_shape(self):
        return self.bias.shape

    def _linear(self, inputs, kernel):
        return ops.einsum(self.equation, inputs, kernel)

    def _positions(self, input_shape):
        sizes = list(input_shape)
        del sizes[self._in_place]
        return sizes[1:]
