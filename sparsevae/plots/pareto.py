"""Models between two aims: which of them no other one beats."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from sparsevae.plots.columns import check_numbers
from sparsevae.plots.style import CYCLE, FAINT, INK

_LABELS = {"elbo": "ELBO (nats per observation)", "density": "density", "udr": "UDR"}
_LABELS |= {"strength_in_gaps": "strength, in units of Δ", "target_density": "target density"}


def front(
    trials: pd.DataFrame,
    objectives: Sequence[str],
    on_front: np.ndarray,
    *,
    over: str = "strength_in_gaps",
    marks: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """Two objectives against each other, the front drawn through; one objective over what varies.

    Density lies on the horizontal axis where it is one of the first two objectives. A third one
    is the color of the points; the front, then a surface, has no line. The kinds of gates have
    markers of their own. Rows without a value for an axis are left out.

    Args:
        trials: One row for each model, with a column for each objective and `gate`; for a single
            objective also `over`.
        objectives: Names of one to three columns; more are not drawn.
        on_front: Booleans, one for each row.
        over: Column on the horizontal axis, on a log scale, for a single objective.
        marks: Other models to compare with: name to values of the objectives.

    Returns:
        Figure with one axes, and a color bar for a third objective.

    Raises:
        ValueError: if there are no trials, a column is missing or no numbers, or `on_front` has
            another length or is not of booleans.
    """
    names = list(objectives)[:3]
    _check(trials, names, over, on_front)
    x, y = _axes(names, over)
    known = trials[[x, y]].notna().all(axis=1).to_numpy()
    trials, on_front = trials[known], np.asarray(on_front)[known]
    if trials.empty:
        raise ValueError(f"`trials` must have a row with {x!r} and {y!r}. Received: none")
    if x == over and not (trials[over] > 0).all():
        least = trials[over].min()
        raise ValueError(f"`trials` must have {over!r} above 0, for a log scale. Received: {least}")
    color = names[2] if len(names) == 3 else None
    figure = Figure(figsize=(6.5, 4.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    _draw_points(figure, axes, trials, (x, y, color), on_front)
    if len(names) == 2:
        line = trials[on_front].sort_values(x)
        axes.plot(line[x], line[y], color=INK, linewidth=1, zorder=1)
    for name, values in (marks or {}).items():
        _mark(axes, name, values, x, y)
    _finish(axes, x, y, over)
    return figure


def _check(trials, names, over, on_front):
    needed = {*names, "gate"} | ({over} if len(names) == 1 else set())
    if trials.empty or not names or not needed <= set(trials):
        raise ValueError(
            f"`trials` must have rows, and columns {sorted(needed)}. "
            f"Received: {len(trials)} rows of columns {list(trials.columns)}"
        )
    if np.shape(on_front) != (len(trials),):
        raise ValueError(
            f"`on_front` must have one boolean for each of {len(trials)} trials. "
            f"Received: shape {np.shape(on_front)}"
        )
    if np.asarray(on_front).dtype != bool:
        dtype = np.asarray(on_front).dtype
        raise ValueError(f"`on_front` must be booleans. Received: dtype {dtype}")
    check_numbers("trials", trials, needed - {"gate"})


def _axes(names, over):
    if len(names) == 1:
        return over, names[0]
    first, second = names[:2]
    return (first, second) if first == "density" else (second, first)


def _draw_points(figure, axes: Axes, trials, columns, on_front) -> None:
    x, y, color = columns
    limits = {} if color is None else {"vmin": trials[color].min(), "vmax": trials[color].max()}
    points = None
    for number, (gate, group) in enumerate(trials.groupby("gate", sort=False)):
        best = np.asarray(on_front)[trials.index.get_indexer(group.index)]
        shades = {"c": group[color], "cmap": "viridis", **limits} if color else None
        points = axes.scatter(
            group[x],
            group[y],
            s=np.where(best, 60, 25),
            marker="osD^vP"[number % 6],
            linewidths=np.where(best, 1.2, 0.0),
            edgecolors=INK,
            label=gate,
            zorder=2,
            **(shades or {"color": CYCLE[number % len(CYCLE)]}),
        )
    if color and points is not None:
        figure.colorbar(points, ax=axes, label=_LABELS.get(color, color))


def _mark(axes, name, values, x, y):
    if np.isfinite(values.get(y, np.nan)):
        if np.isfinite(values.get(x, np.nan)):
            axes.scatter([values[x]], [values[y]], marker="*", s=90, color=FAINT, label=name)
        else:
            axes.axhline(values[y], color=FAINT, linewidth=1, label=name, zorder=0)


def _finish(axes, x, y, over):
    axes.set_xlabel(_LABELS.get(x, x))
    axes.set_ylabel(_LABELS.get(y, y))
    if x == over:
        axes.set_xscale("log")
    if x == "density":
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlim(left=-0.02)
    axes.grid(color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
