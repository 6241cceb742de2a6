"""Both walks over a model: what varies with its inputs, and what its outputs need."""

import dataclasses

import keras
import numpy as np

from sparsevae.sparsity.liveness.activations import activation_of
from sparsevae.sparsity.liveness.graph import Graph, graph_of
from sparsevae.sparsity.liveness.pattern import Pattern, alike
from sparsevae.sparsity.liveness.rule import UNKNOWN, rule_of


@dataclasses.dataclass(frozen=True)
class Live:
    """What is live in a model.

    Attributes:
        graph: The model's calls; its tensors are numbered.
        varying: Pattern of each tensor: entries that depend on the model's inputs.
        needed: Pattern of each tensor: entries on which an output of the model depends.
    """

    graph: Graph
    varying: dict[int, Pattern]
    needed: dict[int, Pattern]

    def without_rule(self) -> tuple[str, ...]:
        """Names of the layers, or of their activations, that count as live throughout."""
        names = {}
        for node in self.graph.nodes:
            layer = node.call.layer
            if node.rule is UNKNOWN:
                names[layer.name] = None
            elif rule_of(activation := activation_of(layer)) is UNKNOWN:
                names[f"{layer.name}: {getattr(activation, '__name__', activation)}"] = None
        return tuple(names)


def follow(model: keras.Model) -> Live:
    """What is live in a model that `has_graph`, with the gates of the test rule.

    Safe: what is called not varying is constant, what is called not needed changes no output.

    Raises:
        ValueError: if a merging layer or a nested model takes masked tensors, or a gate is NaN.
    """
    graph = graph_of(model)
    shapes = dict(zip(graph.inputs, (tuple(i.shape[1:]) for i in model.inputs), strict=True))
    for node in graph.nodes:
        shapes.update(zip(node.outputs, node.call.output_shapes, strict=True))
    varying = {number: alike(True, shapes[number]) for number in graph.inputs}
    for node in graph.nodes:
        made = node.rule.varying(node.call, [varying[number] for number in node.inputs])
        varying.update(zip(node.outputs, made, strict=True))
    needed = {number: alike(number in graph.outputs, shape) for number, shape in shapes.items()}
    for node in reversed(graph.nodes):
        used = node.rule.needed(node.call, [needed[number] for number in node.outputs])
        for number, pattern in zip(node.inputs, used, strict=True):
            needed[number] = np.logical_or(needed[number], pattern)
    return Live(graph, varying, needed)
