"""Charts as Vega-Lite specifications, drawn by the page; `charts.js` adds zoom by keys and mouse.

Colors are CSS variables of the page, so charts follow its light and dark.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

COLORS = tuple(f"var(--c{k})" for k in range(1, 9))
_SHAPES = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "cross": "✚",
    "triangle-down": "▼",
    "triangle-right": "▶",
    "triangle-left": "◀",
}
_DENSITIES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)  # that an axis names
_ROWS = 400  # of a history that are drawn
_LAYERS = ("encoder_", "decoder_")
_CURVES = "curves"  # the data by name, which layers share and `charts.js` looks up
_BURN_IN = 0.05  # share of a run that charts leave out at first: its ELBO is far below
_LINES = {
    "elbo": "ELBO",
    "reconstruction": "reconstruction (nats lost)",
    "kl": "KL",
}


def training_charts(
    history: pd.DataFrame, phases: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    """ELBO, KL and reconstruction, density by layer, active latents over steps, where known.

    Args:
        history: As of `read_run`.
        phases: First and last step of each phase of the control by name.

    Returns:
        Dicts of `title`, `description`, `spec`; none for a history of no rows.
    """
    if history.empty:
        return []
    every = -(-len(history) // _ROWS)
    rows = pd.concat([history.iloc[::every], history.tail(1)]).drop_duplicates("step")
    found = []
    parts = [
        ("ELBO", "nats per observation", ["elbo"]),
        ("KL and reconstruction", "nats per observation", ["kl", "reconstruction"]),
        ("Density", "share of links open", _densities(rows)),
        ("Active latents", "latents", ["active_latents"]),
    ]
    for title, unit, columns in parts:
        there = [name for name in columns if name in rows and rows[name].notna().any()]
        if there:
            spec = _curves(rows, there, unit, phases)
            found.append({"title": title, "spec": spec, "description": _said(rows, title, there)})
    return found


def interval_chart(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A score over density, a line a series, with intervals over seeds.

    Args:
        points: Dicts of `measure`, `series`, `setting`, `density`, `at` (where it stands), `mean`,
            `low`, `high`, `n`.
    """
    series = list(dict.fromkeys(point["series"] for point in points))
    ends = [point["at"] for point in points if point["density"] > 0] or [0.5, 1.0]
    params = [
        alt.param(name="measure", value=points[0]["measure"]),
        alt.param(name="shown", value=series),
    ]
    base = alt.Chart(alt.Data(values=list(points))).transform_filter(
        "datum.measure == measure && datum.density > 0 && indexof(shown, datum.series) >= 0"
    )
    x = alt.X(
        "at:Q",
        title="density: share of links open",
        scale=alt.Scale(type="log", domain=[min(ends) / 1.2, max(ends) * 1.2], nice=False),
        axis=alt.Axis(
            format="~p",
            values=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
            grid=False,
        ),
    )
    y = alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False))
    marks = series_marks(series)
    colors = alt.Scale(domain=series, range=[mark.color for mark in marks])
    shapes = alt.Scale(domain=series, range=[mark.shape for mark in marks])
    color = alt.Color("series:N", scale=colors, legend=None)  # the page has one
    shape = alt.Shape("series:N", scale=shapes, legend=None)
    tooltip = ["series:N", "setting:N", "n:Q"]
    tooltip += [alt.Tooltip(f"{k}:Q", format=".4~g") for k in ("density", "mean", "low", "high")]
    layers = [
        base.mark_rule(strokeWidth=2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
        base.mark_line(strokeWidth=1.5, opacity=0.6).encode(x=x, y=y, color=color),
        base.mark_point(filled=True, size=75, opacity=1).encode(
            x=x, y=y, color=color, shape=shape, tooltip=tooltip
        ),
    ]
    return _finished(alt.layer(*layers).add_params(*params), height=340)


@dataclasses.dataclass(frozen=True)
class Mark:
    """How a series looks: its color in CSS, its shape in Vega, and that as a character."""

    color: str
    shape: str
    symbol: str


def series_marks(series: Sequence[str]) -> list[Mark]:
    """A mark for each of up to 64 series, no two alike."""
    shapes, n = list(_SHAPES), len(COLORS)
    pairs = [(COLORS[k % n], shapes[(k + k // n) % len(shapes)]) for k in range(len(series))]
    return [Mark(color, shape, _SHAPES[shape]) for color, shape in pairs]


def front_chart(points: Sequence[Mapping[str, Any]], x: str, y: str) -> dict[str, Any]:
    """Trials of a search by two values, those on the front marked.

    Args:
        points: Dicts of `x`, `y`, `trial`, `kind` ("on the front", "beaten", "dense") and `what`.
        x: What the values are.
        y: Likewise.
    """
    kinds = ["on the front", "beaten", "dense"]
    color = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=list(COLORS[:3])))
    chart = alt.Chart(alt.Data(values=list(points)))
    ends = {"scale": alt.Scale(zero=False, padding=12)}
    marks = chart.mark_point(filled=True, size=80, opacity=0.9).encode(
        x=alt.X("x:Q", title=x, **ends),
        y=alt.Y("y:Q", title=y, **ends),
        color=color.legend(_legend()),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds), legend=_legend()),
        tooltip=["trial:N", "kind:N", "x:Q", "y:Q", "what:N"],
    )
    line = (
        chart.transform_filter("datum.kind == 'on the front'")
        .mark_line(strokeWidth=1, opacity=0.6)
        .encode(x="x:Q", y="y:Q", color=color)
    )
    return _finished(alt.layer(line, marks))


def _densities(rows):
    layers = [name for name in rows if name.startswith("density/")]
    return [*(name for name in ("density", "target_density") if name in rows), *layers]


def _legend():
    columns = alt.ExprRef("max(1, floor(width / 145))")
    return alt.Legend(title=None, orient="bottom", labelLimit=125, columns=columns)


def _curves(rows, columns, unit, phases):
    first, last = rows["step"].min(), max(rows["step"].max(), rows["step"].min() + 1)
    begin = first + _BURN_IN * (last - first) if len(rows) > 10 else first
    ends = [alt.param(name="x_from", value=float(begin)), alt.param(name="x_to", value=float(last))]
    names = [_LINES.get(name, name.removeprefix("density/")) for name in columns]
    table = [
        {"step": float(step), "line": name, "of": name.partition("_")[0], "value": _known(value)}
        for column, name in zip(columns, names, strict=True)
        for step, value in zip(rows["step"], rows[column], strict=True)
    ]
    x = alt.X(
        "step:Q",
        scale=alt.Scale(
            domainMin=alt.ExprRef("x_from"), domainMax=alt.ExprRef("x_to"), nice=False, zero=False
        ),
        axis=alt.Axis(format="~s", tickCount=6, grid=False),
    )
    share = unit.startswith("share")
    y = alt.Y(
        "value:Q",
        title=unit,
        scale=alt.Scale(type="symlog", constant=0.02)
        if share
        else alt.Scale(zero=unit == "latents"),
        axis=alt.Axis(format="~p", values=[0, 0.01, 0.03, 0.1, 0.3, 1]) if share else alt.Axis(),
    )
    scale = alt.Scale(domain=names, range=_shades(names))
    color = alt.Color("line:N", scale=scale, legend=_legend() if len(names) > 1 else None)
    base = alt.Chart(alt.NamedData(_CURVES)).transform_filter(
        "datum.step >= x_from && datum.step <= x_to"
    )
    near = alt.selection_point(nearest=True, on="pointermove", empty=False, fields=["step", "line"])
    marks = base.mark_point(filled=True, size=60, clip=True).encode(
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
    dash = alt.condition("datum.of == 'decoder'", alt.value([5, 3]), alt.value([1, 0]))
    thin = base.mark_line(clip=True, strokeWidth=1.2).encode(
        x=x, y=y, color=color, detail="of:N", strokeDash=dash
    )
    main = alt.FieldOneOfPredicate("line", _main(names))
    thick = base.transform_filter(main).mark_line(clip=True, strokeWidth=2.4)
    lines = [thin, thick.encode(x=x, y=y, color=color), marks.add_params(near)]
    spec = _finished(alt.layer(*_bands(phases, x), *lines).add_params(*ends))
    return {**spec, "datasets": {_CURVES: table}}


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
    seen = alt.value("var(--band-1)"), alt.value("var(--band-2)")
    shaded = chart.mark_rect(clip=True).encode(
        x=begin, x2="end:Q", color=alt.condition("datum.even", *seen)
    )
    # a name stands where the phase begins, or the chart if that is later
    names = (
        chart.transform_calculate(at="max(datum.begin, x_from)")
        .transform_filter("min(datum.end, x_to) - datum.at > 0.17 * (x_to - x_from)")  # has room
        .mark_text(align="left", baseline="top", dx=4, dy=-13, fontSize=11, color="currentColor")
        .encode(x=alt.X("at:Q", title="step"), y=alt.value(0), text="phase:N")
    )
    return [shaded, names]


def _shades(names):
    """The whole stands out; layers share the other colors, the decoder's lines are dashed."""
    encoder, decoder = itertools.cycle(COLORS[1:]), itertools.cycle(COLORS[1:])
    plain = {"density": COLORS[0], "ELBO": COLORS[0], "target_density": "var(--muted)"}
    return [plain.get(n) or next(decoder if n.startswith("decoder_") else encoder) for n in names]


def _known(value):
    return None if np.isnan(value) else float(value)


def _main(names):
    """Curves that are drawn thick."""
    return names if len(names) < 4 else [name for name in names if not name.startswith(_LAYERS)]


def _said(rows, title, columns):
    """A chart in words."""
    parts = []
    for name in columns[:3]:
        known = rows.dropna(subset=[name])
        begin, end = known.iloc[0], known.iloc[-1]
        parts.append(
            f"{_LINES.get(name, name)} from {begin[name]:.4g} at step {begin['step']:,.0f} "
            f"to {end[name]:.4g} at step {end['step']:,.0f}"
        )
    more = f"; {len(columns) - 3} more curves, one a layer" if len(columns) > 3 else ""
    return f"{title} over training steps: {'; '.join(parts)}{more}."


def _finished(chart, height=230):
    spec = chart.properties(width="container", height=height, background="transparent").to_dict()
    spec.pop("config", None)  # the page has its own
    return spec
