"""Values of what does not vary with a model's inputs."""

import dataclasses

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.liveness.graph import called, graph_of
from sparsevae.sparsity.same_outputs import not_half, shapes_of, unchanged, zeros_for


@dataclasses.dataclass(frozen=True)
class Values:
    """What a model's tensors are for one observation of zeros: right where they are constant.

    Attributes:
        numbers: Arrays without the batch axis, by number of the tensor.
        free: Whether the model takes inputs of any size, on which constants may depend.
    """

    numbers: dict[int, np.ndarray]
    free: bool


def values_of(model: keras.Model) -> Values:
    """Values in float32 where the model computes in half precision, as biases are."""
    model = not_half(model)
    graph = graph_of(model)
    given = zeros_for(model, shapes_of(model))
    tensors = dict(zip(graph.inputs, given, strict=True))
    with unchanged(model):
        for node in graph.nodes:
            made = called(node, node.call.layer, tensors)
            tensors.update(zip(node.outputs, made, strict=True))
    numbers = {number: ops.convert_to_numpy(tensor)[0] for number, tensor in tensors.items()}
    return Values(numbers, any(None in x.shape[1:] for x in model.inputs))
