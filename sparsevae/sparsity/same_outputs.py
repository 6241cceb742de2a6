"""Whether two models give the same outputs."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.hardening import HALVES, harden
from sparsevae.sparsity.liveness.graph import function_of

TOLERANCE = 1e-5  # of 1 + the largest output
_N_NUMBERS = 2**18  # in a batch of inputs, at most
_FREE = 12  # length of axes of any length


def largest_difference(first: keras.Model, second: keras.Model) -> float:
    """Largest difference of outputs, as a share of 1 + the largest output.

    On random inputs of unit variance, on zeros, and on random ones 30 times as large; integers,
    which may be indices, are 0 and 1. Models of half precision are compared in float32, where
    what differs is not rounding. NaN if an output of the second alone is.
    """
    first, second = (not_half(model) for model in (first, second))
    largest = 0.0
    for given in inputs_for(first):
        pairs = zip(*(_outputs(model, given) for model in (first, second)), strict=True)
        for a, b in pairs:
            same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinite ones too
            with np.errstate(invalid="ignore"):
                apart = np.where(same, 0.0, np.abs(a - b))
            size = np.abs(a[np.isfinite(a)]).max(initial=0.0)
            largest = max(largest, float(apart.max(initial=0.0)) / (1.0 + float(size)), key=_worse)
    return largest


def _worse(number):
    return (np.isnan(number), number)


def not_half(model: keras.Model) -> keras.Model:
    """The model, or its float32 copy if it computes anything in half precision."""
    dtypes = {layer.compute_dtype for layer in model._flatten_layers()}
    return harden(model, "float32") if dtypes & {*HALVES} else model


def inputs_for(model: keras.Model, n: int = 64) -> Iterator[Any]:
    """Batches of random, zero and large inputs, in the structure that the model takes."""
    shapes = [[_FREE if size is None else size for size in x.shape[1:]] for x in model.inputs]
    n = max(1, min(n, _N_NUMBERS // max(1, sum(int(np.prod(shape)) for shape in shapes))))
    rng = np.random.default_rng(0)
    for size in (1.0, 0.0, 30.0):
        drawn = []
        for x, shape in zip(model.inputs, shapes, strict=True):
            whole = "int" in x.dtype or x.dtype == "bool"
            values = rng.integers(0, 2, (n, *shape)) if whole else rng.normal(size=(n, *shape))
            drawn.append(ops.cast(values * (size > 0 if whole else size), x.dtype))
        yield keras.tree.pack_sequence_as(function_of(model)._inputs_struct, drawn)


def _outputs(model, given):
    found = keras.tree.flatten(model(given, training=False))
    return [ops.convert_to_numpy(output).astype("float64") for output in found]
