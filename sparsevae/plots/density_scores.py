"""A score of sparse models over their density, beside the dense twin."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from sparsevae.plots.columns import check_numbers
from sparsevae.plots.style import CYCLE, DASHES, FAINT, INK, MARKERS

DENSE = "none"  # the gate of the dense twin
_STEP = 1.04  # between methods of one density


def extremes(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest value."""
    return float(np.min(values)), float(np.max(values))


def score_against_density(
    table: pd.DataFrame,
    score: str,
    *,
    by: Sequence[str] = ("control", "gate"),
    within: Sequence[str] = ("target_density", "strength"),
    interval: Callable[[np.ndarray], tuple[float, float]] = extremes,
    label: str | None = None,
) -> Figure:
    """Runs as small points, the mean of each setting with an interval over its seeds.

    A line for each method leads through its means, from sparse to dense; the band and the line
    across are those of the dense runs, whose `gate` is "none". Methods stand 4 % of their density
    beside each other.

    Args:
        table: One row for each run, such as a study's: `density`, the score, `gate`, and the
            columns of `by`. Rows without the score, or without density (but dense ones), are left
            out.
        score: Column on the vertical axis, such as `elbo` or `score_mig`.
        by: Columns that tell methods apart.
        within: Columns that tell the settings of a method apart, where the table has them.
        interval: From the values of a setting to the ends of its bar; by default the lowest and
            the highest. Not called for a single run.
        label: Of the vertical axis; by default the score's name.

    Returns:
        Figure with one axes; density on a log scale.

    Raises:
        TypeError: if `table` is no table.
        ValueError: if a column is missing or no numbers, `by` is empty, no run is left, or a
            density is not in (0, 1].
    """
    runs = _check(table, score, by)
    is_dense = runs["gate"] == DENSE
    figure = Figure(figsize=(6.8, 4.4), dpi=150, layout="constrained")
    axes = figure.subplots()
    if is_dense.any():
        _draw_dense(axes, runs.loc[is_dense, score].to_numpy(dtype=float), interval)
    sparse = runs[~is_dense]
    within = [name for name in within if name in runs and name not in by]
    methods = list(sparse.groupby(list(by), sort=False, dropna=False))
    for number, (labels, group) in enumerate(methods):
        beside = _STEP ** (number - (len(methods) - 1) / 2)
        group = group.assign(density=group["density"] * beside)
        _draw_method(axes, number, _name(labels), group, score, within, interval)
    _finish(axes, sparse["density"], label or score.removeprefix("score_").replace("_", " "))
    return figure


def _check(table, score, by) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"`table` must be a DataFrame. Received: {type(table).__name__}")
    needed = {"density", "gate", score, *by}
    if not needed <= {*table}:
        raise ValueError(
            f"`table` must have columns {sorted(needed)}. Missing: {sorted(needed - {*table})}"
        )
    if not by:
        raise ValueError("`by` must name a column or more. Received: none")
    check_numbers("table", table, ["density", score])
    known = table[score].notna() & (table["density"].notna() | (table["gate"] == DENSE))
    runs = table[known]
    sparse = runs.loc[runs["gate"] != DENSE, "density"]
    if sparse.empty:
        raise ValueError(
            f"`table` must have a sparse run with {score!r} and its density. "
            f"Received: {len(table)} rows, {len(runs)} with both or dense"
        )
    if not sparse.between(0, 1, inclusive="right").all():
        raise ValueError(
            "`table` must have densities above 0 and up to 1, for a log scale. "
            f"Received: {sparse.min()} to {sparse.max()}"
        )
    return runs


def _name(labels) -> str:
    """Of a method, each word once: "target density, binary"."""
    known = [str(one).replace("_", " ") for one in labels if not pd.isna(one) and one != "pruned"]
    return ", ".join(dict.fromkeys(known)) or "sparse"


def _draw_dense(axes: Axes, values, interval) -> None:
    name = f"dense ({len(values)} seed{'s' * (len(values) > 1)})"
    axes.axhline(values.mean(), color=INK, linewidth=1.2, linestyle="--", label=name, zorder=1)
    if len(values) > 1:
        axes.axhspan(*interval(values), color=FAINT, alpha=0.3, linewidth=0, zorder=0)


def _draw_method(axes: Axes, number, name, group, score, within, interval) -> None:
    color, marker = CYCLE[number % len(CYCLE)], MARKERS[number % len(MARKERS)]
    axes.scatter(
        group["density"], group[score], s=12, color=color, alpha=0.45, marker=marker, linewidths=0
    )
    settings = [rows for _, rows in group.groupby(within, dropna=False)] if within else [group]
    means = []
    for rows in settings:
        values = rows[score].to_numpy(dtype=float)
        low, high = interval(values) if len(values) > 1 else (values[0], values[0])
        means.append((np.exp(np.log(rows["density"]).mean()), values.mean(), low, high))
    density, mean, low, high = np.array(sorted(means)).T
    axes.errorbar(
        density,
        mean,
        yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)],
        color=color,
        marker=marker,
        markersize=6.5,
        markeredgecolor="white",
        linewidth=1.3,
        linestyle=DASHES[number // len(CYCLE) % len(DASHES)],
        capsize=3,
        label=name,
        zorder=3,
    )


def _finish(axes: Axes, density: pd.Series, label: str) -> None:
    axes.set_xscale("log")
    low, high = density.min(), density.max()
    around = 1.5 if high > 4 * low else 3.0
    axes.set_xlim(low / around, min(high * around, 1.25))
    subs = (1, 2, 5) if high < 1000 * low else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("density: share of open links", color=INK)
    known = {"elbo": "ELBO (nats per observation)", "mig": "MIG"}
    axes.set_ylabel(known.get(label, label), color=INK)
    axes.grid(color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    lines = [one[0] if isinstance(one, tuple) else one for one in handles]  # without their bars
    place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
    axes.legend(lines, labels, fontsize=8, **place)
