"""What the layers of a model make of images, in one pass."""

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.sparsity.graphs import check_graphs
from sparsevae.sparsity.selecting import is_graph


@dataclasses.dataclass(frozen=True)
class Activations:
    """Values of the units of one layer.

    Attributes:
        part: Name of the network that the layer is in.
        layer: The layer; None for the network's input.
        values: Float32 `(n_samples, n_units)`.
        feeder: The nearest of these layers that it depends on, "input" for the network's input;
            None for that itself.
    """

    part: str
    layer: keras.layers.Layer | None
    values: np.ndarray
    feeder: str | None

    @property
    def name(self) -> str:
        return "input" if self.layer is None else self.layer.name


def probed_layers(network: keras.Model, names: Sequence[str] | None) -> list[keras.layers.Layer]:
    """Layers with weights that a network calls once, or those named, in its own order.

    Raises:
        ValueError: for an unknown name, a layer that is called twice or whose output is no
            tensor of numbers, or a network without layers that can be probed.
    """
    layers = [layer for layer in network.layers if not is_graph(layer)]
    known = {layer.name: layer for layer in layers}
    if names is None:
        chosen = [layer for layer in layers if layer.weights and not _refusal(layer)]
    else:
        chosen = [layer for name, layer in known.items() if name in names]
        for layer in chosen:
            if refusal := _refusal(layer):
                raise ValueError(
                    f"`layers` must have one output that can be probed. Received: {layer.name!r}, "
                    f"{refusal}"
                )
    return chosen


def left_out(model: keras.Model) -> dict[str, str]:
    """Why layers with weights cannot be probed, by name, over all networks of a model."""
    layers = [layer for network in getattr(model, "networks", [model]) for layer in network.layers]
    whys = {
        layer.name: "a nested model" if is_graph(layer) else _refusal(layer)
        for layer in layers
        if layer.weights
    }
    return {name: why for name, why in whys.items() if why}


def check_layers(networks: Sequence[keras.Model], names: Sequence[str] | None) -> None:
    """Refuses names that no network has.

    Raises:
        TypeError: if `names` is no list of strings.
        ValueError: for an unknown name, with the nearest known one.
    """
    if names is None:
        return
    if not isinstance(names, (list, tuple)) or not names:
        raise TypeError(f"`layers` must be a list of names. Received: layers={names!r}")
    known = [layer.name for network in networks for layer in network.layers if not is_graph(layer)]
    for name in names:
        check_choice("layers", name, known)


def _refusal(layer: keras.layers.Layer) -> str | None:
    """Why a layer cannot be probed; None where it can."""
    if len(layer._inbound_nodes) != 1:
        return f"called {len(layer._inbound_nodes)} times"
    output = layer._inbound_nodes[0].output_tensors
    if len(output) != 1:
        return f"with {len(output)} outputs"
    if "float" not in str(output[0].dtype) or None in output[0].shape[1:]:
        return f"with an output of dtype {output[0].dtype} and shape {output[0].shape}"
    return None


def activations(
    model: keras.Model,
    inputs: np.ndarray,
    layers: Sequence[str] | None,
    max_units: int,
    batch_size: int,
) -> list[Activations]:
    """Activations of each network of a model, its input first; in test mode.

    The second network of a VAE gets the first output of the first, the posterior means. Layers
    with more than `max_units` values are averaged over windows of pixels.

    Args:
        model: Functional or Sequential model, or one with such `networks`, as a `SparseVAE`.
        inputs: `(n_samples, ...)`, as the model takes them.
        layers: Names; None for all layers with weights.
        max_units: Largest number of values a sample; channels are never averaged.
        batch_size: Samples a call.

    Raises:
        TypeError, ValueError: for a model without a known graph, or layers that cannot be probed.
    """
    check_graphs("model", model)
    networks = list(getattr(model, "networks", [model]))
    check_layers(networks, layers)
    found = []
    for network in networks:
        chosen = probed_layers(network, layers)
        tensors = [network.inputs[0], *(layer.output for layer in chosen), network.outputs[0]]
        outputs = _predicted(keras.Model(network.inputs, tensors), inputs, max_units, batch_size)
        owners = [None, *chosen]
        feeders = [None, *(_feeder(layer, chosen) for layer in chosen)]
        found += [
            Activations(network.name, owner, values, feeder)
            for owner, values, feeder in zip(owners, outputs[:-1], feeders, strict=True)
        ]
        inputs = outputs[-1]
    if all(one.layer is None for one in found):
        raise ValueError(
            "`model` must have a layer with weights that is called once, with one float output. "
            f"Received: {type(model).__name__} {model.name!r}, which has none"
        )
    return found


def _feeder(layer: keras.layers.Layer, probed: Sequence[keras.layers.Layer]) -> str:
    """The nearest probed layer before a layer, by breadth; "input" if there is none."""
    waiting, seen = list(layer._inbound_nodes[0].input_tensors), set()
    while waiting:
        history = waiting.pop(0)._keras_history
        operation = history.operation
        if any(operation is one for one in probed):
            return operation.name
        if id(operation) not in seen and len(operation._inbound_nodes) > history.node_index:
            seen.add(id(operation))
            waiting += operation._inbound_nodes[history.node_index].input_tensors
    return "input"


def _predicted(
    probe: keras.Model, inputs: np.ndarray, max_units: int, batch_size: int
) -> list[np.ndarray]:
    parts = []
    for start in range(0, len(inputs), batch_size):
        outputs = probe(ops.convert_to_tensor(inputs[start : start + batch_size]), training=False)
        parts.append([_units(output, max_units) for output in outputs])
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def _units(values: object, max_units: int) -> np.ndarray:
    """Float32 `(batch, n_units)`, channels last."""
    values = ops.convert_to_numpy(ops.cast(values, "float32"))
    if values.ndim == 4 and math.prod(values.shape[1:]) > max_units:
        values = _coarse(values, max_units)
    return values.reshape(len(values), -1)


def _coarse(images: np.ndarray, max_units: int) -> np.ndarray:
    """Means over the smallest windows such that not more than `max_units` values are left."""
    _, height, width, channels = images.shape
    for window in range(2, max(height, width) + 1):
        rows, columns = (-(-size // window) for size in (height, width))
        if rows * columns * channels <= max_units:
            break
    edges = [np.arange(0, size, window) for size in (height, width)]
    sums = np.add.reduceat(np.add.reduceat(images, edges[0], axis=1), edges[1], axis=2)
    lengths = [np.diff([*edge, size]) for edge, size in zip(edges, (height, width), strict=True)]
    return sums / np.multiply.outer(*lengths)[:, :, None]


def as_inputs(images: np.ndarray) -> np.ndarray:
    """uint8 images as models take them: float32 in [0, 1]."""
    return images.astype("float32") / np.float32(255)
