"""Masks of `gates.Pruned` read and set from outside of training."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from sparsevae import gates
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import by_name, gated_layers


def pruned_layers(model: keras.Model) -> list[GatedLayer]:
    """The gated layers of a model whose masks can be set.

    Raises:
        ValueError: if there are none, or one of them has a gate that learns.
    """
    layers = gated_layers(model)
    others = [layer for layer in layers if not isinstance(layer.gate, gates.Pruned)]
    if not layers or others:
        found = f"{type(others[0].gate).__name__} in {others[0].name!r}" if others else "no gates"
        raise ValueError(
            "`model` must have gates.Pruned() in every gated layer, as sparsify(model, "
            f"control=FixedMask()) makes it. Received: {model.name!r} with {found}"
        )
    return layers


def gate_masks(model: keras.Model) -> dict[str, np.ndarray]:
    """Which gates are open by name of layer, booleans shaped like the gates' masks.

    Unlike `masks`, which is by link: with granularity "weights" there is an entry for each weight.

    Raises:
        ValueError: as `pruned_layers`.
    """
    layers = pruned_layers(model)
    return by_name((layer.name, ops.convert_to_numpy(layer.gate.open) > 0.5) for layer in layers)


def set_gate_masks(model: keras.Model, masks: Mapping[str, np.ndarray]) -> None:
    """Opens and closes gates, and sets to 0 the weights behind closed ones.

    Args:
        model: Whose gates are all `gates.Pruned`. A control that sets masks itself will go on to.
        masks: Booleans by name of layer, as of `gate_masks`.

    Raises:
        TypeError: if `masks` is no dict.
        ValueError: as `pruned_layers`, or for other names or shapes than the model's.
    """
    if not isinstance(masks, Mapping):
        raise TypeError(
            "`masks` must be a dict of booleans by name of layer, as `gate_masks(model)` gives. "
            f"Received: {type(masks).__name__}"
        )
    layers = by_name((layer.name, layer) for layer in pruned_layers(model))
    wanted = {name: tuple(layer.gate.mask_shape) for name, layer in layers.items()}
    received = {name: np.shape(mask) for name, mask in masks.items()}
    if received != wanted:
        raise ValueError(
            f"`masks` must hold these layers and shapes: {wanted}. Received: {received}"
        )
    for name, layer in layers.items():
        mask = ops.cast(np.asarray(masks[name], bool), "float32")
        layer.gate.open.assign(mask)
        for weight, value in zip(layer.switched_weights, layer.switched_by(mask), strict=True):
            weight.assign(value)
