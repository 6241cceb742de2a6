"""Charts of studies and searches as Vega-Lite specifications, which the page draws.

Colors are CSS variables of the page, so charts follow its light and dark.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

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
_LEGEND = alt.Legend(title=None, orient="bottom")


def finished(chart: alt.LayerChart, height: int = 230) -> dict[str, Any]:
    """The specification of a chart as wide as its place, without a look of its own."""
    spec = chart.properties(width="container", height=height, background="transparent").to_dict()
    spec.pop("config", None)  # the page has one
    return spec


def interval_chart(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A score over density, a line a series, with intervals over seeds.

    Args:
        points: Dicts of `measure`, `series`, `setting`, `density`, `at` (where it stands), `mean`,
            `low`, `high`, `n`.
    """
    series = list(dict.fromkeys(point["series"] for point in points))
    x = _density_axis([point["at"] for point in points if point["density"] > 0] or [0.5, 1.0])
    params = [
        alt.param(name="measure", value=points[0]["measure"]),
        alt.param(name="shown", value=series),
    ]
    base = alt.Chart(alt.Data(values=list(points))).transform_filter(
        "datum.measure == measure && datum.density > 0 && indexof(shown, datum.series) >= 0"
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
    return finished(alt.layer(*layers).add_params(*params), height=340)


def _density_axis(places):
    scale = alt.Scale(type="log", domain=[min(places) / 1.2, max(places) * 1.2], nice=False)
    axis = alt.Axis(format="~p", values=[*_DENSITIES], grid=False)
    return alt.X("at:Q", title="density: share of links open", scale=scale, axis=axis)


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


def front_chart(
    points: Sequence[Mapping[str, Any]], x: str, y: str, log_x: bool = False, line: bool = True
) -> dict[str, Any]:
    """Trials of a search by two values, those on the front marked.

    Args:
        points: Dicts of `x`, `y`, `trial`, `kind` ("on the front", "beaten", "dense") and `what`.
        x: What the values are.
        y: Likewise.
        log_x: Whether x has a log scale.
        line: Whether a line joins the front; of more than two objectives it is a surface.
    """
    kinds = ["on the front", "beaten", "dense"]
    color = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=list(COLORS[:3])))
    chart = alt.Chart(alt.Data(values=list(points)))
    ends = {"zero": False, "padding": 12}
    scale = alt.Scale(type="log", **ends) if log_x else alt.Scale(**ends)
    marks = chart.mark_point(filled=True, size=80, opacity=0.9).encode(
        x=alt.X("x:Q", title=x, scale=scale),
        y=alt.Y("y:Q", title=y, scale=alt.Scale(**ends)),
        color=color.legend(_LEGEND),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds), legend=_LEGEND),
        tooltip=["trial:N", "kind:N", "x:Q", "y:Q", "what:N"],
    )
    joined = (
        chart.transform_filter("datum.kind == 'on the front'")
        .mark_line(strokeWidth=1, opacity=0.6)
        .encode(x="x:Q", y="y:Q", color=color)
    )
    return finished(alt.layer(*([joined] if line else []), marks))
