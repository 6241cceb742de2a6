"""What a report says of each layer of a model."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.layers import GatedLayer, why_not_gated
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
    ungated: int | None = 0  # of the multiplications, those that belong to no link

    def add(self, use: "_Entry") -> None:
        """A link is effective if it is in any use; multiplications are done in each."""
        if self.open is not None:
            self.effective = self.effective | use.effective
        unknown = None in (self.multiplications, use.multiplications)
        self.multiplications = None if unknown else self.multiplications + use.multiplications
        self.ungated = None if unknown else self.ungated + use.ungated

    def row(self) -> dict[str, Any]:
        gated = isinstance(self.layer, GatedLayer)
        n_open = n_effective = density = effective_density = None
        flops = open_flops = self.multiplications
        if self.open is not None:
            n_open, n_effective = int(self.open.sum()), int(self.effective.sum())
            density, effective_density = n_open / self.n_links, n_effective / self.n_links
            if flops is not None:
                open_flops = self.ungated + (flops - self.ungated) * n_open // self.n_links
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
            note = "" if gated else _of_stock(call.layer, links.sum() == n_links)
            flops = rule.multiplications(call)
            ungated = None if flops is None else _ungated(call.layer, flops)
            yield _Entry(call.layer, n_links, links, effective, flops, note, ungated)
            continue
        reached = any(p.any() for p in varying) and any(p.any() for p in needed)
        yield from _inside(call.layer, reached)
        if not isinstance(call.layer, GatedLayer):
            flops = rule.multiplications(call)
            yield _Entry(call.layer, None, None, None, flops, _without_links(call.layer, rule))


def _of_stock(layer, all_open):
    """Why a layer with links has no gate, and which of them are open."""
    closed = "all links open" if all_open else "links of weight 0 are closed"
    return f"{_why(layer) or 'stock layer'}: {closed}"


def _without_links(layer, rule):
    if rule is UNKNOWN:
        return "no rule"
    mixes = isinstance(layer, keras.layers.EinsumDense)  # by a kernel of more axes than links have
    return _why(layer) if mixes else "no links between channels"


def _why(layer):
    """`why_not_gated` in few words; None where the layer could have a gate."""
    if (reason := why_not_gated(layer)) is None:
        return None
    short = reason.partition(". Received")[0].partition(": ")[0].rstrip(".")
    return f"no gate, as {short[0].lower()}{short[1:]}"


def _ungated(layer, multiplications):
    """Those of the depthwise part of a separable convolution."""
    if not isinstance(layer, (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)):
        return 0
    window = math.prod(layer.kernel_size)
    return multiplications * window // (window + layer.filters)


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
