"""SNIP: what the loss would notice."""

from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.at_start.choice import check_scores, check_start, open_largest
from sparsevae.training import gradients


def snip(model: keras.Model, density: float, x: Any, y: Any = None, scope: str = "global") -> None:
    """Keeps the gates to which the loss of one batch is most sensitive; closes the others.

    The score of a gate is |d loss / d mask| with all gates open, that is |sum of g * w| over the
    weights behind it. In training mode, so BatchNormalization uses the batch; no state changes.

    Args:
        model: Compiled, with `gates.Pruned` in all gated layers, all open.
        density: Float in (0, 1]: share of all gates that stay open, to the rounding of one.
        x, y: One batch, as `train_on_batch` takes it. The paper takes ten images of each class.
        scope: "global", as in the paper: a layer may lose all; or "layer" or "erk", see
            `selection.shares`.

    Raises:
        TypeError: if `x` or `y` holds anything but arrays.
        ValueError: if `y` is missing, the model is not compiled, or as `check_start`; if the loss
            is not finite or depends on no gate.

    References:
        Lee et al. 2019, SNIP: Single-shot network pruning based on connection sensitivity,
        algorithm 1, 1810.02340.
    """
    layers = check_start(model, density, scope)
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled, as `snip` looks at its loss. Received: a model that is not"
        )
    _check_batch("x", x)
    if y is not None:
        _check_batch("y", y)
    elif model.loss is not None:
        raise ValueError(
            "`y` must be given, as the model's loss compares with it. Received: y=None"
        )
    x, y = (keras.tree.map_structure(ops.convert_to_tensor, part) for part in (x, y))

    def loss():
        return model.compute_loss(x, y, model(x, training=True))

    found = gradients(loss, [layer.gate.open for layer in layers])
    scores = [np.abs(gradient) for gradient in found]
    check_scores(scores, "The loss of `x` and `y`", "look at the loss and at the data")
    open_largest(model, scores, density, scope)


def _check_batch(name, part):
    for array in keras.tree.flatten(part):
        if not getattr(array, "shape", ()):
            raise TypeError(
                f"`{name}` must be one batch, an array or a structure of arrays with the samples "
                f"first, as `train_on_batch` takes it. Received: {type(part).__name__}"
            )
