"""The page of a study."""

import datetime
from collections.abc import Sequence
from pathlib import Path

from sparsevae.report.charts import interval_chart, series_marks
from sparsevae.report.kinds import run_folders
from sparsevae.report.rendering import rendered
from sparsevae.report.run_folder import RunFolder, read_run
from sparsevae.report.run_table import density_of, run_links, run_table, series_points, value_of


def study_page(folder: str | Path, page: str | Path | None = None, live: str = "") -> str:
    """The page of a study, whole or not, as HTML.

    Args:
        folder: Of the study.
        page: Where the page is to be, for links to the pages of runs; by default in the folder.
        live: As of `run_page`.
    """
    folder = Path(folder)
    runs = [read_run(path, pictures=False) for path in run_folders(folder)]
    points = series_points(runs)
    measures = list(dict.fromkeys(point["measure"] for point in points))
    series = list(dict.fromkeys(point["series"] for point in points))
    return rendered(
        "study.html",
        {"charts": [interval_chart(points)] if points else []},
        ("page", "charts") if points else ("page",),
        live=live,
        title=folder.resolve().name,
        missing=_missing(runs),
        counts=_counts(runs),
        measures=measures,
        series=list(zip(series, series_marks(series), strict=True)),
        best=_best(runs, measures),
        table=run_table(runs, run_links(runs, Path(page or folder / "report.html"), bool(live))),
        made=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
    )


def _counts(runs: Sequence[RunFolder]) -> str:
    n_complete = sum(run.is_complete for run in runs)
    n_failed = sum(bool(run.failure) for run in runs)
    return f"{n_complete} of {len(runs)} runs complete" + (
        f", {n_failed} failed" if n_failed else ""
    )


def _missing(runs: Sequence[RunFolder]) -> list[str]:
    """What is damaged; that a run is not complete yet, the table says."""
    found = []
    for run in runs:
        for sentence in run.missing:
            if " is not there" not in sentence and "without a finite ELBO" not in sentence:
                found.append(f"{run.name}: {sentence}")
    return found[:20] + ([f"and {len(found) - 20} more"] if len(found) > 20 else [])


def _best(runs: Sequence[RunFolder], measures: Sequence[str]) -> list[dict]:
    """The run with the largest value of each of the first measures."""
    found = []
    for measure in measures[:5]:
        values = [(value_of(run, measure), run) for run in runs if run.is_complete]
        known = [(value, run) for value, run in values if value is not None]
        if known:
            value, run = max(known, key=lambda pair: pair[0])
            at = {"run": run.name, "density": density_of(run)}
            found.append({"measure": measure, "value": value, **at})
    return found
