"""The objective as a part of a model: checked, built, given to it."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from sparsevae.models.losses import SAMPLE, context_of, fold_in
from sparsevae.models.tracking import RESERVED
from sparsevae.objectives import Batch, Objective
from sparsevae.objectives.objective import check_objective


def ready_objective(vae: keras.Model, objective: Any) -> Objective:
    """The objective, built for a model.

    Raises:
        TypeError: if it is none.
        ValueError: if it could not be saved.
    """
    check_objective(objective, RESERVED)
    if not objective.built:
        objective.build({"images": (None, *vae.image_shape), "z": (None, vae.latent_dim)})
    if any(not layer.built for layer in objective._flatten_layers(include_self=False)):
        _build_by_use(vae, objective)
    objective.mark_weights()
    return objective


def _build_by_use(vae, objective):
    """Networks that get their shapes when they are first called are called, with two images."""
    images = tf.zeros((2, *vae.image_shape))
    seed = fold_in(vae.seed, SAMPLE)
    context = context_of(vae, objective, Batch(images, partner=images), seed, training=False)
    context = dataclasses.replace(context, n_data=vae.n_data or len(images))
    try:
        objective.losses(context)
        objective.own_losses(context)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"`objective` must make all weights in its `build`, or in `losses` from images alone. "
            f"Received: {type(objective).__name__} ({type(error).__name__}: {reason})"
        ) from error
