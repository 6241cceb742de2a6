"""Latents between an encoder and a decoder that carry nothing."""

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.liveness import follow
from sparsevae.sparsity.liveness.pattern import along


def closed_latents(encoder: keras.Model, decoder: keras.Model) -> np.ndarray:
    """Latents that do not vary with the encoder's input and that the decoder does not need.

    Returns:
        Booleans `(latent_dim,)`. Where all are closed, all but the first: no model has none.
    """
    made, taken = follow(encoder), follow(decoder)
    n = encoder.outputs[0].shape[-1]
    live = [along(made.varying[number], -1, n) for number in made.graph.outputs]
    live += [along(taken.needed[number], -1, n) for number in taken.graph.inputs]
    closed = ~np.any(live, axis=0)
    closed[0] &= not closed.all()
    return closed


def without_outputs(model: keras.Model, stay: np.ndarray) -> keras.Model:
    """The model with only those entries of its outputs."""
    given, indices = keras.Input(model.inputs[0].shape[1:]), np.flatnonzero(stay)
    made = keras.tree.flatten(model(given))
    return keras.Model(given, [ops.take(x, indices, axis=-1) for x in made])


def without_inputs(model: keras.Model, stay: np.ndarray) -> keras.Model:
    """The model with only those entries of its input; the others are 0."""
    (given,) = model.inputs
    fewer = keras.Input((*given.shape[1:-1], int(stay.sum())), dtype=given.dtype)
    places = np.eye(len(stay), dtype=given.dtype)[stay]
    return keras.Model(fewer, model(ops.matmul(fewer, places)))
