"""Gated layers: stock Keras layers whose kernel is multiplied by the mask of a gate.

In: the stock layer's arguments, `gate=` and `granularity=`. Out: Keras layers for any model and
backend. May import keras and `gates`; only this room knows how Keras stores a kernel.
"""

from sparsevae.layers.convolution import GatedConv1D, GatedConv2D, GatedConv3D
from sparsevae.layers.dense import GatedDense
from sparsevae.layers.einsum_dense import GatedEinsumDense, feature_mask
from sparsevae.layers.gated import GatedLayer
from sparsevae.layers.separable_convolution import GatedSeparableConv1D, GatedSeparableConv2D
from sparsevae.layers.stock import copy_stock_weights, from_stock, gated_class, why_not_gated
from sparsevae.layers.transposed_convolution import (
    GatedConv1DTranspose,
    GatedConv2DTranspose,
    GatedConv3DTranspose,
)

__all__ = [
    "GatedConv1D",
    "GatedConv1DTranspose",
    "GatedConv2D",
    "GatedConv2DTranspose",
    "GatedConv3D",
    "GatedConv3DTranspose",
    "GatedDense",
    "GatedEinsumDense",
    "GatedLayer",
    "GatedSeparableConv1D",
    "GatedSeparableConv2D",
    "copy_stock_weights",
    "feature_mask",
    "from_stock",
    "gated_class",
    "why_not_gated",
]
