"""What each layer knows of the factors, and how rotated it is, from pixels to pixels."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sparsevae.plots.style import CYCLE, FAINT, INK, MARKERS

_COLUMNS = ("part", "layer", "probe", "best", "rotation", "rotation_null")


def layer_profile_curves(
    profiles: Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]] | pd.DataFrame,
) -> Figure:
    """Rotation of the layers of one model or several, and how well factors can be read from them.

    Above, the rotation index: 0 where a single unit tells as much of a factor as all together,
    beside that of units mixed at random (thin, dashed). Below, how much of the factors' variance
    all units explain (solid) and the best one (dashed). Bands reach from the lowest to the highest
    seed, around their mean. A layer named z_log_var is left out: it stands beside the means, not
    behind them.

    Args:
        profiles: `LayerProfile.table` by model's name, or several of one model, one for each seed;
            or a single table.

    Returns:
        Figure with two axes.

    Raises:
        TypeError: if a profile is no table.
        ValueError: if there is none, a column is missing, or layers differ.
    """
    models = _check(profiles)
    layers = next(iter(models.values()))[0][["part", "layer"]]
    width = 2.2 + 0.5 * max(len(layers), 6)
    figure = Figure(figsize=(width, 5.4), dpi=150, layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for number, tables in enumerate(models.values()):
        style = {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)]}
        _draw(
            above, tables, "rotation_null", linestyle="--", linewidth=0.9, **style | {"marker": ""}
        )
        _draw(above, tables, "rotation", **style)
        _draw(below, tables, "probe", **style)
        _draw(below, tables, "best", linestyle="--", **style | {"markerfacecolor": "white"})
    above.set_ylabel("rotation index", color=INK)
    below.set_ylabel("R² of the factors", color=INK)
    _finish((above, below), layers)
    _add_legends(above, below, models)
    return figure


def _check(profiles) -> dict[str, list[pd.DataFrame]]:
    models = {"": profiles} if isinstance(profiles, pd.DataFrame) else profiles
    if not isinstance(models, Mapping):
        raise TypeError(
            "`profiles` must be a DataFrame, or DataFrames by model's name. "
            f"Received: {type(profiles).__name__}"
        )
    models = {
        name: [found] if isinstance(found, pd.DataFrame) else list(found)
        for name, found in models.items()
    }
    for name, tables in models.items():
        for table in tables:
            if not isinstance(table, pd.DataFrame):
                raise TypeError(
                    f"`profiles[{name!r}]` must be a DataFrame or several. "
                    f"Received: {type(table).__name__}"
                )
            if table.empty or not {*_COLUMNS} <= {*table}:
                raise ValueError(
                    f"`profiles[{name!r}]` must have rows, and columns {list(_COLUMNS)}. "
                    f"Received: {len(table)} rows of columns {list(table.columns)}"
                )
    models = {
        name: [table[~table["layer"].str.endswith("z_log_var")] for table in tables]
        for name, tables in models.items()
    }
    rows = [table[["part", "layer"]].to_numpy().tolist() for t in models.values() for table in t]
    if not rows or not all(models.values()) or any(one != rows[0] for one in rows):
        raise ValueError(
            "`profiles` must hold one table or more, all of the same layers. "
            f"Received: {[[layer for _, layer in one] for one in rows]}"
        )
    return models


def _draw(axes: Axes, tables: list[pd.DataFrame], column: str, **style) -> None:
    """Mean and band of seeds; a line for each part of the model."""
    values = np.array([table[column].to_numpy(dtype=float) for table in tables])
    parts = tables[0]["part"].to_numpy()
    mean = values.mean(axis=0)
    for part in dict.fromkeys(parts):
        at = np.flatnonzero(parts == part)
        axes.plot(at, mean[at], markersize=4.5, **{"linewidth": 1.6} | style)
        if len(values) > 1:
            low, high = values[:, at].min(axis=0), values[:, at].max(axis=0)
            axes.fill_between(at, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _finish(panels, layers: pd.DataFrame) -> None:
    """Names of layers, of parts, and a line between these."""
    parts = layers["part"].tolist()
    names = [
        layer.removeprefix(f"{part}_")
        if layer != "input"
        else "pixels"
        if part == parts[0]
        else "z"
        for part, layer in zip(parts, layers["layer"], strict=True)
    ]
    for axes in panels:
        axes.set_ylim(-0.03, 1.03)
        axes.grid(axis="y", color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        for place in np.flatnonzero(
            layers["part"].to_numpy()[1:] != layers["part"].to_numpy()[:-1]
        ):
            axes.axvline(place + 0.5, color=FAINT, linewidth=0.8)
    panels[1].set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
    panels[1].set_xlabel("layer, first to last", color=INK)
    for part in dict.fromkeys(parts):
        at = [k for k, one in enumerate(parts) if one == part]
        place = {"transform": panels[0].get_xaxis_transform(), "ha": "center", "va": "bottom"}
        panels[0].text(np.mean(at), 1.01, part, fontsize=8, color=INK, **place)


def _add_legends(above: Axes, below: Axes, models) -> None:
    handles = []
    for number, (name, tables) in enumerate(models.items()):
        style = {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)]}
        label = f"{name}, {len(tables)} seeds" if len(tables) > 1 else name or "model"
        handles.append(Line2D([], [], markersize=4.5, label=label, **style))
    dashed = {"color": INK, "linestyle": "--"}
    place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False, "fontsize": 8}
    mixed = Line2D([], [], linewidth=0.9, label="mixed at random", **dashed)
    above.legend(handles=[*handles, mixed], **place)
    both = [
        Line2D([], [], color=INK, label="all units"),
        Line2D([], [], label="the best unit", **dashed),
    ]
    below.legend(handles=both, **place)
