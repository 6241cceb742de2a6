"""Gated transposed convolutions."""

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer
from sparsevae.layers.images import spatial


class _GatedTransposedConvolution(GatedLayer):
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
        return spatial(input_shape, self.data_format)


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv1DTranspose(_GatedTransposedConvolution, keras.layers.Conv1DTranspose):
    """`keras.layers.Conv1DTranspose` with one gate for each (input channel, filter).

    Args:
        *args, **kwargs: Those of `keras.layers.Conv1DTranspose`.
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: as `GatedConv2DTranspose`.
    """

    stock_class = keras.layers.Conv1DTranspose


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv2DTranspose(_GatedTransposedConvolution, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with one gate for each (input channel, filter).

    Keras stores this kernel as `(height, width, out_channels, in_channels)`; the mask is
    `(in_channels, out_channels)` as everywhere.

    Args:
        *args, **kwargs: Those of `keras.layers.Conv2DTranspose`.
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: for an unknown gate or granularity, or a gate that belongs to another layer.
    """

    stock_class = keras.layers.Conv2DTranspose


@keras.saving.register_keras_serializable("sparsevae")
class GatedConv3DTranspose(_GatedTransposedConvolution, keras.layers.Conv3DTranspose):
    """`keras.layers.Conv3DTranspose` with one gate for each (input channel, filter).

    Args:
        *args, **kwargs: Those of `keras.layers.Conv3DTranspose`.
        gate, granularity: See `GatedLayer`.

    Raises:
        ValueError: as `GatedConv2DTranspose`.
    """

    stock_class = keras.layers.Conv3DTranspose
