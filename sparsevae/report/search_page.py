"""The page of a search."""

import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from sparsevae import records
from sparsevae.report.charts import front_chart
from sparsevae.report.kinds import run_folders
from sparsevae.report.rendering import rendered
from sparsevae.report.run_folder import RunFolder, number, read_run
from sparsevae.report.run_table import MINUS, Cell, RunTable, run_links
from sparsevae.study.searches.gap import FILE_NAME as GAP
from sparsevae.study.searches.trial import of_record

_TABLE, _SETTINGS = "trials.parquet", "search.json"
_IN_WORDS = {"elbo": "ELBO, nats per image", "kl": "KL", "strength_in_gaps": "strength, in Δ"}
_MEASURED = ("elbo", "density", "kl", "active_latents")
_WHAT = ("gate", "where", "strength", "strength_in_gaps", "target_density", "beta", "learning_rate")


def search_page(folder: str | Path, page: str | Path | None = None, live: str = "") -> str:
    """The page of a search, whole or not, as HTML; arguments as of `study_page`."""
    folder = Path(folder)
    missing: list[str] = []
    objectives, over = _aims(folder, missing)
    trials = _trials(folder, objectives, missing)
    over = f"{over}_in_gaps" if f"{over}_in_gaps" in trials else over  # not while it goes on
    x, y = _axes(objectives, over)
    points = _points(trials, folder, x, y)
    front = trials[trials["on_front"]] if "on_front" in trials else trials.head(0)
    names = {"x": _IN_WORDS.get(x, x), "y": _IN_WORDS.get(y, y)}
    chart = front_chart(points, **names, log_x=x == over, line=len(objectives) == 2)
    links = _links(folder, Path(page or folder / "report.html"), bool(live))
    return rendered(
        "search.html",
        {"charts": [chart] if points else []},
        ("page", "charts") if points else ("page",),
        live=live,
        title=folder.resolve().name,
        missing=missing,
        gap=_gap(folder, missing),
        counts=trials["status"].value_counts().to_dict() if "status" in trials else {},
        cards=[_card(row, objectives) for row in front.to_dict("records")],
        points=points,
        axes=names,
        table=_table(trials, links),
        made=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    )


def _aims(folder, missing):
    """Objectives of the search, and the setting that it varies; the usual ones if not known."""
    try:
        plan = records.read_json(folder / _SETTINGS)["plan"]
        objectives, over = plan["objectives"], plan["over"]
    except (ValueError, OSError, TypeError, KeyError):
        objectives = None
    if not isinstance(objectives, list) or not objectives:
        missing.append(f"{_SETTINGS} could not be read: taken for one of ELBO and density.")
        return ["elbo", "density"], "strength"
    return [str(name) for name in objectives], str(over)


def _axes(objectives, over):
    """What lies on the axes: two objectives, density on x; or one, over what varies."""
    if len(objectives) == 1:
        return over, objectives[0]
    first, second = objectives[:2]
    return (first, second) if first == "density" else (second, first)


def _trials(folder, objectives, missing):
    """The table of the search, or while it goes on what the folders of trials tell."""
    path = folder / _TABLE
    if path.is_file():
        try:
            return pd.read_parquet(path)
        except (ValueError, OSError) as error:  # pyarrow's errors are of these
            missing.append(f"{_TABLE} could not be read: {' '.join(str(error).split())[:300]}")
    else:
        missing.append(f"{_TABLE} is not there yet: the search goes on, its front is not known.")
    places = [p for p in sorted(folder.glob("trial_*")) if p.is_dir()]
    return pd.DataFrame([_row(place, _runs(place), objectives) for place in places])


def _runs(place):
    return [read_run(run, pictures=False) for run in run_folders(place)]


def _row(place: Path, runs: list[RunFolder], objectives: list[str]) -> dict[str, Any]:
    first = runs[0] if runs else None
    state = "running"
    if runs and all(run.is_complete for run in runs):
        state = "complete"
    elif any(run.failure for run in runs):
        state = "failed"
    row: dict[str, Any] = {"trial": place.name.removeprefix("trial_"), "status": state}
    settings = first.settings if first else {}
    row |= {name: settings[name] for name in _WHAT if name in settings}
    measured = {**first.record.get("scores", {}), **first.measured()} if first else {}
    return row | {name: measured.get(name) for name in dict.fromkeys([*objectives, *_MEASURED])}


def _points(trials, folder, x, y):
    points = []
    if not {x, y} <= set(trials):
        return points
    for row in trials.dropna(subset=[x, y]).to_dict("records"):
        what = ", ".join(f"{name} {row[name]}" for name in _WHAT if name in row)
        kind = "on the front" if row.get("on_front") else "beaten"
        points.append({"kind": kind, "what": what, "trial": str(row["trial"])})
        points[-1] |= {"x": float(row[x]), "y": float(row[y])}
    dense = folder / "dense"
    if records.is_complete(dense):
        record = read_run(dense, pictures=False).record
        at = of_record({"density": 1.0, "scores": {}, **record}, [x, y])
        if None not in (number(at[x]), number(at[y])):
            points.append({"kind": "dense", "what": "", "trial": "dense", "x": at[x], "y": at[y]})
    return points


def _gap(folder, missing):
    """Δ in words, empty if it is not known yet."""
    if not (folder / GAP).is_file():
        return ""
    try:
        gap = records.read_json(folder / GAP)
        collapsed, dense = float(gap["collapsed"]), float(gap["dense"])
    except (ValueError, TypeError, KeyError):
        missing.append(f"{GAP} could not be read.")
        return ""
    ends = f"ELBO {collapsed:.2f} without latents, {dense:.2f} dense".replace("-", MINUS)
    return f"Δ = {dense - collapsed:.2f} nats: {ends}"


def _card(row, objectives):
    first, *others = dict.fromkeys([*objectives, "elbo", "density"])
    known = [*others, *(name for name in _WHAT if name in row)]
    return {
        "trial": row["trial"],
        "name": _IN_WORDS.get(first, first),
        "value": row.get(first),
        "what": ", ".join(f"{name} {_cell(row.get(name)).text}" for name in known),
    }


def _links(folder, page, live):
    """Addresses of the pages of each trial's first run, by trial."""
    found = {}
    for place in folder.glob("trial_*"):
        links = run_links(_runs(place), page, live) if place.is_dir() else {}
        if links:
            found[place.name.removeprefix("trial_")] = next(iter(links.values()))
    return found


def _table(trials, links):
    columns = [str(name) for name in trials]
    rows = []
    for row in trials.to_dict("records"):
        cells = [_cell(value) for value in row.values()]
        if cells and columns[0] == "trial":
            cells[0] = Cell(str(row["trial"]), href=links.get(str(row["trial"])))
        rows.append(cells)
    choices = {}
    for k, name in enumerate(columns):
        values = sorted({row[k].text for row in rows})
        if name in ("status", "gate", "where", "on_front") and 1 < len(values) <= 12:
            choices[name] = values
    return RunTable(columns, rows, choices)


def _cell(value):
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, float) and number(value) is None:
        return Cell("–")
    if number(value) is not None:
        return Cell(f"{value:.4g}".replace("-", MINUS), float(value))
    return Cell("–" if value is None or value is pd.NA else str(value))
