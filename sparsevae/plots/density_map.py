"""How the masks of all layers fill and empty while a model trains."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from sparsevae.plots.columns import check_numbers
from sparsevae.plots.gate_masks import MASK_COLORS, MASK_TICKS
from sparsevae.plots.phase_shading import given_spans, shade, spans
from sparsevae.plots.style import INK

_PANELS = {"density/": "open links", "flipped/": "links that opened or closed"}


def mask_evolution(
    history: pd.DataFrame, *, phases: Mapping[str, tuple[float, float]] | None = None
) -> Figure:
    """Share of open links of each layer over the steps, a row for each layer.

    First layers stand on top. The color scale follows the cube root, as that of `masks`; the number
    beside a row is the last one. The phases of the control are named above.

    Args:
        history: Table with columns `step` and `density/<layer>`, values in [0, 1]; where known
            `flipped/<layer>`, the share of links that opened or closed since the row before, for a
            panel of its own; and what tells of phases, see `history`. NaN is white.
        phases: First and last step of each phase by name; None for those of the table.

    Returns:
        Figure with one axes, or two, and one for the color bar.

    Raises:
        TypeError: if `history` is no table.
        ValueError: if it has no rows or no such columns, a step is not finite or comes twice, a
            value is out of [0, 1], or a phase ends before it starts.
    """
    kinds = _check(history)
    run = history.sort_values("step")
    n_rows = [sum(name.startswith(kind) for name in run) for kind in kinds]
    height = 1.1 + 0.24 * max(sum(n_rows), 4)
    figure = Figure(figsize=(8.5, height), dpi=150, layout="constrained")
    shape = {"height_ratios": n_rows, "squeeze": False, "sharex": True}
    panels = figure.subplots(len(kinds), **shape)[:, 0]
    for kind, axes in zip(kinds, panels, strict=True):
        mesh = _draw_rows(axes, run, kind)
    found = spans(run) if phases is None else given_spans(phases)
    shade(panels, found, panels[0].get_xlim(), lines_only=True)
    panels[-1].set_xlabel("step", color=INK)
    panels[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    bar = figure.colorbar(mesh, ax=list(panels), ticks=MASK_TICKS, pad=0.06, aspect=30)
    bar.ax.set_yticklabels([f"{100 * tick:g} %" for tick in MASK_TICKS])
    bar.set_label("share of the layer's links", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_linewidth(0.5)
    return figure


def _check(history) -> list[str]:
    """Prefixes of the columns that are there."""
    if not isinstance(history, pd.DataFrame):
        raise TypeError(f"`history` must be a DataFrame. Received: {type(history).__name__}")
    layers = [name for name in history if str(name).startswith("density/")]
    if history.empty or "step" not in history or not layers:
        raise ValueError(
            "`history` must have rows, and columns step and density/LAYER. "
            f"Received: {len(history)} rows of columns {list(history.columns)}"
        )
    kinds = [kind for kind in _PANELS if any(str(name).startswith(kind) for name in history)]
    check_numbers("history", history, ["step"], finite=True)
    if not history["step"].is_unique:
        raise ValueError("`history` must have each step once. Received: one step several times")
    check_numbers("history", history, [k for k in history if str(k).startswith(tuple(kinds))])
    for name in history:
        values = history[name] if str(name).startswith(tuple(kinds)) else pd.Series(dtype=float)
        if ((values < 0) | (values > 1)).any():
            raise ValueError(
                f"`history` must have shares in [0, 1]. Received: {values.min()} to "
                f"{values.max()} in {name!r}"
            )
    return kinds


def _draw_rows(axes: Axes, run: pd.DataFrame, kind: str):
    """A colored row for each layer; returns the mesh, which the color bar needs."""
    columns = [name for name in run if name.startswith(kind)]
    values = run[columns].to_numpy(dtype=float).T
    step = run["step"].to_numpy(dtype=float)
    before = step[0] - (step[1] - step[0] if len(step) > 1 else max(step[0], 1.0))
    edges = np.concatenate([[max(before, 0.0) if step[0] > 0 else before], step])
    mesh = axes.pcolormesh(
        edges,
        np.arange(len(columns) + 1),
        values,
        cmap=MASK_COLORS,
        norm=PowerNorm(1 / 3, vmin=0, vmax=1),
    )
    axes.set_ylim(len(columns), 0)
    axes.set_yticks(np.arange(len(columns)) + 0.5, [c.removeprefix(kind) for c in columns])
    axes.tick_params(axis="y", length=0, labelsize=7)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_ylabel(_PANELS[kind], fontsize=8, color=INK)
    axes.hlines(np.arange(1, len(columns)), *edges[[0, -1]], color="white", linewidth=1.5)
    axes.spines[:].set_visible(False)
    for row, last in enumerate(values[:, -1]):
        text = f"{100 * last:.3g} %" if np.isfinite(last) else "–"
        place = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 7}
        axes.text(1.008, row + 0.5, text, color=INK, **place)
    return mesh
