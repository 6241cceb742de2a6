"""What every compacted model is checked for."""

import keras
import numpy as np
from keras import ops

import sparsevae as sv
from sparsevae import sparsity
from sparsevae.sparsity.same_outputs import largest_difference


def outputs(model, x):
    return np.concatenate(
        [np.ravel(ops.convert_to_numpy(y)) for y in keras.tree.flatten(model(x, training=False))]
    )


def check_compact(model, **more):
    """The compacted model, of stock layers and with the same outputs."""
    small = sv.compact(model, **more)
    assert largest_difference(sv.harden(model), small) < 1e-5
    assert not sparsity.gated_layers(small)
    for a, b in zip((*model.inputs, *model.outputs), (*small.inputs, *small.outputs), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
    return small


def widths(model):
    return [layer.kernel.shape[-1] for layer in model.layers if hasattr(layer, "kernel")]
