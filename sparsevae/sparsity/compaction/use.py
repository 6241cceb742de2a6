"""A call of a layer with a kernel, at which constant channels end."""

from collections.abc import Mapping, Sequence

import numpy as np

from sparsevae.sparsity.compaction.constants import Values
from sparsevae.sparsity.compaction.labelling import LabelPattern
from sparsevae.sparsity.liveness import Live
from sparsevae.sparsity.liveness.graph import Node
from sparsevae.sparsity.liveness.kernel import INPUT, OUTPUT
from sparsevae.sparsity.liveness.pattern import along

_LEAST = 1e-3  # of a constant that another one is to stand for


class Use:
    """What is known of the input and output channels of a call.

    Attributes:
        layer: `id` of the layer.
        inputs, outputs: Bundle of each channel.
        values: Of each input channel where it is constant, at one position.
    """

    def __init__(
        self,
        node: Node,
        live: Live,
        bundles: Mapping[int, LabelPattern],
        values: Values,
    ):
        rule, call = node.rule, node.call
        self.layer = id(call.layer)
        self._weights = rule.kernels(call.layer)
        self._links = (self._weights != 0).any(axis=0)
        self._wanted = self._reaching = None
        n_inputs, n_outputs = self._links.shape
        (given,), (made,) = node.inputs, node.outputs
        axes = rule.axis(call, INPUT), rule.axis(call, OUTPUT)
        self.inputs = _at_one_position(bundles[given], axes[0], n_inputs)
        self.outputs = _at_one_position(bundles[made], axes[1], n_outputs)
        self._needed = along(live.needed[made], axes[1], n_outputs)
        rounding = 16 * np.finfo("float32").eps
        if values.numbers[given].dtype == "float64":
            rounding = 16 * np.finfo("float64").eps
        found = np.moveaxis(values.numbers[given], axes[0], -1).reshape(-1, n_inputs)
        found = found.astype("float64")
        even = np.ptp(found, axis=0) <= rounding * np.abs(found).max(axis=0)
        self.values = found[0]
        if values.free:  # others may depend on the size
            even &= self.values == 0
        constant = even & ~along(live.varying[given], axes[0], n_inputs)
        self._ends = constant & rule.ends(call, even, self.values)
        has_parts = rule.input_axis(call.layer) is not None
        self._can_stand_in = constant & has_parts & (self.values != 0)
        self._has_stand_in = constant & has_parts

    def _read(self, removed):
        """Removed inputs that reach an output which matters."""
        wanted = self._needed & ~removed[self.outputs]
        if self._wanted is None or (wanted != self._wanted).any():
            self._wanted, self._reaching = wanted, self._links[:, wanted].any(axis=1)
        return removed[self.inputs] & self._reaching

    def stuck(self, removed: np.ndarray) -> np.ndarray:
        """Removed inputs whose part is not the same at all positions, booleans."""
        return self._read(removed) & ~self._ends

    def differing(self, first: "Use", removed: np.ndarray) -> np.ndarray:
        """Bundles whose value differs from that in another use of the layer."""
        read = self._read(removed) | first._read(removed)
        return self.inputs[read & (self.values != first.values)]

    def size_of(self, bundle: int) -> float:
        """How well a bundle could stand for others."""
        entries = self.inputs == bundle
        return float(np.abs(self.values[entries & self._can_stand_in]).max(initial=0.0))

    def stand_ins(self, bundle: int, kept: np.ndarray) -> np.ndarray:
        """Kept bundles of which this one is a multiple here."""
        entries = self.inputs == bundle
        if not self._has_stand_in[entries].all():
            return np.empty(0, int)
        large = np.abs(self.values) >= _LEAST * np.abs(self.values[entries]).max()
        return self.inputs[kept[self.inputs] & self._can_stand_in & large]

    def share(self, bundle: int, other: int, shares: np.ndarray) -> None:
        """Notes that `other` takes over the weights of `bundle`."""
        (place, *_) = np.flatnonzero((self.inputs == other) & self._can_stand_in)
        for entry in np.flatnonzero((self.inputs == bundle) & ~self._ends):
            shares[entry, place] = self.values[entry] / self.values[place]

    def added(self, removed: np.ndarray) -> np.ndarray:
        """What removed inputs add to each output channel."""
        ending = self._read(removed) & self._ends
        sums = self._weights[:, ending].sum(axis=0, dtype="float64")
        return self.values[ending] @ sums


def share_needed(uses: Sequence[Use]) -> None:
    """Output channels of a layer matter if they do in any of its uses: it has one bias."""
    needed = np.any([use._needed for use in uses], axis=0)
    for use in uses:
        use._needed = needed


def _at_one_position(pattern, axis, size):
    """Entries along an axis, which are the same at all positions."""
    vectors = np.moveaxis(pattern, axis, -1).reshape(-1, pattern.shape[axis])
    return np.broadcast_to(vectors[0], (size,))
