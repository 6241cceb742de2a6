"""The labels of all tensors of a model: which channels can only go together."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from sparsevae.sparsity.liveness.graph import Graph, Node
from sparsevae.sparsity.liveness.labels import LabelPattern, Labels, varying_axes
from sparsevae.sparsity.liveness.pattern import Shape


@dataclasses.dataclass(frozen=True)
class Ends:
    """Which entries along the last axis of a model's inputs and outputs stay; None: all."""

    inputs: np.ndarray | None = None
    outputs: np.ndarray | None = None


WHOLE = Ends()


def label(
    graph: Graph, inputs: Sequence[Shape], ends: Ends
) -> tuple[dict[int, LabelPattern], np.ndarray]:
    """Sets of channels that are kept or removed together.

    Args:
        graph: Of a model.
        inputs: Shapes of its inputs.
        ends: What must stay of its inputs and outputs.

    Returns:
        The bundle of each entry, an integer pattern for each tensor by its number, of which only
        one axis has different ones; and which bundles stay in any case, booleans.
    """
    labels = Labels()
    found = {}
    for number, shape in zip(graph.inputs, inputs, strict=True):
        entries = shape[-1] if ends.inputs is not None else 1
        found[number] = labels.fresh((*(1,) * (len(shape) - 1), entries) if shape else ())
        _pin(labels, found[number], ends.inputs)
    uses = {}
    for node in graph.nodes:
        given = [found[number] for number in node.inputs]
        made = node.rule.labels(node.call, given, labels)
        if _takes_arrays(node):
            for pattern in (*given, *made):
                labels.pin(pattern)
        if node.rule.sized:
            first = uses.setdefault(id(node.call.layer), (given, made))
            _tie_uses(labels, first, (given, made))
        found.update(zip(node.outputs, made, strict=True))
    for number in graph.outputs:
        _pin(labels, found[number], ends.outputs)
    return _along_one_axis(labels, found)


def _pin(labels, pattern, stay):
    labels.pin(pattern if stay is None else np.broadcast_arrays(pattern, stay)[0][..., stay])


def _takes_arrays(node: Node) -> bool:
    """Whether a call has arguments besides tensors of the model that may have its sizes."""
    arguments = node.source.arguments
    for value in (*arguments.args, *arguments.kwargs.values()):
        parts = keras.tree.flatten(value)
        tensors = all(isinstance(part, keras.KerasTensor) for part in parts)
        if not tensors and (len(parts) > 1 or np.ndim(parts[0])):
            return True
    return False


def _tie_uses(labels, first, second):
    """A layer called twice keeps the same channels in both."""
    for a, b in zip((*first[0], *first[1]), (*second[0], *second[1]), strict=True):
        # where sizes differ these are positions, along which a layer with a size has tied all
        places = tuple(
            slice(None) if 1 in (m, n) or m == n else slice(0, 1)
            for m, n in zip(a.shape, b.shape, strict=True)
        )
        labels.tie(a[places], b[places])


def _along_one_axis(labels, found):
    while True:
        n, bundle = labels.bundles()
        bundles = {number: bundle[pattern] for number, pattern in found.items()}
        mixed = [number for number, pattern in bundles.items() if len(varying_axes(pattern)) > 1]
        if not mixed:
            return bundles, labels.pinned_bundles(n, bundle)
        for number in mixed:
            labels.tie_along(found[number], range(found[number].ndim - 1))
