"""The wiring of a whole model: latents, layers, pixels."""

import itertools
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from sparsevae.checks import check_integer
from sparsevae.plots.layered_graph import Column, LayeredGraph, layered
from sparsevae.plots.style import FAINT, INK, LATENTS

_GREY = "#b8b8b8"
_LONG = 13  # letters of a layer's name that fit on a line
_DARK = 0.02  # share of the largest derivative below which a map is left white


def wiring_diagram(
    graph: Any,
    *,
    maps: np.ndarray | None = None,
    max_nodes: int = 16,
    n_links: int = 60,
) -> Figure:
    """Channels as nodes in a column for each layer, links as lines, each latent in its own color.

    Channels take the color of the latent that most of their weight leads to, or comes from, the
    greyer the more others there are. Columns stand in order of these latents. Where a column has
    more than `max_nodes` channels, neighbours of one latent are one node, the larger the more they
    are. Of the links between two columns the strongest are drawn, by the norm of their weights.
    Channels through which nothing passes are left out, and counted below.

    Args:
        graph: networkx `DiGraph` of channels, `sparsevae.analysis.wiring(vae).graph`.
        maps: Floats or booleans `(latent_dim, height, width, channels)`, `maps` or `reach` of the
            wiring: where each latent shows in images, drawn on the right, each on its own scale
            (white below a fiftieth of the largest); None for none.
        max_nodes: Nodes in a column, at least 2.
        n_links: Lines between two columns, at least 1.

    Returns:
        Figure; its first axes hold the diagram, one more each the map of a live latent.

    Raises:
        TypeError: if `graph` is no graph of channels, or a number no integer.
        ValueError: if no channel is live, `maps` do not fit, or a number is too small.
    """
    check_integer("max_nodes", max_nodes, minimum=2)
    check_integer("n_links", n_links, minimum=1)
    _check_graph(graph)
    found = layered(graph, max_nodes)
    if maps is not None:
        maps = _check_maps(maps, found)
    n_columns = len(found.columns)
    width = 1.2 + 0.95 * max(n_columns, 4) + (0.9 if maps is not None else 0)
    figure = Figure(figsize=(width, 4.6), dpi=150)
    right = 1 - (1.2 if maps is not None else 0.3) / width
    axes = figure.add_axes((0.3 / width, 0.2, right - 0.3 / width, 0.79))
    heights = [_places(column) for column in found.columns]
    for pair, weights in found.weights.items():
        _draw_links(axes, found, heights, pair, weights, n_links)
    for place, column in enumerate(found.columns):
        _draw_nodes(axes, place, column, heights[place], found)
    _finish(axes, found)
    if maps is not None:
        _draw_maps(figure, maps, found, right, width)
    figure.text(
        0.5, 0.02, _caption(found, n_links), fontsize=7, color=INK, ha="center", va="bottom"
    )
    return figure


def _check_graph(graph) -> None:
    nodes = list(getattr(graph, "nodes", ()))
    if not (hasattr(graph, "edges") and all(isinstance(n, tuple) and len(n) == 3 for n in nodes)):
        raise TypeError(
            "`graph` must be a graph with nodes (network, layer, channel), such as "
            f"sparsevae.analysis.wiring(vae).graph. Received: {type(graph).__name__}"
        )
    if not any(is_live for _, is_live in graph.nodes(data="live")):
        raise ValueError(
            "`graph` must have a live channel; in a model without one nothing leads from latents "
            f"to pixels. Received: {len(nodes)} channels, none live"
        )


def _check_maps(maps, found: LayeredGraph) -> np.ndarray:
    maps = np.asarray(maps, np.float64)
    n_latents = found.columns[found.middle].n_channels
    if maps.ndim != 4 or len(maps) != n_latents or 0 in maps.shape:
        raise ValueError(
            f"`maps` must be an array ({n_latents}, height, width, channels), as the graph has "
            f"{n_latents} latents. Received: shape {maps.shape}"
        )
    if not (np.isfinite(maps).all() and maps.min() >= 0):
        raise ValueError(
            f"`maps` must be finite and at least 0. Received: {maps.min()} to {maps.max()}"
        )
    return np.sqrt(np.square(maps).sum(axis=-1))


def _places(column: Column) -> np.ndarray:
    """Heights of the nodes, first at the top."""
    n = len(column.groups)
    return 1 - (np.arange(n) + 0.5) / max(n, 1)


def _latent_colors(found: LayeredGraph) -> list[str]:
    """Of each live latent: by its number, so that models compare; by its place if they are many."""
    numbers, n = found.latents, len(LATENTS)
    if max(numbers, default=0) >= n:
        numbers = np.arange(len(numbers)) * n // max(len(numbers), n)
    return [LATENTS[k] for k in numbers]


def _colors(shares: np.ndarray, found: LayeredGraph) -> list[tuple]:
    """Of each node: its strongest latent's, mixed with grey by what the others have."""
    n_latents, latent_colors = shares.shape[1], _latent_colors(found)
    colors = []
    for row in shares:
        top = latent_colors[row.argmax()] if n_latents else _GREY
        even = 1 / n_latents if n_latents > 1 else 0.0
        purity = float(np.clip((row.max(initial=0) - even) / (1 - even), 0, 1))
        latent, grey = (np.array(to_rgb(color)) for color in (top, _GREY))
        colors.append(tuple(purity * latent + (1 - purity) * grey))
    return colors


def _draw_links(axes: Axes, found, heights, pair, weights, n_links) -> None:
    """The strongest links between two columns, in the color of the end away from the latents."""
    start, end = pair
    flat = weights.ravel()
    kept = np.argsort(flat, kind="stable")[-n_links:]
    kept = kept[flat[kept] > 0]
    rows, columns = np.unravel_index(kept, weights.shape)
    is_after = start >= found.middle
    colored = (end, columns) if is_after else (start, rows)
    if found.middle in pair:  # next to a latent the line is the latent's
        colored = (start, rows) if is_after else (end, columns)
    colors = _colors(found.columns[colored[0]].shares, found)
    points = [
        [(start, heights[start][i]), (end, heights[end][j])]
        for i, j in zip(rows, columns, strict=True)
    ]
    strength = flat[kept] / flat.max(initial=1e-12)
    shades = [(colors[k], 0.25 + 0.6 * s) for k, s in zip(colored[1], strength, strict=True)]
    axes.add_collection(
        LineCollection(points, colors=shades, linewidths=0.3 + 1.4 * strength, zorder=1)
    )


def _draw_nodes(axes: Axes, place, column: Column, heights, found: LayeredGraph) -> None:
    sizes = np.array([len(group) for group in column.groups])
    areas = 26 + 70 * np.sqrt((sizes - 1) / max(sizes.max(initial=1) - 1, 1)) * (sizes > 1)
    axes.scatter(
        np.full(len(heights), place), heights, s=areas, c=_colors(column.shares, found) or None,
        edgecolors="white", linewidths=0.8, zorder=3,
    )  # fmt: skip
    if place == found.middle:
        for group, y in zip(_names(column, found), heights, strict=True):
            axes.annotate(
                group, (place, y), (0, 5), textcoords="offset points", ha="center", fontsize=7,
                color=INK, zorder=4, path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip


def _names(column, found):
    """z3, or z3–z9 where latents are put together."""
    starts = np.cumsum([0, *(len(group) for group in column.groups)])
    spans = [found.latents[a:b] for a, b in itertools.pairwise(starts)]
    x = _letter(found)
    return [f"{x}{s[0]}" if len(s) == 1 else f"{x}{s[0]}–{x}{s[-1]}" for s in spans]


def _letter(found: LayeredGraph) -> str:
    """z of latents, x of the inputs of a model that has no encoder."""
    return "z" if found.middle else "x"


def _finish(axes: Axes, found: LayeredGraph) -> None:
    """Names of layers below, of networks above."""
    for place, column in enumerate(found.columns):
        n_live = sum(len(group) for group in column.groups)
        name = column.layer.removeprefix(f"{column.network}_")
        name = "pixels" if found.middle and not place else _broken(name)
        count = (
            f"{n_live:,} of\n{column.n_channels:,}" if n_live < column.n_channels else f"{n_live:,}"
        )
        axes.text(place, -0.03, f"{name}\n{count}", ha="center", va="top", fontsize=7, color=INK)
    networks = [column.network for column in found.columns]
    for network in dict.fromkeys(filter(None, networks)):
        places = [k for k, one in enumerate(networks) if one == network]
        axes.plot([places[0] - 0.3, places[-1] + 0.3], [1.06, 1.06], color=FAINT, linewidth=0.8)
        middle = (places[0] + places[-1]) / 2
        axes.text(middle, 1.08, network, ha="center", va="bottom", fontsize=9, color=INK)
    axes.set_xlim(-0.5, len(found.columns) - 0.5)
    axes.set_ylim(-0.02, 1.12)
    axes.axis("off")


def _broken(name: str) -> str:
    """A long name on two lines, which neighbours have room for."""
    if len(name) <= _LONG or "_" not in name[1:-1]:
        return name
    cuts = [place for place, letter in enumerate(name) if letter == "_"]
    cut = min(cuts, key=lambda place: abs(place - len(name) / 2))
    return f"{name[:cut]}\n{name[cut:]}"


def _draw_maps(figure, maps, found, right, width) -> None:
    """A small picture for each live latent, in its color."""
    n = len(found.latents)
    side = min(0.8 / width, 0.68 / n * 4.6 / width)
    for place, (latent, color) in enumerate(zip(found.latents, _latent_colors(found), strict=True)):
        top = 0.88 - (place + 0.5) * 0.7 / n
        height = side * width / 4.6
        axes = figure.add_axes((right + 0.15 / width, top - height / 2, side * 0.92, height * 0.92))
        shades = LinearSegmentedColormap.from_list("latent", ["white", color])
        most = maps[latent].max() if maps[latent].max() > _DARK * maps.max() else maps.max()
        axes.imshow(maps[latent], cmap=shades, vmin=0, vmax=most or 1.0)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(color)
        axes.set_ylabel(
            f"{_letter(found)}{latent}", fontsize=7, rotation=0, ha="right", va="center", color=INK
        )


def _caption(found: LayeredGraph, n_links: int) -> str:
    n_nodes = sum(len(column.groups) for column in found.columns)
    n_live = sum(len(group) for column in found.columns for group in column.groups)
    drawn = sum(min(n_links, np.count_nonzero(w)) for w in found.weights.values())
    together = f" in {n_nodes:,} nodes" if n_nodes < n_live else ""
    return (
        f"{n_live:,} live channels{together}; {found.n_links:,} links between them, drawn as the "
        f"{drawn:,} strongest.\n"
        f"Color: the {'latent' if found.middle else 'input'} that most of a channel's weight leads "
        "to or comes from; grey: mixed."
    )
