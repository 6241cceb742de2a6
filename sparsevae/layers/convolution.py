"""Gated convolutions."""

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer
from sparsevae.layers.images import spatial


class _GatedConvolution(GatedLayer):
    def _linear(self, inputs, kernel):
        return self.convolution_op(inputs, kernel)

    def _positions(self, input_shape):
        return spatial(self.compute_output_shape(input_shape), self.data_format)


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv1D(_GatedConvolution, keras.layers.Conv1D):
    """`keras.layers.Conv1D` with one gate for each (input channel, filter), over its window.

    Args:
        *args, **kwargs: Those of `keras.layers.Conv1D`, LoRA and causal padding included.
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: as `GatedConv2D`.
    """

    stock_class = keras.layers.Conv1D

    def _linear(self, inputs, kernel):
        if self.padding == "causal":
            time = -1 if self.data_format == "channels_first" else 1
            before = [[0, 0], [0, 0], [0, 0]]
            before[time][0] = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            inputs = ops.pad(inputs, before)
        return ops.conv(
            inputs,
            kernel,
            strides=list(self.strides),
            padding="valid" if self.padding == "causal" else self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv2D(_GatedConvolution, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with one gate for each (input channel, filter), over its window.

    Args:
        *args, **kwargs: Those of `keras.layers.Conv2D`, LoRA included (mask after K + B A).
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: for `groups` above 1, an unknown gate or granularity, or a gate that belongs
            to another layer.
    """

    stock_class = keras.layers.Conv2D


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv3D(_GatedConvolution, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with one gate for each (input channel, filter), over its window.

    Args:
        *args, **kwargs: Those of `keras.layers.Conv3D`, LoRA included (mask after K + B A).
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: as `GatedConv2D`.
    """

    stock_class = keras.layers.Conv3D
