"""A Keras model as one list of calls, nested models unrolled."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import keras

from sparsevae.sparsity.liveness.elementwise import Elementwise
from sparsevae.sparsity.liveness.rule import UNKNOWN, Call, Rule, rule_of


@dataclasses.dataclass(frozen=True)
class Node:
    """A call, where Keras keeps it, and its rule.

    `inputs` and `outputs` number the tensors that it takes and makes.
    """

    call: Call
    source: Any
    rule: Rule
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can be computed, and the tensors that go in and come out."""

    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def has_graph(model: Any) -> bool:
    """Whether `model` is a functional or Sequential model whose shapes are known."""
    if not _as_written(model):
        return False
    return not isinstance(model, keras.Sequential) or model._functional is not None


def function_of(model: keras.Model) -> keras.Function:
    """What holds the graph of a model that `has_graph`."""
    return model._functional if isinstance(model, keras.Sequential) else model


def _as_written(model):
    """Whether Keras itself runs the model's graph: no `call` of its own."""
    known = isinstance(model, (keras.Sequential, keras.Function)) and isinstance(model, keras.Model)
    return known and type(model).call.__module__.startswith("keras.")


def graph_of(model: keras.Model) -> Graph:
    """The calls of a model that `has_graph`; a layer called twice has two nodes.

    Raises:
        ValueError: if a merging layer or a nested model takes masked tensors.
    """
    numbers = itertools.count()
    inputs = tuple(itertools.islice(numbers, len(model.inputs)))
    nodes, outputs = _unrolled(model, inputs, numbers)
    return Graph(tuple(nodes), inputs, tuple(outputs))


def _unrolled(model, inputs, numbers):
    """Nodes of a model whose inputs have the numbers `inputs`; numbers of its outputs."""
    function = function_of(model)
    number = dict(zip(map(id, function.inputs), inputs, strict=True))
    nodes = []
    for node in _in_order(function):
        _check_masks(node)
        if has_graph(node.operation):
            given = [number[id(tensor)] for tensor in _given(node)]
            inner, made = _unrolled(node.operation, given, numbers)
            nodes += inner
        else:
            given = tuple(number[id(tensor)] for tensor in node.input_tensors)
            made = tuple(itertools.islice(numbers, len(node.outputs)))
            nodes.append(_node(node, given, made))
        number.update(zip(map(id, node.outputs), made, strict=True))
    return nodes, [number[id(tensor)] for tensor in function.outputs]


def _in_order(function):
    """Nodes as they can be computed and, where that leaves a choice, in the model's own order."""
    place = {id(operation): k for k, operation in enumerate(function.operations)}
    nodes = function._nodes_by_depth
    for depth in sorted(nodes, reverse=True):
        made = [node for node in nodes[depth] if not node.is_input]
        yield from sorted(made, key=lambda node: place[id(node.operation)])


def _given(node):
    """Tensors given to a nested model, in the order of its `inputs`."""
    arguments = node.arguments
    given = arguments.args[0] if arguments.args else arguments.kwargs["inputs"]
    if _structure(given) == _structure(function_of(node.operation)._inputs_struct):
        return keras.tree.flatten(given)
    if isinstance(given, dict):
        names = keras.tree.flatten(_names(node.operation))
        return [given[name] for name in names]
    return keras.tree.flatten(given)


def _structure(given):
    """Nested keys and lengths, whatever the leaves are."""
    if isinstance(given, dict):
        return {key: _structure(value) for key, value in given.items()}
    return [_structure(x) for x in given] if isinstance(given, (list, tuple)) else None


def _names(model):
    struct = model._inputs_struct
    if isinstance(struct, dict):
        return {name: name for name in struct}
    return [tensor.name for tensor in model.inputs]


def _node(node, inputs, outputs):
    rule = rule_of(node.operation)
    shapes = [
        tuple(tuple(tensor.shape[1:]) for tensor in tensors)
        for tensors in (node.input_tensors, node.outputs)
    ]
    fits = len(outputs) == 1 and (rule.several_inputs or len(inputs) == 1)
    # told to work as in training, a layer is another one: statistics of batches, noise
    fits = fits and not node.arguments.kwargs.get("training")
    return Node(Call(node.operation, *shapes), node, rule if fits else UNKNOWN, inputs, outputs)


def called(node: Node, operation: Any, tensors: Mapping[int, Any]) -> list[Any]:
    """What `operation` makes in the place of a node's, of tensors by their numbers."""
    pairs = zip(node.source.input_tensors, node.inputs, strict=True)
    given = {id(old): tensors[number] for old, number in pairs}
    args, kwargs = node.source.arguments.fill_in(given)
    return keras.tree.flatten(operation(*args, **kwargs))


def _check_masks(node):
    """Refuses masks that a layer reads although they are no inputs of it in Keras's graph."""
    layer = node.operation
    several = len(node.input_tensors) > 1 and "mask" not in node.arguments.kwargs
    merges = isinstance(layer, keras.layers.Layer) and isinstance(rule_of(layer), Elementwise)
    reads = has_graph(layer) or (several and merges)
    if reads and any(getattr(x, "_keras_mask", None) is not None for x in node.input_tensors):
        raise ValueError(
            "`model` must not give masked tensors to merging layers or nested models, where masks "
            f"cannot be followed. Received: a model in which {layer.name!r} takes one"
        )
