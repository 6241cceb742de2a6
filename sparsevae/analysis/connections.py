"""Which latents can reach which pixels: the wiring that open gates leave."""

import dataclasses
import json

import keras
import networkx as nx
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sparsevae.analysis.channel_graph import channel_graph
from sparsevae.analysis.jacobians import pixel_maps
from sparsevae.analysis.known_graphs import Recovery, recovery
from sparsevae.analysis.path_counts import path_counts
from sparsevae.data.render.mechanisms import anchored, structurally_sparse
from sparsevae.sparsity import gated_layers, harden, report
from sparsevae.sparsity.graphs import check_graphs


@dataclasses.dataclass(frozen=True)
class Wiring:
    """What is connected in a model, by links whose weights are not 0.

    Attributes:
        graph: networkx `DiGraph` of channels, see `channel_graph`.
        reach: Booleans `(latent_dim, n_pixels)`: whether there is a path from a latent to a pixel;
            row by row, channels last, so `reach.reshape(-1, *vae.image_shape)` are pictures. Of a
            model that is no VAE, from an entry of its input to one of its output.
        paths: Float64 like `reach`: how many, see `path_counts`.
        encoder_reach, encoder_paths: The same for the paths from pixels to posterior means, also
            `(latent_dim, n_pixels)`; None of a model that is no VAE.
        maps: `(latent_dim, height, width, channels)`, root mean square derivative of the mean image
            by each latent; None without codes.
        functional_reach: Booleans `(latent_dim, n_pixels)`: `maps` above a share of their largest
            value; None without codes.
        density, effective_density: Shares of links that are open, and on a live path.
        table: pandas table, a row a latent: `pixels`, `share`: how many it reaches; `alone`, those
            that no other one reaches; `paths`, their sum; `component`, the number of its component
            in the graph of latents and pixels, -1 if it reaches none; `pixels_read` and
            `paths_read` of the encoder, `functional_pixels`, where known; `anchored`, whether two
            pixels answer to it alone (Moran et al. 2022); `structurally_sparse`, whether the
            pixels that it reaches have it alone in common (Zheng et al. 2022, theorem 1). The last
            two are of the functional reach where it is known.
        parents: Integers `(n_pixels,)`: how many latents reach a pixel.
    """

    graph: nx.DiGraph
    reach: np.ndarray
    paths: np.ndarray
    encoder_reach: np.ndarray | None
    encoder_paths: np.ndarray | None
    maps: np.ndarray | None
    functional_reach: np.ndarray | None
    density: float
    effective_density: float
    table: pd.DataFrame
    parents: np.ndarray

    def recovered(self, truth: np.ndarray) -> Recovery:
        """Agreement of the functional reach, where known, else of `reach`; see `recovery`.

        Args:
            truth: Booleans `(n_factors, n_pixels)`, or `(n_factors, height, width)`.
        """
        return recovery(
            self.reach if self.functional_reach is None else self.functional_reach, truth
        )

    def to_json(self) -> str:
        """The graph of channels as networkx's node-link JSON."""
        return json.dumps(nx.node_link_data(self.graph, edges="edges"))

    def to_dot(self) -> str:
        """The live part of the graph of channels in Graphviz's language, left to right."""
        names = {node: json.dumps(" ".join(map(str, node))) for node in self.graph}
        live = [node for node, is_live in self.graph.nodes(data="live") if is_live]
        lines = [f"  {names[node]};" for node in live]
        edges = self.graph.subgraph(live).edges(data="weight")
        lines += [f"  {names[a]} -> {names[b]} [weight={w:.4g}];" for a, b, w in edges]
        return "\n".join(["digraph wiring {", "  rankdir=LR;", *lines, "}"])

    def __str__(self) -> str:
        one = float((self.parents == 1).mean())
        ends = f"density {self.density:.4f}, effective {self.effective_density:.4f}; "
        return f"{self.table.to_string()}\n{ends}{one:.1%} of pixels have one parent"


def wiring(model: keras.Model, codes: np.ndarray | None = None, threshold: float = 0.1) -> Wiring:
    """Follows the open links of a model from latents to pixels, and from pixels to latents.

    With dense layers between them all latents reach all pixels unless very few links are open, so
    look at the functional reach beside it: a path need not be used. Gates are those of the test
    rule.

    Args:
        model: `SparseVAE`, or a functional or Sequential model of one input, whose links have gates
            or weights of 0.
        codes: Float array `(n, latent_dim)`, such as `vae.codes(images)` of some dozens: where
            the decoder's derivatives are taken. None: no functional reach.
        threshold: Share of the largest derivative above which a pixel answers to a latent, in
            [0, 1).

    Raises:
        TypeError: for what is no Keras model.
        ValueError: for a model that hides its graph, has neither gates nor weights of 0 (without
            codes), several inputs or a layer whose paths are not known; for codes that do not fit,
            or for codes of a model that is no VAE.
    """
    if not 0 <= threshold < 1:
        raise ValueError(
            f"`threshold` must be a float in [0, 1). Received: threshold={threshold!r}"
        )
    check_graphs("model", model)
    is_vae = hasattr(model, "networks")
    if codes is not None and not is_vae:
        raise ValueError(
            "`codes` must be None for a model without a decoder from latents to images. "
            f"Received: codes with a {type(model).__name__}"
        )
    found = report(model)
    stock = harden(model) if gated_layers(model) else model
    networks = list(stock.networks) if is_vae else [stock]
    if codes is None:
        _check_closed(model, networks)
    paths = path_counts(networks[-1])
    paths = paths.reshape(len(paths), -1)
    read = path_counts(networks[0]).T if is_vae else None
    maps = None
    if codes is not None:
        maps = pixel_maps(lambda z: model.decode(z).mean(), codes)
    functional = None if maps is None else (maps > threshold * maps.max()).reshape(len(maps), -1)
    reach = paths > 0
    return Wiring(
        graph=channel_graph(networks),
        reach=reach,
        paths=paths,
        encoder_reach=None if read is None else read > 0,
        encoder_paths=read,
        maps=maps,
        functional_reach=functional,
        density=found.density,
        effective_density=found.effective_density,
        table=_table(paths, read, functional),
        parents=reach.sum(axis=0),
    )


def _check_closed(model, networks):
    kernels = [v for network in networks for v in network.weights if "kernel" in v.name]
    if not gated_layers(model) and all(np.all(v.numpy()) for v in kernels):
        raise ValueError(
            "`model` must have gates or weights of 0: in a dense one all is connected with all; "
            "give `codes` for what depends on what in fact. "
            f"Received: {type(model).__name__} {model.name!r} without; see sparsevae.sparsify"
        )


def _table(paths, read, functional):
    """A row a latent."""
    reach = paths > 0
    columns = {
        "pixels": reach.sum(axis=1),
        "share": reach.mean(axis=1),
        "alone": (reach & (reach.sum(axis=0) == 1)).sum(axis=1),
        "paths": paths.sum(axis=1),
        "component": _components(reach),
    }
    if read is not None:
        columns |= {"pixels_read": (read > 0).sum(axis=1), "paths_read": read.sum(axis=1)}
    if functional is not None:
        reach = functional
        columns["functional_pixels"] = reach.sum(axis=1)
    columns |= {"anchored": anchored(reach), "structurally_sparse": structurally_sparse(reach)}
    return pd.DataFrame(columns).rename_axis("latent")


def _components(reach):
    """Number of each latent's component among latents and pixels, from 0; -1 without pixels."""
    n_latents, n_pixels = reach.shape
    rows, columns = np.nonzero(reach)
    size = n_latents + n_pixels
    links = coo_array((np.ones(len(rows)), (rows, columns + n_latents)), shape=(size, size))
    component = connected_components(links, directed=False)[1][:n_latents]
    reaching = reach.any(axis=1)
    numbers = {old: new for new, old in enumerate(dict.fromkeys(component[reaching]))}
    return [numbers[c] if on else -1 for c, on in zip(component, reaching, strict=True)]
