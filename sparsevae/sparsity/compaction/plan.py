"""What can be removed from a model without a change of its outputs."""

import collections
import dataclasses

import keras
import numpy as np

from sparsevae.sparsity.compaction.constants import values_of
from sparsevae.sparsity.compaction.labelling import label
from sparsevae.sparsity.liveness import Kernel, Live, follow
from sparsevae.sparsity.liveness.graph import Graph, Node
from sparsevae.sparsity.liveness.kernel import INPUT, OUTPUT
from sparsevae.sparsity.liveness.pattern import Pattern, along


@dataclasses.dataclass(frozen=True)
class Plan:
    """What stays of a model.

    Attributes:
        graph: Of the model.
        kept: Pattern of what stays of each tensor, by its number.
        constants: By `id` of a layer what its removed inputs add to each of its output channels.
    """

    graph: Graph
    kept: dict[int, Pattern]
    constants: dict[int, np.ndarray]

    @property
    def removes_nothing(self) -> bool:
        return all(pattern.all() for pattern in self.kept.values())


def plan(model: keras.Model, multiple_of: int = 1) -> Plan:
    """Finds what can be removed from a model of stock layers that `has_graph`.

    A set of channels that can only go together is removed if no output needs it, or if it is
    constant and each layer that reads it can take what it adds into its bias. Where that is not
    exact, as in a window that reaches over the border, it stays.

    Args:
        model: Its closed links are weights of 0.
        multiple_of: Channels of a layer stay until there are so many, or all of them.
    """
    planner = _Planner(model, follow(model))
    planner.settle(multiple_of)
    kept = {number: ~planner.removed[pattern] for number, pattern in planner.bundles.items()}
    return Plan(planner.graph, kept, planner.constants())


class _Planner:
    """Begins with all removed that may be, and takes back what must stay."""

    def __init__(self, model: keras.Model, live: Live):
        self.live, self.graph = live, live.graph
        self.values = values_of(model, live.graph)
        self.bundles, pinned = label(live.graph, [tuple(x.shape[1:]) for x in model.inputs])
        varying, needed = (self._bundles_of(p, len(pinned)) for p in (live.varying, live.needed))
        self.removed = ~pinned & ~(varying & needed)
        self.layers = collections.defaultdict(list)  # uses of each layer where constants end
        for node in self.graph.nodes:
            if isinstance(node.rule, Kernel) and node.rule.makes_channels:
                self.layers[id(node.call.layer)].append(_Use(node, self))

    def _bundles_of(self, patterns, n):
        """Bundles with an entry that a pattern calls live."""
        found = np.zeros(n, bool)
        for number, bundles in self.bundles.items():
            bundles, pattern = np.broadcast_arrays(bundles, patterns[number])
            found[bundles[pattern]] = True
        return found

    def settle(self, multiple_of: int) -> None:
        """Takes back until all that is removed can be."""
        rules = self._read, lambda: self._to_multiples(multiple_of), self._emptied
        while any(self._take_back(rule()) for rule in rules):
            pass

    def _take_back(self, bundles):
        changed = self.removed[bundles].any()
        self.removed[bundles] = False
        return changed

    def _read(self):
        """Constants that a layer reads and cannot take into its bias."""
        stuck = [use.stuck(self.removed) for uses in self.layers.values() for use in uses]
        for uses in self.layers.values():
            stuck += [use.differing(uses[0], self.removed) for use in uses[1:]]
        return np.concatenate([np.empty(0, int), *stuck])

    def _to_multiples(self, multiple_of):
        """As many of a layer's removed channels as are missing to a multiple."""
        back = [np.empty(0, int)]
        for use, *_ in self.layers.values():
            gone = self.removed[use.outputs]
            missing = -np.sum(~gone) % multiple_of
            back.append(use.outputs[gone][:missing])
        return np.concatenate(back)

    def _emptied(self):
        """One of each tensor of which nothing is left, as Keras has no layers of width 0."""
        empty = [b for b in self.bundles.values() if b.size and self.removed[b].all()]
        return np.array([bundles.flat[0] for bundles in empty], int)

    def constants(self) -> dict[int, np.ndarray]:
        added = {key: uses[0].added(self.removed) for key, uses in self.layers.items()}
        return {key: value for key, value in added.items() if value.any()}


class _Use:
    """A call of a layer with a kernel, at which constants end."""

    def __init__(self, node: Node, planner: _Planner):
        rule, call = node.rule, node.call
        weights = rule.kernels(call.layer).astype("float64")
        self.sums, self.links = weights.sum(axis=0), (weights != 0).any(axis=0)
        n_inputs, n_outputs = self.links.shape

        def channels(pattern, side, n):
            axis = rule.axis(call, side)
            return np.broadcast_to(
                np.moveaxis(pattern, axis, -1).reshape(-1, pattern.shape[axis])[0], n
            )

        (given,), (made,) = node.inputs, node.outputs
        self.inputs = channels(planner.bundles[given], INPUT, n_inputs)
        self.outputs = channels(planner.bundles[made], OUTPUT, n_outputs)
        self.needed = along(planner.live.needed[made], rule.axis(call, OUTPUT), n_outputs)
        varying = along(planner.live.varying[given], rule.axis(call, INPUT), n_inputs)
        self.values, self.ends = np.zeros(n_inputs), np.zeros(n_inputs, bool)
        if planner.values is not None:
            self.values, self.ends = rule.ends(call, planner.values[given])
        self.ends &= ~varying

    def _read(self, removed):
        """Removed inputs that reach an output which matters."""
        wanted = self.needed & ~removed[self.outputs]
        return removed[self.inputs] & self.links[:, wanted].any(axis=1)

    def stuck(self, removed: np.ndarray) -> np.ndarray:
        """Bundles that are read but whose part is not the same at all positions."""
        return self.inputs[self._read(removed) & ~self.ends]

    def differing(self, first: "_Use", removed: np.ndarray) -> np.ndarray:
        """Bundles whose part differs from that in another use of the layer."""
        read = self._read(removed) | first._read(removed)
        return self.inputs[read & (self.values != first.values)]

    def added(self, removed: np.ndarray) -> np.ndarray:
        """What removed inputs add to each output channel."""
        return (self.values * self._read(removed)) @ self.sums
