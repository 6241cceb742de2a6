"""Exactly so many gates of a model are left open, by scores; before it trains."""

import math
from collections.abc import Sequence

import keras
import numpy as np

from sparsevae.checks import check_choice
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.fixed_mask import FixedMask
from sparsevae.sparsity.pruned_masks import gate_masks, pruned_layers, set_gate_masks
from sparsevae.sparsity.pruning import SCOPES
from sparsevae.sparsity.selection import check_density, largest_of_array, shares


def check_start(model: keras.Model, density: float, scope: str = "global") -> list[GatedLayer]:
    """The gated layers of a model whose masks may be chosen now.

    Raises:
        ValueError: if gates are not `gates.Pruned`, one is closed already, a control would change
            the masks; or for another density or scope than there is.
    """
    check_density(density)
    check_choice("scope", scope, SCOPES)
    layers = pruned_layers(model)
    control = getattr(model, "control", None)
    if not isinstance(control, (type(None), FixedMask)):
        raise ValueError(
            "`model` must have a control that keeps masks, sparsevae.sparsity.FixedMask(), or "
            f"none. Received: {type(control).__name__}"
        )
    for name, mask in gate_masks(model).items():
        if not mask.all():
            raise ValueError(f"`model` must have no closed gates yet. Received: some in {name!r}")
    return layers


def open_largest(
    model: keras.Model, scores: Sequence[np.ndarray], density: float, scope: str
) -> None:
    """Closes all gates of a model but those of the largest scores; see `largest_of`."""
    shapes = [layer.kernel_shape for layer in pruned_layers(model)]
    chosen = largest_of(scores, density, scope, shapes)
    set_gate_masks(model, dict(zip(gate_masks(model), chosen, strict=True)))


def largest_of(
    scores: Sequence[np.ndarray],
    density: float,
    scope: str = "global",
    shapes: Sequence[tuple[int, ...]] = (),
) -> list[np.ndarray]:
    """Booleans like the scores: true at `density` of all, to the rounding of one, at least one.

    Args:
        scores: Of each layer, finite.
        density: In (0, 1].
        scope: "global": the largest of all; "layer", "erk": see `selection.shares`.
        shapes: Of each layer's kernel, for "erk".
    """
    sizes = [score.size for score in scores]
    if scope != "global":
        counts = shares(sizes, density, scope, shapes)
        return [largest_of_array(score, n) for score, n in zip(scores, counts, strict=True)]
    n = max(1, math.floor(density * sum(sizes) + 0.5))
    chosen = largest_of_array(np.concatenate([score.reshape(-1) for score in scores]), n)
    parts = np.split(chosen, np.cumsum(sizes)[:-1])
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]


def check_scores(scores: Sequence[np.ndarray], of: str, hint: str) -> None:
    """Refuses scores that choose nothing.

    Args:
        scores: Of each layer.
        of: What they are the derivatives of.
        hint: What the user may look at.
    """
    if not all(np.isfinite(score).all() for score in scores):
        raise ValueError(f"{of} must have finite derivatives. Received: NaN or infinity; {hint}")
    if not any(score.any() for score in scores):
        raise ValueError(f"{of} must depend on some gate. Received: derivatives of 0; {hint}")
