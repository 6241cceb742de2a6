"""Gated separable convolutions: gates on the kernel that mixes channels."""

from typing import Any

import keras
from keras import ops

from sparsevae.layers.gated import GatedLayer
from sparsevae.layers.images import spatial


class _GatedSeparableConvolution(GatedLayer):
    _kernel_name = "pointwise_kernel"

    @property
    def _raw_kernel(self):
        return self.pointwise_kernel

    def _linear(self, inputs, kernel):
        return ops.separable_conv(
            inputs,
            self.depthwise_kernel,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def _positions(self, input_shape):
        return spatial(self.compute_output_shape(input_shape), self.data_format)

    def stock_weights(self) -> list[Any]:
        return [self.depthwise_kernel, *super().stock_weights()]


@keras.saving.register_keras_serializable("sparsevae")
class GatedSeparableConv1D(_GatedSeparableConvolution, keras.layers.SeparableConv1D):
    """`keras.layers.SeparableConv1D` with gates on its pointwise kernel.

    Args:
        *args, **kwargs: Those of `keras.layers.SeparableConv1D`.
        gate, granularity: See `GatedSeparableConv2D`.

    Raises:
        ValueError: as `GatedSeparableConv2D`.
    """

    stock_class = keras.layers.SeparableConv1D


@keras.saving.register_keras_serializable("sparsevae")
class GatedSeparableConv2D(_GatedSeparableConvolution, keras.layers.SeparableConv2D):
    """`keras.layers.SeparableConv2D` with gates on its pointwise kernel.

    The depthwise kernel, which mixes no channels, is left alone: the input channels of a mask are
    its outputs, `depth_multiplier` for each channel of the image.

    Args:
        *args, **kwargs: Those of `keras.layers.SeparableConv2D`.
        gate, granularity: See `GatedLayer`; `"weights"` are the links here.

    Raises:
        ValueError: for an unknown gate or granularity, or a gate that belongs to another layer.
    """

    stock_class = keras.layers.SeparableConv2D
