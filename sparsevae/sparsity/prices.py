"""What all links together cost, and how dense the model is by the same measure."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import weighted_mean


def learnable(layers: Sequence[GatedLayer]) -> list[GatedLayer]:
    """Layers whose gates can still learn."""
    return [layer for layer in layers if layer.gate.trainable_variables]


def mean_cost(layers: Sequence[GatedLayer], weighting: str) -> Any:
    """Mean cost of the links that can learn, a scalar; 0 where none can."""
    priced = learnable(layers)
    if not priced:
        return ops.zeros((), "float32")
    return weighted_mean(priced, weighting, lambda layer: layer.mean_cost())


def n_gates(layers: Sequence[GatedLayer]) -> int:
    """Number of all gates that can learn."""
    return sum(math.prod(layer.gate.mask_shape) for layer in learnable(layers))


def mean_over(layers: Sequence[GatedLayer], of: Callable[[GatedLayer], Any]) -> Any:
    """Mean over all gates that can learn of `of(layer)`, means of layers; 0 if there are none."""
    layers = learnable(layers)
    sizes = [math.prod(layer.gate.mask_shape) for layer in layers]
    parts = [size / sum(sizes) * of(layer) for size, layer in zip(sizes, layers, strict=True)]
    return ops.convert_to_tensor(sum(parts, 0.0), "float32")


def open_share(layer: GatedLayer) -> Any:
    """Share of a layer's gates that the test rule leaves open, in [0, 1]."""
    return ops.mean(ops.cast(layer.gate.support(), "float32"))
