"""Whole-model sparsity: densities, the strength control, folding masks into stock layers.

In: Keras models that hold gated layers. Out: densities, penalties, plain Keras models.
May import keras, `layers` and `gates`; any Keras backend.
"""

from sparsevae.sparsity.control import Control
from sparsevae.sparsity.folding import fold
from sparsevae.sparsity.links import (
    gated_layers,
    layer_densities,
    masks,
    share_of_links,
    weighted_mean,
)
from sparsevae.sparsity.small_weights import cut_below, share_below
from sparsevae.sparsity.strength import Strength

__all__ = [
    "Control",
    "Strength",
    "cut_below",
    "fold",
    "gated_layers",
    "layer_densities",
    "masks",
    "share_below",
    "share_of_links",
    "weighted_mean",
]
