"""Figures of the page; each is left out while its runs are not there."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from docs.study_page.runs import PLAIN, SCORES, profile
from sparsevae import plots
from sparsevae.analysis import resampling
from sparsevae.plots.style import CYCLE, FAINT, INK

SHOWN_OVER_DENSITY = ("score_mig_active", "analysis_factor_jacobian_gain_active")
SHOWN_OVER_DEPTH = ("binary", "hard concrete", "random mask")


def save(figure: Figure, path: Path) -> str:
    """Writes a figure; returns its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    return path.name


def interval(values: np.ndarray) -> tuple[float, float]:
    """That of `paired` and of the page's tables."""
    found = resampling.interval(values, confidence=0.95, n_resamples=10_000, seed=0)
    return found.low, found.high


def over_density(runs: pd.DataFrame, column: str) -> Figure:
    """A column of the main part over density, with intervals over seeds."""
    chosen = runs[runs.part.isin(["main", "dense"]) & (runs.twin == PLAIN)]
    return plots.score_against_density(
        chosen, column, by=["method"], interval=interval, label=SCORES[column]
    )


def over_depth(runs: pd.DataFrame, density: float) -> Figure:
    """Rotation and probes of each layer: dense beside some methods at a density."""
    main = runs[(runs.part == "main") & (runs.level == density)]
    chosen = {"dense": runs[(runs.part == "dense") & (runs.twin == PLAIN)]}
    chosen |= {name: main[main.method == name] for name in SHOWN_OVER_DEPTH}
    return plots.layer_profile_curves(
        {
            f"{name}, {density:g}" if name != "dense" else name: [
                profile(run) for _, run in group.iterrows()
            ]
            for name, group in chosen.items()
            if len(group)
        }
    )


def forest(table: pd.DataFrame) -> Figure:
    """Differences from dense at equal ELBO, 95 % intervals: a panel for each score.

    Two pairs have intervals beside which no other can be seen, and are left out.
    """
    table = table[table.n > 2]
    methods = list(dict.fromkeys(table.method))[::-1]
    figure = Figure(figsize=(10, 0.6 + 0.36 * len(methods) * 2), layout="constrained")
    panels = figure.subplots(2, (len(SCORES) + 1) // 2, sharey=True).flat
    for axes, (column, title) in zip(panels, SCORES.items(), strict=True):
        rows = table[table.value == column].set_index("method")
        for place, name in enumerate(methods):
            if name in rows.index:
                one = rows.loc[name]
                color = CYCLE[0] if one.p_corrected < 0.05 else INK
                axes.plot([one.low, one.high], [place, place], color=color, linewidth=1.2)
                axes.plot(one.difference, place, "o", color=color, markersize=4)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set_title(title, fontsize=9)
        axes.set_yticks(range(len(methods)), methods, fontsize=8)
        axes.tick_params(axis="x", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
