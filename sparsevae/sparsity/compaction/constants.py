"""Values of what does not vary with a model's inputs."""

import keras
import numpy as np
from keras import ops

from sparsevae.sparsity.liveness.graph import called, graph_of
from sparsevae.sparsity.same_outputs import not_half


def values_of(model: keras.Model) -> dict[int, np.ndarray] | None:
    """Each tensor of a model for one observation of zeros: right where it is constant.

    In float32 where the model computes in half precision, as biases are.

    Returns:
        Arrays without the batch axis, by number of the tensor; None where a size is free, since
        what is constant may depend on it.
    """
    if any(None in tensor.shape[1:] for tensor in model.inputs):
        return None
    model = not_half(model)
    graph = graph_of(model)
    given = [ops.zeros((1, *x.shape[1:]), x.dtype) for x in model.inputs]
    tensors = dict(zip(graph.inputs, given, strict=True))
    for node in graph.nodes:
        made = called(node, node.call.layer, tensors)
        tensors.update(zip(node.outputs, made, strict=True))
    return {number: ops.convert_to_numpy(tensor)[0] for number, tensor in tensors.items()}
