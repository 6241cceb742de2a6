"""Whether two models give the same outputs."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.copying import HALVES
from sparsevae.sparsity.hardening import harden
from sparsevae.sparsity.liveness.graph import Graph, function_of, graph_of

_TOLERANCES = {"bfloat16": 2**-7, "float16": 2**-10}  # constants are rounded to biases of these
_N_NUMBERS = 2**18  # in a batch of inputs, at most
_FREE = (64, 32, 96, 128, 256, 16, 12, 20, 512)  # lengths to try for axes of any length


def largest_difference(first: keras.Model, second: keras.Model) -> float:
    """Largest difference of outputs, as a share of 1 + the largest output.

    On random inputs of unit variance, on zeros, and on random ones 30 times as large; integers,
    which may be indices, are small. Models of half precision are compared in float32, where
    what differs is not rounding. Where an output of the first is NaN, as 0 times infinity, nothing
    is compared; NaN if one of the second alone is.

    Raises:
        ValueError: if the first model draws numbers that cannot be drawn again.
    """
    first, second = (not_half(model) for model in (first, second))
    largest = 0.0
    for number, given in enumerate(inputs_for(first)):
        wanted, found = (_outputs(model, given) for model in (first, second))
        if not number:
            _check_repeats(first, wanted, _outputs(first, given))
        for a, b in zip(wanted, found, strict=True):
            with np.errstate(invalid="ignore"):
                apart = np.where((a == b) | np.isnan(a), 0.0, np.abs(a - b))
            size = np.abs(a[np.isfinite(a)]).max(initial=0.0)
            largest = max(largest, float(apart.max(initial=0.0)) / (1.0 + float(size)), key=_worse)
    return largest


def tolerance_of(model: keras.Model) -> float:
    """How much outputs may differ at most, as a share of 1 + the largest output."""
    return max([1e-5, *(_TOLERANCES.get(weight.dtype, 0.0) for weight in model.weights)])


def _check_repeats(model, first, second):
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True)):
        raise ValueError(
            "`model` must give the same outputs again: layers that draw random numbers need a "
            f"keras.random.SeedGenerator of their own. Received: {model.name!r}"
        )


def _worse(number):
    return (np.isnan(number), number)


def not_half(model: keras.Model) -> keras.Model:
    """The model, or its float32 copy if it computes anything in half precision."""
    dtypes = {layer.compute_dtype for layer in model._flatten_layers()}
    return harden(model, "float32") if dtypes & {*HALVES} else model


@contextlib.contextmanager
def unchanged(model: keras.Model) -> Iterator[None]:
    """Puts back seeds and statistics that calls of the model change."""
    layers = model._flatten_layers()
    states = keras.tree.flatten([getattr(layer, "states", None) for layer in layers])
    variables = [*model.non_trainable_variables, *(v for v in states if v is not None)]
    before = [ops.copy(variable) for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def inputs_for(model: keras.Model, n: int = 64) -> Iterator[Any]:
    """Batches of random, zero and large inputs, in the structure that the model takes."""
    shapes = shapes_of(model)
    n = max(1, min(n, _N_NUMBERS // max(1, sum(int(np.prod(shape)) for shape in shapes))))
    n = next((x.shape[0] for x in model.inputs if x.shape[0]), n)
    rng = np.random.default_rng(0)
    bounds = _bounds(graph_of(model))
    for size in (1.0, 0.0, 30.0):
        drawn = []
        for x, shape, bound in zip(model.inputs, shapes, bounds, strict=True):
            whole = bound is not None or "int" in x.dtype or x.dtype == "bool"
            values = rng.normal(size=(n, *shape))
            values = rng.integers(0, bound or 2, (n, *shape)) if whole else values
            drawn.append(ops.cast(values * (size > 0 if whole else size), x.dtype))
        yield _packed(model, drawn)


def shapes_of(model: keras.Model) -> list[tuple[int, ...]]:
    """Shapes of the inputs without the batch; free sizes are the first that the model can take.

    Raises:
        ValueError: if it takes none of those that are tried.
    """
    shapes = [tuple(x.shape[1:]) for x in model.inputs]
    if not any(None in shape for shape in shapes):
        return shapes
    for free in _FREE:
        tried = [tuple(size or free for size in shape) for shape in shapes]
        zeros = zeros_for(model, tried)
        specs = [keras.KerasTensor(zero.shape, zero.dtype) for zero in zeros]
        with contextlib.suppress(Exception), unchanged(model):  # as backends raise what they like
            model(_packed(model, specs), training=False)  # windows may not be larger than images
            model(_packed(model, zeros), training=False)
            return tried
    raise ValueError(
        "`model` must take inputs whose free sizes are all one of "
        f"{', '.join(map(str, sorted(_FREE)))}. Received: {model.name!r} with inputs {shapes}"
    )


def zeros_for(model: keras.Model, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """One observation of zeros for each input, or a batch where its size is fixed."""
    pairs = zip(model.inputs, shapes, strict=True)
    return [ops.zeros((x.shape[0] or 1, *shape), x.dtype) for x, shape in pairs]


def _packed(model, tensors):
    return keras.tree.pack_sequence_as(function_of(model)._inputs_struct, tensors)


def _bounds(graph: Graph) -> list[int | None]:
    """Of each input, the numbers below which are indices of all vectors that it chooses."""
    makers = {number: node for node in graph.nodes for number in node.outputs}
    found: dict[int, int] = {}
    for node in graph.nodes:
        if not isinstance(node.call.layer, keras.layers.Embedding):
            continue
        number = node.inputs[0]
        while number in makers and len(makers[number].inputs) == 1:
            (number,) = makers[number].inputs
        found[number] = min(found.get(number, node.call.layer.input_dim), node.call.layer.input_dim)
    return [found.get(number) for number in graph.inputs]


def _outputs(model, given):
    with unchanged(model):
        made = keras.tree.flatten(model(given, training=False))
    return [ops.convert_to_numpy(output).astype("float64") for output in made]
