"""Many runs as the rows of a page's table, and as points of its chart."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from scipy.special import stdtrit

from sparsevae.report.run_folder import RunFolder, number
from sparsevae.study.controls import UNGATED
from sparsevae.study.settings import RunSettings

MINUS = "\N{MINUS SIGN}"
_MEASURES = ("elbo", "kl", "active_latents", "density", "effective_density")
_LABELS = ("gate", "control")  # of series, also where they are all that varies
_OF_DENSITY = ("target_density", "strength", "bound")  # these move a run along a series
_BESIDE = 1.035  # between neighbors of the same density
_DEFAULTS = dataclasses.asdict(RunSettings("run"))
_NOT_VARIED = ("name", "n_threads", "runs")


@dataclasses.dataclass(frozen=True)
class Cell:
    """Of a table: its text, the number that it is sorted by, and where it leads."""

    text: str
    number: float | None = None
    href: str | None = None


@dataclasses.dataclass(frozen=True)
class RunTable:
    """Columns by name, rows of cells in the same order, and values to choose rows by."""

    columns: list[str]
    rows: list[list[Cell]]
    choices: dict[str, list[str]]


def run_table(runs: Sequence[RunFolder], links: Mapping[str, str]) -> RunTable:
    """A row a run: state, settings that differ between runs, what was measured, main scores.

    Args:
        runs: As of `read_run`.
        links: Where the page of a run is, by the run's name.
    """
    varied = varied_fields([run.settings for run in runs])
    measures = [name for name in _MEASURES if any(name in run.measured() for run in runs)]
    scores = score_names(runs)
    rows = [
        [
            Cell(run.name, href=links.get(run.name)),
            Cell(_state(run)),
            *(_setting(run.settings.get(field)) for field in varied),
            *(_number(run.measured().get(name)) for name in measures),
            *(_number((run.record.get("scores") or {}).get(name)) for name in scores),
        ]
        for run in runs
    ]
    columns = ["run", "state", *varied, *measures, *scores]
    choices = {}
    for k, column in enumerate(columns[: 2 + len(varied)]):
        values = sorted({row[k].text for row in rows})
        if k and 1 < len(values) <= 12:
            choices[column] = values
    return RunTable(columns, rows, choices)


def varied_fields(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that are not the same everywhere, seed first.

    Fields that younger versions know have their default in older files. What follows from gate
    and control, such as phases, is left out.
    """
    given = [one for one in settings if one]
    fields = dict.fromkeys(name for one in given for name in one if name not in _NOT_VARIED)
    of_gates: dict[tuple, list] = {}
    for one in given:
        of_gates.setdefault(tuple(_of(one, name) for name in _LABELS), []).append(one)
    found = [name for name in fields if _differ(given, name)]
    varied = [
        name
        for name in found
        if name in _LABELS or any(_differ(group, name) for group in of_gates.values())
    ]
    return sorted(varied, key=lambda name: name != "seed")


def _differ(settings, field):
    return len({_of(one, field) for one in settings}) > 1


def _of(settings, field):
    """The value as text, that of the default where the file does not have it."""
    return _key(settings.get(field, _DEFAULTS.get(field)))


def score_names(runs: Sequence[RunFolder]) -> list[str]:
    """Scores over all latents that some run has."""
    found = dict.fromkeys(name for run in runs for name in run.record.get("scores") or {})
    views = ("_active", "_ceiling", "_low", "_high")
    return [name for name in found if not name.endswith(views) and name != "spread_latents"]


def series_points(runs: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """Means over seeds of ELBO and scores, with 95 % intervals by Student's t, by density.

    Runs that differ in their seed alone are a point; points that differ only in what sets the
    density (its target, a price, a bound) are a series. A point of one run has no interval.
    """
    complete = [run for run in runs if run.is_complete and run.settings]
    varied = [f for f in varied_fields([run.settings for run in complete]) if f != "seed"]
    groups: dict[tuple, list[RunFolder]] = {}
    for run in complete:
        groups.setdefault(tuple(_of(run.settings, field) for field in varied), []).append(run)
    names = _series_names(complete, varied)
    points = []
    for measure in ["elbo", *score_names(complete)]:
        for group in groups.values():
            values = [value_of(run, measure) for run in group]
            known = [value for value in values if value is not None]
            if not known:
                continue
            low, high = interval_of_mean(known)
            points.append(
                {
                    "measure": measure,
                    "series": names[group[0].name],
                    "setting": _named(group[0].settings, [f for f in varied if f in _OF_DENSITY]),
                    "density": float(np.mean([density_of(run) for run in group])),
                    "at": 0.0,
                    "mean": float(np.mean(known)),
                    "low": low,
                    "high": high,
                    "n": len(known),
                }
            )
    _place(points)
    return points


def interval_of_mean(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean; of one value, the value twice."""
    mean, n = float(np.mean(values)), len(values)
    if n < 2:
        return mean, mean
    half = stdtrit(n - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(n)
    return mean - float(half), mean + float(half)


def run_links(runs: Sequence[RunFolder], page: Path, live: bool = False) -> dict[str, str]:
    """Addresses of the runs' own pages that are there, relative to a page; live, of all."""
    found = {}
    for run in runs:
        own = run.folder / "report.html"
        if live or own.is_file():
            found[run.name] = quote(os.path.relpath(own.resolve(), page.resolve().parent))
    return found


def value_of(run: RunFolder, measure: str) -> float | None:
    """What was measured or scored, by name."""
    return number({**(run.record.get("scores") or {}), **run.measured()}.get(measure))


def density_of(run: RunFolder) -> float:
    """Share of links open; a run without gates has them all."""
    return number(run.record.get("density")) or (1.0 if "density" not in run.record else 0.0)


def _series_names(runs, varied):
    """By run: gate and control, and of the other fields those that vary among these."""
    kinds: dict[str, list[RunFolder]] = {}
    for run in runs:
        gate = str(run.settings.get("gate"))
        plain = gate in UNGATED
        kinds.setdefault(gate if plain else f"{gate}, {run.settings.get('control')}", []).append(
            run
        )
    names = {}
    for kind, group in kinds.items():
        settings = [run.settings for run in group]
        fields = [f for f in varied if f not in (*_LABELS, *_OF_DENSITY) and _differ(settings, f)]
        for run in group:
            names[run.name] = ", ".join(
                part for part in (kind, _named(run.settings, fields)) if part
            )
    return names


def _place(points):
    """Sets `at`: points of about the same density stand side by side."""
    for measure in {point["measure"] for point in points}:
        row = sorted((p for p in points if p["measure"] == measure), key=lambda p: p["density"])
        together: list[dict] = []
        for point in [*row, None]:
            if together and (point is None or point["density"] > 1.1 * together[0]["density"]):
                middle = (len(together) - 1) / 2
                for k, one in enumerate(sorted(together, key=lambda p: p["series"])):
                    one["at"] = one["density"] * _BESIDE ** (k - middle)
                together = []
            if point is not None:
                together.append(point)


def _named(settings, fields):
    return ", ".join(f"{field} {_setting(settings.get(field)).text}" for field in fields)


def _key(value):
    return json.dumps(value, sort_keys=True, default=str)


def _setting(value):
    if value is None:
        return Cell("–")
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    return Cell(text, number(value))


def _number(value):
    known = number(value)
    if known is None:
        return Cell("–")
    return Cell(f"{known:.4g}".replace("-", MINUS), known)


def _state(run):
    if run.is_complete:
        return "complete"
    return "failed" if run.failure else "not complete"
