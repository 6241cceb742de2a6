"""The phases of a control behind the curves of a run."""

import itertools
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sparsevae.checks import is_number
from sparsevae.plots.style import FAINT

_SHADES = {"open": "#e6f0f7", "ramp": "#fdf0d5", "learning": "#fdf8ec", "frozen": "#e8e8e8"}
_RAMPS = ("sparsity_strength", "target_density")


def spans(run: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Phases of a run as (name, first step, last step), in order.

    `open` until the gates learn, `ramp` while the price or the target changes, `learning` else,
    `frozen` once the gates are fixed; where there is no column `learning`, or no gate ever learns,
    only `ramp`.

    Args:
        run: Table in order of `step`, where known with `learning` (0 or 1), `sparsity_strength`
            and `target_density`.
    """
    step = run["step"].to_numpy(dtype=float)
    phase = np.full(len(run) - 1, "", dtype=object)  # between one row and the next
    if "learning" in run:
        learns = run["learning"].ffill().to_numpy(dtype=float)[1:] == 1
        if learns.any():
            at = np.flatnonzero(learns)
            phase[:] = "learning"
            phase[: at[0]], phase[at[-1] + 1 :] = "open", "frozen"
    for column in _RAMPS:
        if column in run:
            changes = np.diff(run[column].ffill().bfill().fillna(0).to_numpy(dtype=float)) != 0
            phase[changes & np.isin(phase, ("", "learning"))] = "ramp"
    cuts = np.flatnonzero(phase[1:] != phase[:-1]) + 1
    edges = itertools.pairwise([0, *cuts, len(phase)])
    return [(phase[a], step[a], step[b]) for a, b in edges if a < b and phase[a]]


def given_spans(phases: Mapping[str, tuple[float, float]]) -> list[tuple[str, float, float]]:
    """Phases by name as `spans` gives them.

    Raises:
        ValueError: if one does not end behind its start.
    """
    if not isinstance(phases, Mapping):
        raise ValueError(
            f"`phases` must hold a first and a last step by name. Received: {type(phases).__name__}"
        )
    for name, ends in phases.items():
        known = np.shape(ends) == (2,) and all(map(is_number, ends)) and np.isfinite(ends).all()
        if not known or not ends[0] < ends[1]:
            raise ValueError(
                "`phases` must hold a first and a last step by name, the last one behind. "
                f"Received: {name}={ends!r}"
            )
    return sorted(((name, *ends) for name, ends in phases.items()), key=lambda one: one[1])


def shade(
    panels: Iterable[Axes],
    phases: list[tuple[str, float, float]],
    limits: tuple[float, float],
    *,
    lines_only: bool = False,
) -> None:
    """Shades phases behind all panels, and names in the first those that are wide enough.

    Args:
        panels: Axes over steps, the first one on top.
        phases: As of `spans`.
        limits: First and last step shown.
        lines_only: Whether only the ends are marked, for panels that are filled.
    """
    panels = list(panels)
    for number, (name, first, last) in enumerate(phases):
        start, end = max(first, limits[0]), min(last, limits[1])
        if start >= end:  # out of what is shown
            continue
        for axes in panels:
            if not lines_only:
                color = _SHADES.get(name, "#f0f0f0")
                axes.axvspan(start, end, color=color, linewidth=0, zorder=0)
            if number:
                place = {"transform": axes.get_xaxis_transform(), "zorder": 2.5}
                axes.vlines(start, 0, 1, color=FAINT, linewidth=0.7, linestyle=":", **place)
        if end - start > 0.018 * len(name) * (limits[1] - limits[0]):
            place = {"ha": "center", "va": "bottom", "fontsize": 7, "color": "#6e6e6e"}
            transform = panels[0].get_xaxis_transform()
            panels[0].text((start + end) / 2, 1.02, name, transform=transform, **place)
