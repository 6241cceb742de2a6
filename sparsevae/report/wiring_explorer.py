"""What the wiring explorer of a page needs: for each latent its channels, links and pixels."""

import collections
from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np

from sparsevae import analysis, sparsity
from sparsevae.analysis import Wiring
from sparsevae.analysis.channel_graph import count_links
from sparsevae.plots.gate_masks import block_average
from sparsevae.report.embedding import base64_of
from sparsevae.report.trained_model import TrainedModel

LIMIT = 1_000_000  # links that are followed
_N_CODES = 6  # at which the decoder's derivatives are taken
_N_CHANNELS = 14  # of a layer that are drawn
_N_LINKS = 40  # between two layers that are drawn
_BLOCKS = 128  # of a mask along a side

Layer = tuple[str, str]


def wiring_explorer(model: TrainedModel) -> dict[str, Any]:
    """Layers with their channels; for each latent those that it reaches, and its pixels.

    Channels are those that vary with the network's input and that its output needs. A channel's
    strength for a latent is the sum over paths between them of the product of the
    norms of their links, as a share of the strongest channel of the layer. Of each layer the
    strongest channels are given, of each pair of layers the strongest links between these.

    Returns:
        `layers`, dicts of `network`, `layer`, `n`; `latents`, dicts of `latent`, `reached`
        (counts by layer), `channels` (by layer, `[channel, strength]`), `links` (of layers a and
        b, `[a, channel, b, channel, strength]`), `pixels`, `share`, `map` (base64 of uint8);
        `image_shape`.

    Raises:
        ValueError: if there are more open links than a graph can hold in seconds.
    """
    n_links = count_links(model.exact.networks)
    if n_links > LIMIT:
        raise ValueError(f"{n_links:,} links are open, and up to {LIMIT:,} can be followed here")
    wiring = analysis.wiring(model.exact, model.codes[:_N_CODES])
    return explained(wiring)


def explained(wiring: Wiring) -> dict[str, Any]:
    """As `wiring_explorer`, of a wiring with maps."""
    graph = _Layers(wiring.graph)
    height, width = wiring.maps.shape[1:3]
    latents = []
    for latent, row in wiring.table.iterrows():
        flow = graph.flow(int(latent))
        strength = wiring.maps[latent].max(axis=-1)
        picture = np.uint8(np.round(255 * strength / max(strength.max(), 1e-12)))
        latents.append(
            {
                "latent": int(latent),
                **flow,
                "pixels": int(row["functional_pixels"]),
                "reachable": int(row["pixels"]),
                "share": float(strength.max() / max(wiring.maps.max(), 1e-12)),
                "map": base64_of(picture),
            }
        )
    layers = [
        {"network": network, "layer": layer, "n": len(graph.channels[network, layer])}
        for network, layer in graph.order
    ]
    for k, layer in enumerate(layers):  # such as that of log variances
        layer["reached"] = any(one["reached"][k] for one in latents)
    shape = [int(height), int(width)]
    return {"layers": layers, "latents": latents, "image_shape": shape}


def mask_pictures(masks: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Masks as pictures of bytes: cube roots of the shares of blocks, so that one link shows."""
    found = []
    for layer, mask in masks.items():
        blocks = np.cbrt(block_average(np.float64(mask), _BLOCKS, _BLOCKS))
        found.append(
            {
                "layer": layer,
                "inputs": mask.shape[0],
                "outputs": mask.shape[1],
                "open": int(np.count_nonzero(mask)),
                "shape": list(blocks.shape),
                "bytes": base64_of(np.uint8(np.ceil(255 * blocks))),
            }
        )
    return found


def masks_of(model: TrainedModel) -> list[dict[str, Any]]:
    """The masks of a model's gated layers as of `mask_pictures`."""
    return mask_pictures(sparsity.masks(model.vae))


class _Layers:
    """A graph of channels as matrices between layers."""

    def __init__(self, graph: nx.DiGraph):
        self.channels: dict[Layer, list[int]] = collections.defaultdict(list)
        for network, layer, channel in graph:
            self.channels[network, layer].append(channel)
        place = {}
        for layer, channels in self.channels.items():
            channels.sort()
            place |= {(*layer, channel): k for k, channel in enumerate(channels)}
        self.pairs: dict[tuple[Layer, Layer], np.ndarray] = {}
        self._latents = ("decoder", "input")
        live = graph.nodes(data="live")  # latents count also where only one side uses them
        idle = {node for node, is_live in live if not is_live and node[:2] != self._latents}
        for a, b, weight in graph.edges(data="weight"):
            if a in idle or b in idle:  # no path from an image to a latent, or back, is through it
                continue
            pair = (a[:2], b[:2])
            if pair not in self.pairs:
                self.pairs[pair] = np.zeros([len(self.channels[end]) for end in pair])
            self.pairs[pair][place[a], place[b]] = weight
        self.order = list(nx.lexicographical_topological_sort(nx.DiGraph(self.pairs.keys())))

    def flow(self, latent: int) -> dict[str, Any]:
        """Channels and links of the paths through one latent."""
        start = np.zeros(len(self.channels[self._latents]))
        start[self.channels[self._latents].index(latent)] = 1
        after = self._followed({self._latents: start}, self.order, self.pairs)
        turned = {(b, a): links.T for (a, b), links in self.pairs.items()}
        before = self._followed({self._latents: start}, self.order[::-1], turned)
        strengths = {**before, **after}
        top = {layer: _strongest(values) for layer, values in strengths.items()}
        reached = [int(np.sum(strengths.get(layer, 0.0) > 0)) for layer in self.order]
        channels = [
            [[self.channels[layer][k], round(float(strengths[layer][k]), 3)] for k in top[layer]]
            if layer in top
            else []
            for layer in self.order
        ]
        return {"reached": reached, "channels": channels, "links": self._links(strengths, top)}

    def _followed(self, strengths, order, pairs):
        """Strengths of the layers that are reached, each with 1 as its largest."""
        found = dict(strengths)
        for layer in order:
            given = [
                found[a] @ links for (a, b), links in pairs.items() if b == layer and a in found
            ]
            if given and layer not in found:
                total = np.sum(given, axis=0)
                if total.max() > 0:
                    found[layer] = total / total.max()
        return found

    def _links(self, strengths, top):
        links = []
        for (a, b), weights in self.pairs.items():
            if a not in top or b not in top:
                continue
            ends = np.ix_(top[a], top[b])
            values = weights[ends] * strengths[a][top[a]][:, None] * strengths[b][top[b]]
            largest = max(values.max(initial=0.0), 1e-300)
            for k in np.argsort(-values, axis=None)[:_N_LINKS]:
                i, j = np.unravel_index(k, values.shape)
                if values[i, j] > 0:
                    links.append(
                        [
                            self.order.index(a),
                            self.channels[a][top[a][i]],
                            self.order.index(b),
                            self.channels[b][top[b][j]],
                            round(float(values[i, j] / largest), 3),
                        ]
                    )
        return links


def _strongest(values):
    order = np.argsort(-values, kind="stable")[:_N_CHANNELS]
    return order[values[order] > 0]
