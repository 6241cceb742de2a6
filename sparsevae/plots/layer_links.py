"""A mask on a layer: channels as nodes, open links as lines, closed ones dotted."""

import dataclasses

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sparsevae.checks import check_integer
from sparsevae.plots.channel_groups import components, grouped, serial
from sparsevae.plots.gate_masks import check_mask
from sparsevae.plots.style import CYCLE, FAINT, INK


def mask_diagram(mask: np.ndarray, *, name: str = "", max_nodes: int = 16) -> Figure:
    """Input channels left, output channels right, and what is open between them.

    Where a side has more than `max_nodes` channels, channels that share links are put together and
    a node stands for several; the wider and darker a line, the more of its links are open, and it
    is dotted where none is. What hangs together has a color of its own where a layer falls into 2
    to 7 parts. Channels without an open link are hollow.

    Args:
        mask: Float or boolean array `(in, out)`, values in [0, 1]; open is what is not 0.
        name: Of the layer, for the title.
        max_nodes: Nodes a side, at least 2; of channels without an open link one more.

    Returns:
        Figure with one axes; the line below it says what a node and a line stand for.

    Raises:
        TypeError: if `max_nodes` is no integer.
        ValueError: if `mask` is empty, not two-dimensional or out of [0, 1], or `max_nodes` too
            small.
    """
    check_integer("max_nodes", max_nodes, minimum=2)
    is_open = check_mask("mask", mask) > 0
    sides = _sides(is_open, max_nodes)
    shares = _shares(is_open, *sides)
    most = max(len(side.sizes) for side in sides)
    height = 1.3 + 0.3 * max(most, 4)
    figure = Figure(figsize=(5.2, height), dpi=150, layout="constrained")
    axes = figure.subplots()
    _draw_links(axes, sides, shares)
    for x, side in enumerate(sides):
        _draw_nodes(axes, x, side)
    n_in, n_out = is_open.shape
    title = f"{n_in:,} × {n_out:,} links, {100 * is_open.mean():.3g} % open"
    axes.set_title(f"{name}\n{title}" if name else title, fontsize=9, color=INK)
    axes.set_xlim(-0.28, 1.28)
    axes.set_ylim(most - 0.4, -1.0)
    axes.axis("off")
    figure.supxlabel(_caption(is_open, sides, shares), fontsize=7, color=INK)
    return figure


@dataclasses.dataclass(frozen=True)
class _Side:
    """Nodes of one side, top to bottom.

    Attributes:
        name: "in" or "out".
        node: Node of each channel, `(channels,)`.
        sizes: Channels of each node.
        part: Component of each node, -1 for nodes without an open link.
        colors: Of the nodes.
        y: Their places.
    """

    name: str
    node: np.ndarray
    sizes: np.ndarray
    part: np.ndarray
    colors: list[str]
    y: np.ndarray


def _sides(is_open, max_nodes):
    """Both sides; in their own order where all channels fit."""
    parts = components(is_open)
    n_parts = 1 + max(parts[0].max(), 0)
    colors = CYCLE if 2 <= n_parts <= len(CYCLE) else [INK] * n_parts
    many = max(is_open.shape) > max_nodes
    keys = serial(is_open) if many else [np.arange(n) for n in is_open.shape]
    most = max(_n_nodes(part, max_nodes) for part in parts)
    return [
        _side(name, part, key, max_nodes, many, colors, most)
        for name, part, key in zip(("in", "out"), parts, keys, strict=True)
    ]


def _n_nodes(part, max_nodes):
    live = np.count_nonzero(part >= 0)
    return len(part) if len(part) <= max_nodes else min(live, max_nodes) + (live < len(part))


def _side(name, part, key, max_nodes, many, colors, most):
    if many:
        key = np.where(part < 0, np.arange(len(part)), key)
        order = np.lexsort((key, np.where(part < 0, len(part), part)))
    else:
        order = np.arange(len(part))
    if len(part) <= max_nodes:
        groups = [order[[place]] for place in range(len(order))]
    else:
        live = order[part[order] >= 0]
        groups = [live[places] for places in grouped(part[live], max_nodes)]
        closed = order[part[order] < 0]
        groups += [closed] if len(closed) else []
    node = np.empty(len(part), int)
    for number, channels in enumerate(groups):
        node[channels] = number
    of_node = np.array([part[channels].max() for channels in groups])
    shown = [colors[k] if k >= 0 else "white" for k in of_node]
    y = (np.arange(len(groups)) + 0.5) * most / len(groups) - 0.5
    return _Side(name, node, np.array([len(g) for g in groups]), of_node, shown, y)


def _shares(is_open, left, right):
    """Share of open links between each pair of nodes."""
    counts = np.zeros((len(left.sizes), len(right.sizes)))
    np.add.at(counts, (left.node[:, None], right.node[None, :]), is_open)
    return counts / np.outer(left.sizes, right.sizes)


def _draw_links(axes: Axes, sides, shares) -> None:
    left, right = sides
    lines = [[(0, left.y[i]), (1, right.y[j])] for i, j in np.ndindex(shares.shape)]
    flat, lines = shares.ravel(), np.array(lines)
    closed = LineCollection(lines[flat == 0], colors="#c4c4c4", linewidths=0.6, zorder=1)
    closed.set_linestyle((0, (1, 3)))
    axes.add_collection(closed)
    drawn = np.flatnonzero(flat > 0)
    drawn = drawn[np.argsort(flat[drawn], kind="stable")]
    strength = flat[drawn] / flat.max(initial=1e-9)
    starts = drawn // shares.shape[1]
    alphas = strength * min(1.0, 8 / max(len(drawn), 1) ** 0.5)  # many lines are lighter
    colors = [(left.colors[i], alpha) for i, alpha in zip(starts, alphas, strict=True)]
    widths = 0.3 + 1.5 * strength
    axes.add_collection(LineCollection(lines[drawn], colors=colors, linewidths=widths, zorder=2))


def _draw_nodes(axes: Axes, x: int, side: _Side) -> None:
    edges = [FAINT if k < 0 else "white" for k in side.part]
    areas = 40 + 100 * side.sizes / side.sizes.max() if side.sizes.max() > 1 else 55
    axes.scatter(
        np.full(len(side.y), x), side.y, s=areas, c=side.colors, edgecolors=edges, zorder=3
    )
    single = side.sizes.max() == 1
    channel = np.argsort(side.node) if single else None
    for number, (y, size) in enumerate(zip(side.y, side.sizes, strict=True)):
        text = str(channel[number]) if single else f"{size}"
        text += " closed" if side.part[number] < 0 and not single else ""
        place = {"ha": "right" if x == 0 else "left", "va": "center"}
        color = INK if side.part[number] >= 0 else FAINT
        axes.text(x + (0.05 if x else -0.05), y, text, fontsize=6.5, color=color, **place)
    axes.text(x, -0.95, f"{len(side.node):,} {side.name}", ha="center", va="top", fontsize=8)


def _caption(is_open, sides, shares):
    if max(side.sizes.max() for side in sides) == 1:
        return "line: open link; dotted: closed"
    return (
        "node: as many channels as it says, which share links\n"
        f"darkest line: {100 * shares.max():.3g} % of its links are open; dotted: none"
    )
