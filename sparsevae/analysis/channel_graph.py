"""Channels as nodes, open links as edges."""

from collections.abc import Sequence

import keras
import networkx as nx
import numpy as np

from sparsevae.sparsity.compaction.labelling import Ends, label
from sparsevae.sparsity.liveness import Kernel, follow
from sparsevae.sparsity.liveness.kernel import INPUT, OUTPUT


def count_links(networks: Sequence[keras.Model]) -> int:
    """Links of networks of stock layers with a weight that is not 0: what a graph of them costs."""
    kernels = [v.numpy() for net in networks for v in net.weights if v.path.endswith("kernel")]
    windows = (kernel.reshape(-1, *kernel.shape[-2:]) for kernel in kernels)
    return sum(int(np.count_nonzero(window.any(axis=0))) for window in windows)


def channel_graph(networks: Sequence[keras.Model]) -> nx.DiGraph:
    """The channels of networks of stock layers, and the links between them whose weights are not 0.

    Units that a reshape makes one channel are one node, and so are channels that are added.
    The second network's inputs are the first one's first outputs.

    Returns:
        Graph with nodes (network, layer, channel), such as `("encoder", "encoder_conv_1", 3)`, by
        the layer that makes the channel (`"input"` for inputs); attributes `units`, how many of the
        layer's channels it stands for, `role` (`"input"`, `"output"` or `"hidden"`) and `live`,
        whether it varies with an input and an output needs it. Edges have `weight`, the norm of
        their weights.
    """
    graph, before = nx.DiGraph(), []
    for network in networks:
        inputs, outputs = _Channels(graph, network).added()
        graph.add_edges_from(zip(before, inputs, strict=False), weight=1.0)
        before = outputs
    return graph


class _Channels:
    """Nodes and edges of one network."""

    def __init__(self, graph, network):
        self._graph, self._network = graph, network.name
        live = follow(network)
        self._calls = live.graph
        shapes = [tuple(tensor.shape[1:]) for tensor in network.inputs]
        ends = Ends(inputs=np.ones(shapes[0][-1], bool))  # each channel of the input by itself
        self._bundles, _ = label(self._calls, shapes, ends)
        self._varying, self._needed = _live(live, self._bundles)
        self._names = {}

    def added(self):
        """Nodes of the network's input, and of its first output."""
        inputs = self._nodes(self._bundles[self._calls.inputs[0]].ravel(), "input", "input")
        for node in self._calls.nodes:
            if isinstance(node.rule, Kernel):
                self._add_links(node)
        outputs = [self._bundles[number].ravel() for number in self._calls.outputs]
        for bundle in np.concatenate(outputs):
            self._graph.nodes[self._names[bundle]]["role"] = "output"
        return inputs, [self._names[bundle] for bundle in outputs[0]]

    def _add_links(self, node):
        layer = node.call.layer
        before, after = (self._bundles[number] for number in (node.inputs[0], node.outputs[0]))
        if not node.rule.makes_channels and np.isin(after, before).all():
            return  # a mask for each place: the channels stay what they are
        weights = np.sqrt(np.square(node.rule.kernels(layer)).sum(axis=0))
        given, made = (
            self._nodes(_channels(node, pattern, side, weights.shape[side]), layer.name)
            for side, pattern in ((INPUT, before), (OUTPUT, after))
        )
        for i, o in np.argwhere(weights > 0):
            if given[i] == made[o]:  # beside what is added to it, a link to itself leads nowhere
                continue
            norm = self._graph.get_edge_data(given[i], made[o], {"weight": 0.0})["weight"]
            self._graph.add_edge(given[i], made[o], weight=float(np.hypot(norm, weights[i, o])))

    def _nodes(self, bundles, layer, role="hidden"):
        """The node of each bundle; new ones belong to `layer`."""
        for place, bundle in enumerate(bundles):
            if bundle not in self._names:
                self._names[bundle] = (self._network, layer, place)
                live = bundle in self._varying and bundle in self._needed
                self._graph.add_node(self._names[bundle], units=0, role=role, live=live)
            if self._names[bundle][1] == layer:
                self._graph.nodes[self._names[bundle]]["units"] += 1
        return [self._names[bundle] for bundle in bundles]


def _live(live, bundles):
    """Bundles with an entry that varies, and with one that is needed."""
    found = []
    for patterns in (live.varying, live.needed):
        here = set()
        for number, pattern in patterns.items():
            pattern, labels = np.broadcast_arrays(pattern, bundles[number])
            here |= set(labels[pattern].tolist())
        found.append(here)
    return found


def _channels(node, pattern, side, size):
    """Bundle of each channel of a kernel, `size` of them."""
    axis = node.rule.axis(node.call, side)
    channels = np.moveaxis(pattern, axis, -1).reshape(-1, pattern.shape[axis])[0]
    return np.broadcast_to(channels, (size,)).tolist()
