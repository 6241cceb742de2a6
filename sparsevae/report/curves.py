"""Curves of a training run as Vega-Lite specifications; `charts.js` lets them be zoomed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from sparsevae.report.charts import COLORS, finished

_ROWS = 400  # of a history that are drawn
_DATA = "curves"  # the data by name, which layers share and `charts.js` looks up
_BURN_IN = 0.05  # share of a run that charts leave out at first: its ELBO is far below
_NAMES = {"elbo": "ELBO", "reconstruction": "reconstruction, nats lost", "kl": "KL"}
_SOLID, _DASHED = [1, 0], [5, 3]


@dataclasses.dataclass(frozen=True)
class Curve:
    """A column of a history, how it is called and how it looks."""

    column: str
    name: str
    color: str
    is_dashed: bool = False
    is_thick: bool = True


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart, its curves, and what it shows in words."""

    title: str
    curves: list[Curve]
    description: str
    spec: dict[str, Any]


def training_charts(
    history: pd.DataFrame, phases: Mapping[str, tuple[float, float]]
) -> list[Chart]:
    """ELBO, KL and reconstruction, density by layer, active latents over steps, where known.

    Args:
        history: As of `read_run`.
        phases: First and last step of each phase of the control by name.

    Returns:
        None for a history of less than two steps, which make no curve.
    """
    if history["step"].nunique() < 2:
        return []
    every = -(-len(history) // _ROWS)
    rows = pd.concat([history.iloc[::every], history.tail(1)]).drop_duplicates("step")
    parts = [
        ("ELBO", "nats per observation", ["elbo"]),
        ("KL and reconstruction", "nats per observation", ["kl", "reconstruction"]),
        ("Density", "share of links open", _densities(rows)),
        ("Active latents", "latents", ["active_latents"]),
    ]
    found = []
    for title, unit, columns in parts:
        there = [name for name in columns if name in rows and rows[name].notna().any()]
        if there:
            curves = _curves(there)
            spec = _spec(rows, curves, unit, phases)
            found.append(Chart(title, curves, _said(rows, title, curves), spec))
    return found


def _densities(rows):
    layers = [name for name in rows if name.startswith("density/")]
    return ["density", "target_density", *layers]


def _curves(columns: Sequence[str]) -> list[Curve]:
    """The whole stands out; layers share the other colors, the decoder's lines are dashed."""
    if not any(name.startswith("density") for name in columns):
        return [Curve(k, _NAMES.get(k, k), COLORS[i]) for i, k in enumerate(columns)]
    curves, n_of = [], {True: 0, False: 0}
    for column in columns:
        if column == "density":
            curves.append(Curve(column, "all links", COLORS[0]))
        elif column == "target_density":
            curves.append(Curve(column, "target", "var(--muted)", is_dashed=True))
        else:
            name = column.removeprefix("density/")
            dashed = name.startswith("decoder")
            color = COLORS[1 + n_of[dashed] % (len(COLORS) - 1)]
            n_of[dashed] += 1
            curves.append(Curve(column, name, color, dashed, is_thick=False))
    return curves


def _spec(rows, curves, unit, phases):
    first, last = rows["step"].min(), rows["step"].max()
    burnt_in = rows["step"] >= first + (_BURN_IN * (last - first) if len(rows) > 10 else 0)
    begin, gap = rows["step"][burnt_in].min(), rows["step"].diff().max()
    ends = [alt.param(name="x_from", value=float(begin)), alt.param(name="x_to", value=float(last))]
    table = [  # NaN is written as null
        {"step": float(step), "line": curve.name, "value": float(value)}
        for curve in curves
        for step, value in zip(rows["step"], rows[curve.column], strict=True)
    ]
    seen = [alt.ExprRef("x_from"), alt.ExprRef("x_to")]  # and no extent of what may be no data
    x = alt.X(
        "step:Q",
        scale=alt.Scale(domain=seen, nice=False, zero=False),
        axis=alt.Axis(format="~s", tickCount=6, grid=False),
    )
    layers = [*_bands(phases, x), *_lines(curves, x, _values(unit), float(gap))]
    return {**finished(alt.layer(*layers).add_params(*ends)), "datasets": {_DATA: table}}


def _values(unit):
    """The axis of values: shares by their magnitude, counts from 0 by whole numbers."""
    if unit.startswith("share"):
        scale = alt.Scale(type="symlog", constant=0.02)
        axis = alt.Axis(format="~p", values=[0, 0.01, 0.03, 0.1, 0.3, 1])
    else:
        scale = alt.Scale(zero=unit == "latents")
        axis = alt.Axis(tickMinStep=1) if unit == "latents" else alt.Axis()
    return alt.Y("value:Q", title=unit, scale=scale, axis=axis)


def _lines(curves, x, y, gap):
    """Lines, and their points near the mouse; from a row before what is seen to a row after it."""
    names = [curve.name for curve in curves]
    scale = alt.Scale(domain=names, range=[curve.color for curve in curves])
    color = alt.Color("line:N", scale=scale, legend=None)  # the page has one
    base = alt.Chart(alt.NamedData(_DATA)).transform_filter(
        f"datum.step > x_from - {gap} && datum.step < x_to + {gap}"
    )
    lines = []
    for thick in (False, True):
        for dashed in (False, True):
            kind = [c.name for c in curves if (c.is_thick, c.is_dashed) == (thick, dashed)]
            if kind:
                look = {
                    "strokeWidth": 2.4 if thick else 1.3,
                    "strokeDash": _DASHED if dashed else _SOLID,
                }
                some = base.transform_filter(alt.FieldOneOfPredicate("line", kind))
                lines.append(some.mark_line(clip=True, **look).encode(x=x, y=y, color=color))
    near = alt.selection_point(nearest=True, on="pointermove", empty=False, fields=["step", "line"])
    points = base.mark_point(filled=True, size=60, clip=True).encode(
        x=x,
        y=y,
        color=color,
        opacity=alt.condition(near, alt.value(1), alt.value(0)),
        tooltip=[
            alt.Tooltip("line:N", title="curve"),
            alt.Tooltip("step:Q", format=","),
            alt.Tooltip("value:Q", format=".4~g"),
        ],
    )
    return [*lines, points.add_params(near)]


def _bands(phases, x):
    """Phases behind a chart, their names at its top."""
    bands = [
        {"phase": name, "begin": a, "end": b, "even": k % 2}
        for k, (name, (a, b)) in enumerate(phases.items())
    ]
    if not bands:
        return []
    chart = alt.Chart(alt.Data(values=bands))
    begin = alt.X("begin:Q", scale=x["scale"], title="step")
    shades = alt.value("var(--band-1)"), alt.value("var(--band-2)")
    shaded = chart.mark_rect(clip=True).encode(
        x=begin, x2="end:Q", color=alt.condition("datum.even", *shades)
    )
    # a name stands where the phase begins, or the chart if that is later, if it has room there
    room = "(min(datum.end, x_to) - datum.at) / (x_to - x_from) * width > 76"
    names = (
        chart.transform_calculate(at="max(datum.begin, x_from)")
        .transform_filter(room)
        .mark_text(align="left", baseline="top", dx=4, dy=-13, fontSize=11, color="currentColor")
        .encode(x=alt.X("at:Q", title="step"), y=alt.value(0), text="phase:N")
    )
    return [shaded, names]


def _said(rows, title, curves):
    """A chart in words."""
    parts = []
    for curve in curves[:3]:
        known = rows.dropna(subset=[curve.column])
        begin, end = known.iloc[0], known.iloc[-1]
        parts.append(
            f"{curve.name} from {begin[curve.column]:.4g} at step {begin['step']:,.0f} "
            f"to {end[curve.column]:.4g} at step {end['step']:,.0f}"
        )
    more = f"; {len(curves) - 3} more curves, one a layer" if len(curves) > 3 else ""
    return f"{title} over training steps: {'; '.join(parts)}{more}."
