"""Densities and prices over all gated layers of a model."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.layers import GatedLayer

WEIGHTINGS = ("layers", "links", "parameters", "flops")


def gated_layers(model: keras.layers.Layer) -> list[GatedLayer]:
    """All gated layers of a model, nested ones too, each once, in the model's own order."""
    if isinstance(model, GatedLayer):
        return [model]
    inner = model.layers if isinstance(model, keras.Model) else model._layers
    found = [gated for layer in inner for gated in gated_layers(layer)]
    return list({id(layer): layer for layer in found}.values())


def check_gate(layer: GatedLayer) -> None:
    """Refuses a gate of which no link is open or closed.

    Raises:
        ValueError: if one of its parameters is NaN.
    """
    gate = layer.gate
    numbers = [ops.cast(values, "float32") for values in (*gate.weights, gate.open_probability())]
    if any(np.isnan(ops.convert_to_numpy(values)).any() for values in numbers):
        raise ValueError(
            f"The gate of layer {layer.name!r} must have parameters that are numbers: the model "
            "has diverged, go back to a checkpoint. Received: NaN"
        )


def open_links(layer: GatedLayer) -> np.ndarray:
    """Links of a layer that the test rule leaves open, booleans `(in_channels, out_channels)`.

    Raises:
        ValueError: as `check_gate`.
    """
    check_gate(layer)
    return ops.convert_to_numpy(layer.open_links()).astype(bool)


def by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Dict of (name, value) pairs; as in Keras files, a name used before gets `_1`, `_2`."""
    found = {}
    for name, value in pairs:
        n_before = itertools.count(1)
        key = name
        while key in found:
            key = f"{name}_{next(n_before)}"
        found[key] = value
    return found


def layer_weights(layers: Sequence[GatedLayer], weighting: str) -> list[float]:
    """What each layer's mean counts for in a mean over the model; sums to 1.

    `"layers"`: all the same. Else in proportion to what the layer holds: `"links"` (where gates
    switch weights, each weight is one), `"parameters"` (kernel weights), `"flops"`
    (multiplications for one observation).

    Raises:
        ValueError: for `"flops"` where a layer's image size is unknown.
    """
    check_choice("weighting", weighting, WEIGHTINGS)
    if weighting == "layers":
        return [1 / len(layers)] * len(layers)
    totals = []
    for layer in layers:
        per_gate = {
            "links": layer.links_per_gate,
            "parameters": layer.parameters_per_gate,
            "flops": layer.multiplications_per_gate,
        }[weighting]
        if per_gate is None:
            raise ValueError(
                'weighting="flops" needs the image size of every gated layer. '
                f"Received: a model whose layer {layer.name!r} takes images of any size"
            )
        totals.append(per_gate * math.prod(layer.gate.mask_shape))
    return [total / sum(totals) for total in totals]


def weighted_mean(layers: Sequence[GatedLayer], weighting: str, of: Callable) -> Any:
    """Mean over the model of `of(layer)`, one entry for each gate or their mean; scalar."""
    weights = layer_weights(layers, weighting)
    means = [ops.mean(ops.cast(of(layer), "float32")) for layer in layers]
    return sum(weight * mean for weight, mean in zip(weights, means, strict=True))


def share_of_links(layers: Sequence[GatedLayer], of: Callable) -> Any:
    """Share of all links for which `of(layer)`, booleans for each gate, is true; in [0, 1]."""
    counts = [layer.links_per_gate * ops.sum(ops.cast(of(layer), "float32")) for layer in layers]
    n_links = sum(layer.links_per_gate * math.prod(layer.gate.mask_shape) for layer in layers)
    return sum(counts) / n_links


def layer_densities(model: keras.Model) -> dict[str, Any]:
    """Share of links that the test rule leaves open, in [0, 1], by name of gated layer."""
    return by_name((layer.name, _density(layer.gate)) for layer in gated_layers(model))


def _density(gate):
    """NaN where a parameter is NaN, of which no comparison would tell."""
    density = ops.mean(ops.cast(gate.support(), "float32"))
    return density + 0.0 * ops.mean(gate.open_probability())


def density(layers: Sequence[GatedLayer]) -> Any:
    """Share of all links that the test rule leaves open, in [0, 1]; NaN if a parameter is."""
    return weighted_mean(layers, "links", lambda layer: _density(layer.gate))


def masks(model: keras.Model) -> dict[str, Any]:
    """Masks of the test rule by name of layer, float32 arrays `(in_channels, out_channels)`.

    Where gates switch weights, a link's entry is the mean over its window.
    """
    return by_name(
        (layer.name, ops.convert_to_numpy(layer.link_mask())) for layer in gated_layers(model)
    )
