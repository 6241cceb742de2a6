"""Gated einsum layer."""

import re
from typing import Any

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer


def channels(equation: str) -> tuple[str, str] | None:
    """Letters of a kernel's input and output channels; None where they are not its two axes.

    One of them may be an axis of positions too, which input and output share: `"ab,bc->acb"` has
    the input channels b, and gives each output channel c all of them; `"acb,bc->ac"` is the way
    back, where each output channel has inputs of its own.
    """
    match = re.fullmatch("([a-zA-Z.]+),([a-zA-Z]{2})->([a-zA-Z.]+)", equation)
    inputs, kernel, outputs = match.groups() if match else ("", "", "")
    summed = [axis for axis in kernel if axis in inputs and axis not in outputs]
    new = [axis for axis in kernel if axis in outputs and axis not in inputs]
    shared = [axis for axis in kernel if axis in inputs and axis in outputs]
    given, made = summed or shared, new or shared
    known = len(summed) + len(new) + len(shared) == 2
    return (*given, *made) if known and len(given) == len(made) == 1 else None


def feature_mask(layer: keras.layers.Layer) -> Any | None:
    """Kernel `(latent_dim, n_features)` of a layer that maps z to `w_j * z` for each feature j.

    That is `keras.layers.EinsumDense("bk,kj->bjk", (n_features, latent_dim))` or a gated one.

    Returns:
        The kernel, as it is stored but for the order of its axes; None for any other layer.
    """
    if not isinstance(layer, keras.layers.EinsumDense) or channels(layer.equation) is None:
        return None
    inputs, kernel, outputs = re.split(",|->", layer.equation)
    latent, feature = channels(layer.equation)
    if latent not in outputs or feature in inputs:
        return None
    return layer.kernel if kernel[0] == latent else ops.transpose(layer.kernel)


@keras.saving.register_keras_serializable("sparsevae")
class GatedEinsumDense(GatedLayer, keras.layers.EinsumDense):
    """`keras.layers.EinsumDense` with one gate for each (input, output) channel of its kernel.

    The kernel must have two axes, in either order. One is summed over or one is new in the output,
    or both are so, as in `"abc,cd->abd"` or `"...x,yx->...y"`. Where one is neither, it is one of
    positions too: `"bk,kj->bjk"` gives each feature j the latents k that it has links to, and
    `"bjh,hj->bj"` reads each feature j from hidden units of its own.

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
        _, kernel, _ = re.split(",|->", self.equation)
        _, out_axis = channels(self.equation)
        self._transposed = kernel[0] == out_axis
        if self.granularity == "channels" and self.bias_axes not in (None, out_axis):
            raise ValueError(
                f"`bias_axes` must be {out_axis!r}, the output channel, or None where gates switch "
                f"channels. Received: bias_axes={self.bias_axes!r}"
            )

    @classmethod
    def refusal(cls, layer: keras.layers.Layer) -> str | None:
        if channels(layer.equation) is None:
            return (
                "`equation` must have a kernel of two axes, one of the input and another one of "
                f"the output, as 'abc,cd->abd'. Received: equation={layer.equation!r}"
            )
        return super().refusal(layer)

    @property
    def _bias_shape(self):
        return self.bias.shape

    def _linear(self, inputs, kernel):
        return ops.einsum(self.equation, inputs, kernel)

    def _positions(self, input_shape):
        inputs, kernel, _ = re.split(",|->", self.equation)
        before, _, behind = inputs.partition("...")
        n_free = len(input_shape) - len(before + behind)
        axes = [*before, *n_free * ["..."], *behind]
        sizes = [size for axis, size in zip(axes, input_shape, strict=True) if axis not in kernel]
        return sizes[1:]
