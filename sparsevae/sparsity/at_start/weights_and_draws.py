"""Masks by the size of weights, and random ones."""

import keras
import numpy as np
from keras import ops

from sparsevae.checks import check_integer
from sparsevae.sparsity.at_start.choice import check_start, open_largest
from sparsevae.sparsity.pruned_masks import gate_masks, set_gate_masks
from sparsevae.sparsity.pruning import magnitudes
from sparsevae.sparsity.selection import largest_of_array


def magnitude(model: keras.Model, density: float, scope: str = "global") -> None:
    """Keeps the gates of the largest weights (root mean square); closes the others.

    Args:
        model: With `gates.Pruned` in all gated layers, all open.
        density: Float in (0, 1]: share of all gates that stay open, to the rounding of one.
        scope: "global": a layer may lose all; or "layer" or "erk", see `selection.shares`.

    Raises:
        ValueError: as `check_start`.
    """
    layers = check_start(model, density, scope)
    scores = [ops.convert_to_numpy(magnitudes(layer)) for layer in layers]
    open_largest(model, scores, density, scope)


def random(model: keras.Model, density: float, scope: str = "layer", seed: int = 0) -> None:
    """Keeps gates at random; closes the others.

    Args:
        model, density: As of `magnitude`.
        scope: "layer": the same share of each; "erk": see `selection.shares`; "global": any.
        seed: Of the draw, at least 0.

    Raises:
        ValueError: as `check_start`.
    """
    layers = check_start(model, density, scope)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    open_largest(model, [rng.random(layer.gate.mask_shape) for layer in layers], density, scope)


def random_like(model: keras.Model, other: keras.Model, seed: int = 0) -> None:
    """Keeps as many gates of each layer as another model has open, at random; closes the others.

    The control for any way to choose a mask: all that is left of it are the layers' densities.

    Args:
        model: As of `magnitude`.
        other: Model with `gates.Pruned` in the same layers.
        seed: Of the draw, at least 0.

    Raises:
        ValueError: as `check_start`, or if layers have other names or masks of other shapes.
    """
    check_start(model, 1.0)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    masks = gate_masks(other)
    chosen = {name: largest_of_array(rng.random(m.shape), m.sum()) for name, m in masks.items()}
    set_gate_masks(model, chosen)
