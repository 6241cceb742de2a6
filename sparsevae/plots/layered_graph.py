"""A graph of channels in layers: columns, which latent each channel goes with, links of groups."""

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np

from sparsevae.plots.channel_groups import grouped


@dataclasses.dataclass(frozen=True)
class Column:
    """A layer, or the latents.

    Attributes:
        network: Its network, such as "decoder"; "" of the latents between two networks.
        layer: Its name, "input" for inputs; "latents".
        n_channels: All of its channels.
        groups: Positions in `LayeredGraph.nodes` of the live channels of each node drawn.
        shares: Floats `(groups, latents)`, rows of sum 1 or 0: how much of each goes with a latent.
    """

    network: str
    layer: str
    n_channels: int
    groups: list[np.ndarray]
    shares: np.ndarray


@dataclasses.dataclass(frozen=True)
class LayeredGraph:
    """Columns from left to right, and what links their groups.

    Attributes:
        columns: First to last.
        middle: Number of the column of latents.
        latents: Number of each live latent, in the order of `shares`.
        weights: By pair of columns (from, to): norms of the weights between their groups.
        n_links: All links between live channels.
    """

    columns: list[Column]
    middle: int
    latents: np.ndarray
    weights: dict[tuple[int, int], np.ndarray]
    n_links: int


def layered(graph: Any, max_nodes: int) -> LayeredGraph:
    """Sorts the channels of a graph into columns of at most `max_nodes` groups.

    The latents are the inputs of the last network. What feeds them, and an output of as many
    channels beside it (the log variance), is one column with them. Going away from the latents,
    the share of a latent in a channel is the mean of its shares in the channels before, weighted
    by squared weights; so it is taken back to pixels and on to pixels alike.

    Args:
        graph: networkx `DiGraph` as of `sparsevae.analysis.wiring`.
        max_nodes: At least 1.
    """
    names = _merged(graph)
    live = {names[node] for node, is_live in graph.nodes(data="live") if is_live}
    links = _links(graph, names)
    depth, middle = _depths(links, {name[:2] for name in names.values()})
    places = sorted(live, key=lambda name: (depth[name[:2]], name[2]))
    number = {name: place for place, name in enumerate(places)}
    ends = np.array([(number[a], number[b]) for a, b in links if a in live and b in live], int)
    ends = ends.reshape(-1, 2)
    squares = np.array([w for (a, b), w in links.items() if a in live and b in live])
    of_node = np.array([depth[name[:2]] for name in places], int)
    latents = np.array([name[2] for name in places if depth[name[:2]] == middle], int)
    shares = _shares(ends, squares, of_node, middle)
    columns = _columns(
        sorted(depth, key=depth.get), set(names.values()), of_node, shares, max_nodes
    )
    return LayeredGraph(columns, middle, latents, _weights(columns, ends, squares), len(ends))


def _merged(graph) -> dict[Hashable, tuple]:
    """Name of each node: its own, or that of the latent which it is a parameter of."""
    order = list(dict.fromkeys(network for network, *_ in graph.nodes))
    names = {node: tuple(node) for node in graph.nodes}
    inputs = [n for n, role in graph.nodes(data="role") if role == "input" and n[0] == order[-1]]
    if len(order) == 1:
        return names
    for node in graph.nodes:
        is_parameter = graph.nodes[node]["role"] == "output" and node[0] != order[-1]
        if node in inputs or (is_parameter and node[2] < len(inputs)):
            names[node] = ("", "latents", node[2])
    return names


def _links(graph, names) -> dict[tuple[tuple, tuple], float]:
    """Squared weights between named nodes; none from a latent to itself."""
    links: dict[tuple[tuple, tuple], float] = {}
    for a, b, weight in graph.edges(data="weight"):
        pair = names[a], names[b]
        if pair[0] != pair[1]:
            links[pair] = links.get(pair, 0.0) + weight**2
    return links


def _depths(links, layers) -> tuple[dict[tuple[str, str], int], int]:
    """Column of each layer by the longest way to it, and the column of the latents."""
    arrows = {(a[:2], b[:2]) for a, b in links}
    depth = dict.fromkeys(layers, 0)
    for _ in layers:
        for a, b in arrows:
            depth[b] = max(depth[b], depth[a] + 1)
    order = sorted(layers, key=lambda layer: (depth[layer], layer))
    depth = {layer: place for place, layer in enumerate(order)}
    latents = ("", "latents")
    return depth, depth.get(latents, 0)


def _shares(ends, squares, of_node, middle) -> np.ndarray:
    """Shares of the latents in each node, column by column away from them."""
    at = np.flatnonzero(of_node == middle)
    shares = np.zeros((len(of_node), len(at)))
    shares[at, np.arange(len(at))] = 1.0
    steps = [(d, 0, 1) for d in range(middle + 1, of_node.max(initial=0) + 1)]
    steps += [(d, 1, 0) for d in range(middle - 1, -1, -1)]
    for column, source, target in steps:
        here = ends[of_node[ends[:, target]] == column]
        weights = squares[of_node[ends[:, target]] == column]
        np.add.at(shares, here[:, target], weights[:, None] * shares[here[:, source]])
        rows = of_node == column
        sums = shares[rows].sum(axis=1, keepdims=True)
        shares[rows] = np.divide(shares[rows], sums, out=shares[rows], where=sums > 0)
    return shares


def _columns(layers, names, of_node, shares, max_nodes) -> list[Column]:
    columns = []
    for place, (network, layer) in enumerate(layers):
        here = np.flatnonzero(of_node == place)
        of_here = shares[here]
        strongest = of_here.argmax(axis=1) if of_here.size else np.zeros(len(here), int)
        center = of_here @ np.arange(of_here.shape[1])
        order = np.lexsort((center, strongest))
        groups = [here[order[part]] for part in grouped(strongest[order], max_nodes)]
        means = [shares[group].mean(axis=0) for group in groups]
        n_channels = sum(name[:2] == (network, layer) for name in names)
        means = np.array(means).reshape(len(groups), shares.shape[1])
        columns.append(Column(network, layer, n_channels, groups, means))
    return columns


def _weights(columns, ends, squares) -> dict[tuple[int, int], np.ndarray]:
    group = np.zeros(sum(len(g) for c in columns for g in c.groups), int)
    column = np.zeros_like(group)
    for place, one in enumerate(columns):
        for number, channels in enumerate(one.groups):
            group[channels], column[channels] = number, place
    found = {}
    for pair in sorted(set(map(tuple, column[ends].tolist()))):
        kept = (column[ends] == pair).all(axis=1)
        sums = np.zeros([len(columns[place].groups) for place in pair])
        np.add.at(sums, tuple(group[ends[kept]].T), squares[kept])
        found[pair] = np.sqrt(sums)
    return found
