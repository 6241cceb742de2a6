"""Gated convolutions."""

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer


def _spatial(shape, data_format):
    return tuple(shape[2:] if data_format == "channels_first" else shape[1:-1])


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv2D(GatedLayer, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with one gate for each (input channel, filter), over its window.

    Args:
        *args, **kwargs: Those of `keras.layers.Conv2D`, LoRA included (mask after K + B A).
        gate: Name of a gate, a `Gate` of this layer's own, or a saved config.

    Raises:
        ValueError: for `groups` above 1, an unknown gate, or one that belongs to another layer.
    """

    stock_class = keras.layers.Conv2D

    def _linear(self, inputs, kernel):
        return self.convolution_op(inputs, kernel)

    def _positions(self, input_shape):
        return _spatial(self.compute_output_shape(input_shape), self.data_format)


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv2DTranspose(GatedLayer, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with one gate for each (input channel, filter).

    Keras stores this kernel as `(height, width, out_channels, in_channels)`; the mask is
    `(in_channels, out_channels)` as everywhere.

    Args:
        *args, **kwargs: Those of `keras.layers.Conv2DTranspose`.
        gate: Name of a gate, a `Gate` of this layer's own, or a saved config.

    Raises:
        ValueError: for an unknown gate, or one that belongs to another layer.
    """

    stock_class = keras.layers.Conv2DTranspose
    _transposed = True

    @property
    def _raw_kernel(self):
        return self.kernel

    def _linear(self, inputs, kernel):
        return ops.conv_transpose(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def _positions(self, input_shape):
        return _spatial(input_shape, self.data_format)
