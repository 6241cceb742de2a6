"""The course of one training run, or of several on top of each other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, StrMethodFormatter

from sparsevae.plots.columns import check_numbers
from sparsevae.plots.phase_shading import given_spans, shade, spans
from sparsevae.plots.style import CYCLE, INK

_PANELS = {
    "elbo": "ELBO\n(nats per observation)",
    "density": "density",
    "active_latents": "active latents",
}
_BURN_IN = 0.05  # share of the run that does not set the range of the ELBO axis


def history(
    history: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    phases: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """ELBO, density and active latents over training steps.

    The density of the whole model is drawn thick, that of single layers thin, from first (dark) to
    last (light), on an axis that is logarithmic above 1 %. The ELBO axis is set by what follows
    the first 5 % of the steps; a note gives the value where the start lies below it. The phases of
    the control are shaded, unless several runs differ in them: gates open, price or target on the
    ramp, learning, and frozen.

    Args:
        history: Table with columns `step` and `elbo`, and where known `density`,
            `density/<layer>`, `active_latents`, `sparsity_strength`, `target_density` and
            `learning` (0 or 1); or several, by run name. NaN is a step without that measurement.
        phases: First and last step of each phase by name; None for those of the table.

    Returns:
        Figure with one axes for each of ELBO, density and active latents that some run has.

    Raises:
        TypeError: if `history` is neither a table nor a dict of tables.
        ValueError: if there is no run, a run has no rows or lacks `step` or `elbo`, a step is not
            finite, a column is no numbers, or a phase ends before it starts.
    """
    runs = _check_runs(history)
    columns = [name for name in _PANELS if any(name in run for run in runs.values())]
    size = (8.5, 1.0 + 2.1 * len(columns))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = figure.subplots(len(columns), sharex=True, squeeze=False)[:, 0]
    for column, axes in zip(columns, panels, strict=True):
        for i, (name, run) in enumerate(runs.items()):
            color = CYCLE[i % len(CYCLE)] if len(runs) > 1 else INK
            if column == "density":
                _draw_layers(axes, run, color if len(runs) > 1 else None)
            _draw(axes, run, column, color=color, linewidth=1.8, label=name or "all layers")
        _finish(axes, column)
        if column == "density" and len(runs) == 1:
            place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
            axes.legend(fontsize=6.5, labelspacing=0.25, **place)
    _fit_elbo(panels[0], runs)
    _shade_phases(panels, runs, phases)
    panels[-1].set_xlabel("step", color=INK)
    panels[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    panels[-1].set_xlim(*_step_range(runs))
    figure.align_ylabels()
    if len(runs) > 1:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)
    return figure


def _check_runs(history: pd.DataFrame | Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables by run name, in order of step; a single table gets the name ''."""
    runs = {"": history} if isinstance(history, pd.DataFrame) else history
    if not isinstance(runs, Mapping):
        raise TypeError(
            f"`history` must be a DataFrame or a dict of them. Received: {type(history).__name__}"
        )
    if not runs:
        raise ValueError("`history` must hold at least one run. Received: an empty dict")
    for name, run in runs.items():
        if not isinstance(run, pd.DataFrame):
            raise TypeError(
                f"`history[{name!r}]` must be a DataFrame. Received: {type(run).__name__}"
            )
        if run.empty or not {"step", "elbo"} <= set(run.columns):
            raise ValueError(
                "`history` must have rows, and columns step and elbo. "
                f"Received: {len(run)} rows of columns {list(run.columns)} in run {name!r}"
            )
        check_numbers("history", run, ["step"], finite=True)
        drawn = [k for k in run if k in _PANELS or str(k).startswith("density/")]
        check_numbers("history", run.replace([np.inf, -np.inf], np.nan), drawn)  # of divergence
    return {name: run.sort_values("step") for name, run in runs.items()}


def _draw(axes: Axes, run: pd.DataFrame, column: str, **style) -> None:
    if column in run:
        known = run[["step", column]].dropna()
        marker = "." if len(known) == 1 else None  # a line of one point shows nothing
        axes.plot(known["step"], known[column], marker=marker, **style)


def _draw_layers(axes: Axes, run: pd.DataFrame, color: str | None) -> None:
    """Thin lines of the layers: in the color of their run, or shaded in order."""
    layers = [name for name in run.columns if name.startswith("density/")]
    shades = _shades(len(layers))
    for layer, tint in zip(layers, shades, strict=True):
        label = layer.removeprefix("density/") if color is None else None
        alpha = 1.0 if color is None else 0.35
        _draw(axes, run, layer, color=color or tint, linewidth=0.9, alpha=alpha, label=label)


def _shades(n: int) -> np.ndarray:
    """`n` colors `(n, 4)` from dark to light, legible on white and without hue differences only."""
    return colormaps["viridis"](np.linspace(0, 0.9, n))


def _finish(axes: Axes, column: str) -> None:
    """Labels, grid and scale of one panel."""
    axes.set_ylabel(_PANELS[column], color=INK)
    axes.grid(axis="y", color="#e0e0e0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if column == "density":
        axes.set_yscale("symlog", linthresh=0.01, linscale=0.5)
        axes.set_ylim(-0.0005, 1.15)
        axes.yaxis.set_major_locator(FixedLocator([0, 0.01, 0.03, 0.1, 0.3, 1]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    if column == "active_latents":
        axes.set_ylim(bottom=0)
        axes.yaxis.get_major_locator().set_params(integer=True)


def _step_range(runs: dict[str, pd.DataFrame]) -> tuple[float, float]:
    """First and last step of all runs, never equal."""
    first = min(run["step"].min() for run in runs.values())
    last = max(run["step"].max() for run in runs.values())
    return first, max(last, first + 1)


def _fit_elbo(axes: Axes, runs: dict[str, pd.DataFrame]) -> None:
    """Sets the ELBO range by what follows the burn-in, and says where the start lies."""
    first, last = _step_range(runs)
    settled = [
        run.loc[run["step"] >= first + _BURN_IN * (last - first), "elbo"] for run in runs.values()
    ]
    values = pd.concat(settled).replace([np.inf, -np.inf], np.nan).dropna()
    if values.empty:
        return
    margin = 0.05 * (values.max() - values.min()) or 1.0
    bottom = values.min() - margin
    axes.set_ylim(bottom, values.max() + margin)
    lowest = min(run["elbo"].min() for run in runs.values())
    if lowest < bottom:
        axes.text(
            0.995,
            0.03,
            f"starts below the axis, at {lowest:,.0f}".replace("-", "\N{MINUS SIGN}"),
            transform=axes.transAxes,
            ha="right",
            fontsize=7,
            color=INK,
        )


def _shade_phases(panels: np.ndarray, runs: dict[str, pd.DataFrame], phases) -> None:
    """Shades what is given, or what all runs that tell of phases agree in."""
    distinct = {tuple(spans(run)) for run in runs.values()} - {()}
    if phases is not None:
        distinct = {tuple(given_spans(phases))}
    if len(distinct) == 1:
        shade(panels, list(distinct.pop()), _step_range(runs))
