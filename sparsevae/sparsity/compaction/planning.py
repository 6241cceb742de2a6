"""What can be removed from a model without a change of its outputs."""

import collections
import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from sparsevae.sparsity.compaction.constants import values_of
from sparsevae.sparsity.compaction.labelling import WHOLE, Ends, label
from sparsevae.sparsity.compaction.use import Use, share_needed
from sparsevae.sparsity.liveness import Kernel, follow
from sparsevae.sparsity.liveness.graph import Graph
from sparsevae.sparsity.liveness.pattern import Pattern


@dataclasses.dataclass(frozen=True)
class Plan:
    """What stays of a model.

    Attributes:
        graph: Of the model.
        kept: Pattern of what stays of each tensor, by its number.
        constants: By `id` of a layer what its removed inputs add to each of its output channels.
        shares: By `id` of a layer how much of its inputs' weights others take over; see `Kept`.
    """

    graph: Graph
    kept: dict[int, Pattern]
    constants: dict[int, np.ndarray]
    shares: dict[int, np.ndarray]

    @property
    def removes_nothing(self) -> bool:
        return all(pattern.all() for pattern in self.kept.values())


def plan(model: keras.Model, multiple_of: int = 1, ends: Ends = WHOLE) -> Plan:
    """Finds what can be removed from a model of stock layers that `has_graph`.

    A bundle of channels, which can only go together, is removed if no output needs it, or if it is
    constant and each layer that reads it can take what it adds into its bias. Where that is not
    exact, as in a window that reaches over the border, one constant channel stays for all: the
    others are that one times a number, which goes into the kernel.

    Args:
        model: Its closed links are weights of 0.
        multiple_of: Channels of a layer stay until there are so many, or all of them.
        ends: What must stay of inputs and outputs; the rest goes where it is dead.
    """
    planner = _Planner(model, ends)
    planner.settle(multiple_of)
    kept = {number: ~planner.removed[pattern] for number, pattern in planner.bundles.items()}
    return Plan(planner.graph, kept, planner.constants(), planner.shares())


class _Planner:
    """Begins with all removed that may be, and takes back what must stay."""

    def __init__(self, model: keras.Model, ends: Ends):
        live = follow(model)
        self.graph = live.graph
        shapes = [tuple(x.shape[1:]) for x in model.inputs]
        self.bundles, pinned = label(live.graph, shapes, ends)
        self.dropped = self._of_ends(ends)
        self.removed = ~pinned & ~self._live_bundles(live, len(pinned))
        values = values_of(model)
        self.layers = collections.defaultdict(list)  # uses of each layer where constants end
        for node in self.graph.nodes:
            if isinstance(node.rule, Kernel) and node.rule.makes_channels:
                self.layers[id(node.call.layer)].append(Use(node, live, self.bundles, values))
        for uses in self.layers.values():
            share_needed(uses)

    def _of_ends(self, ends):
        """Bundles of the inputs and outputs that need not stay."""
        sides = (self.graph.inputs, ends.inputs), (self.graph.outputs, ends.outputs)
        found = [
            np.broadcast_arrays(self.bundles[number], stay)[0][..., ~stay].ravel()
            for numbers, stay in sides
            if stay is not None
            for number in numbers
        ]
        return np.concatenate([np.empty(0, int), *found])

    def _live_bundles(self, live, n):
        """Bundles with an entry that varies and is needed."""
        found = np.zeros(n, bool)
        for number, bundles in self.bundles.items():
            entries = live.varying[number] & live.needed[number]
            bundles, entries = np.broadcast_arrays(bundles, entries)
            found[bundles[entries]] = True
        return found

    def settle(self, multiple_of: int) -> None:
        """Takes back until all that is removed can be."""
        rules = self._differing, self._stuck, lambda: self._missing(multiple_of), self._last
        while any(self._take_back(rule()) for rule in rules):
            pass

    def _take_back(self, bundles):
        bundles = np.asarray(bundles, int)
        changed = self.removed[bundles].any()
        self.removed[bundles] = False
        return changed

    def _differing(self):
        """Constants that are not the same in all uses of a layer."""
        return [
            bundle
            for first, *others in self.layers.values()
            for use in others
            for bundle in use.differing(first, self.removed)
        ]

    def _stuck(self):
        """Of the constants that layers cannot take into their bias, one to stand for all."""
        alike = collections.defaultdict(list)
        for bundle, uses in self._stuck_uses().items():
            if self._stand_in(bundle, uses) is None:
                alike[tuple(map(id, uses))].append((bundle, uses))
        back = []
        for group in alike.values():
            sizes = [min(use.size_of(bundle) for use in uses) for bundle, uses in group]
            back.append(group[int(np.argmax(sizes))][0])
        return back

    def _stuck_uses(self):
        """Where removed constants are read that cannot go into a bias."""
        found = collections.defaultdict(list)
        for use in (use for uses in self.layers.values() for use in uses):
            for bundle in np.unique(use.inputs[use.stuck(self.removed)]):
                found[int(bundle)].append(use)
        return found

    def _stand_in(self, bundle: int, uses: Sequence[Use]) -> int | None:
        """A constant that stays, of which this one is a multiple wherever it is read."""
        fit = [set(use.stand_ins(bundle, ~self.removed)) for use in uses]
        for use in uses:
            first = self.layers[use.layer][0]
            fit.append(set(use.inputs[use.values == first.values]))
        return min(set.intersection(*fit), default=None)

    def _missing(self, multiple_of):
        """As many of a layer's removed channels as are missing to a multiple."""
        back = []
        for use, *_ in self.layers.values():
            gone = self.removed[use.outputs] & ~np.isin(use.outputs, self.dropped)
            back += list(use.outputs[gone][: -np.sum(~self.removed[use.outputs]) % multiple_of])
        return back

    def _last(self):
        """One of each tensor of which nothing is left, as Keras has no layers of width 0."""
        return [b.flat[0] for b in self.bundles.values() if b.size and self.removed[b].all()]

    def constants(self) -> dict[int, np.ndarray]:
        added = {key: uses[0].added(self.removed) for key, uses in self.layers.items()}
        return {key: value for key, value in added.items() if value.any()}

    def shares(self) -> dict[int, np.ndarray]:
        found = {}
        for bundle, uses in self._stuck_uses().items():
            other = self._stand_in(bundle, uses)
            for use in uses:
                whole = np.eye(len(use.inputs))
                use.share(bundle, other, found.setdefault(use.layer, whole))
        return found
