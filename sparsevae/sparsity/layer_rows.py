"""What a report says of each layer of a model."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import gated_layers, open_links
from sparsevae.sparsity.liveness import UNKNOWN, Kernel, Live


@dataclasses.dataclass
class _Entry:
    """A layer over all its uses; links are booleans `(in_channels, out_channels)` or None.

    Where gates switch weights, they are `(window * in_channels, out_channels)`.
    """

    layer: keras.layers.Layer
    n_links: int | None
    open: np.ndarray | None
    effective: np.ndarray | None
    multiplications: int | None
    note: str

    def add(self, use: "_Entry") -> None:
        """A link is effective if it is in any use; multiplications are done in each."""
        if self.open is not None:
            self.effective = self.effective | use.effective
        unknown = None in (self.multiplications, use.multiplications)
        self.multiplications = None if unknown else self.multiplications + use.multiplications

    def row(self) -> dict[str, Any]:
        gated = isinstance(self.layer, GatedLayer)
        n_open = n_effective = density = effective_density = None
        flops = open_flops = self.multiplications
        if self.open is not None:
            n_open, n_effective = int(self.open.sum()), int(self.effective.sum())
            density, effective_density = n_open / self.n_links, n_effective / self.n_links
            open_flops = None if flops is None else flops * n_open // self.n_links
        return {
            "layer": self.layer.name,
            "kind": type(self.layer).__name__,
            "gated": gated,
            "links": self.n_links,
            "open": n_open,
            "effective": n_effective,
            "density": density,
            "effective_density": effective_density,
            "parameters": n_parameters(self.layer),
            "flops": flops,
            "open_flops": open_flops,
            "note": self.note,
        }


def layer_rows(lives: Iterable[Live]) -> list[dict[str, Any]]:
    """A dict for each layer with weights, in the order of the graphs; see `density_report`."""
    entries = {}
    for live in lives:
        for use in _uses(live):
            if id(use.layer) in entries:
                entries[id(use.layer)].add(use)
            elif isinstance(use.layer, GatedLayer) or n_parameters(use.layer):
                entries[id(use.layer)] = use
    return [entry.row() for entry in entries.values()]


def n_parameters(layer: keras.layers.Layer) -> int:
    """Numbers in a layer's weights, without gates and without gated layers inside it."""
    inside = gated_layers(layer)
    apart = [layer.gate] if isinstance(layer, GatedLayer) else inside
    others = {id(weight) for part in apart for weight in part.weights}
    return sum(math.prod(w.shape) for w in layer.weights if id(w) not in others)


def _uses(live: Live) -> Iterator[_Entry]:
    for node in live.graph.nodes:
        call, rule = node.call, node.rule
        if not isinstance(call.layer, keras.layers.Layer):
            continue
        varying = [live.varying[number] for number in node.inputs]
        needed = [live.needed[number] for number in node.outputs]
        if isinstance(rule, Kernel):
            gated = isinstance(call.layer, GatedLayer)
            links = rule.links(call)
            effective = rule.effective_links(call, varying[0], needed[0])
            if gated:
                links, effective = _switched(call.layer, links, effective)
            n_links = links.size if gated else rule.n_links(call)
            closed = "all links open" if links.sum() == n_links else "links of weight 0 are closed"
            note = "" if gated else f"stock layer: {closed}"
            yield _Entry(call.layer, n_links, links, effective, rule.multiplications(call), note)
            continue
        reached = any(p.any() for p in varying) and any(p.any() for p in needed)
        yield from _inside(call.layer, reached)
        if not isinstance(call.layer, GatedLayer):
            known = "no rule" if rule is UNKNOWN else "no links between channels"
            yield _Entry(call.layer, None, None, None, rule.multiplications(call), known)


def _switched(layer, links, effective):
    """Open and effective links of a gated layer; where gates switch weights each is one."""
    if layer.granularity != "weights":
        return links, effective
    weights = ops.convert_to_numpy(layer.gate.support()).astype(bool)
    return weights, weights & np.resize(effective, weights.shape)


def _inside(layer, reached):
    """Gated layers that the graph does not show: all open links count, if any can."""
    for gated in gated_layers(layer):
        links, _ = _switched(gated, open_links(gated), True)
        note = "no rule" if gated is layer else f"inside {layer.name}, which has no rule"
        yield _Entry(gated, links.size, links, links & reached, None, note)
