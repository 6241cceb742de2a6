"""Gated layers: stock Keras layers whose kernel is multiplied by the mask of a gate.

In: the stock layer's arguments and `gate=`. Out: Keras layers for any model and backend.
May import keras and `gates`; only this room knows how Keras stores a kernel.
"""

from sparsevae.layers.convolution import GatedConv2D, GatedConv2DTranspose
from sparsevae.layers.dense import GatedDense
from sparsevae.layers.gated import GatedLayer

__all__ = ["GatedConv2D", "GatedConv2DTranspose", "GatedDense", "GatedLayer"]
