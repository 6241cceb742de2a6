"""Pages of studies and searches."""

import shutil

import numpy as np
import pandas as pd
import pytest
from page_contents import data_of, text_of
from scipy import stats

from sparsevae import records
from sparsevae.report import write_report
from sparsevae.report.charts import series_marks
from sparsevae.report.run_folder import read_run
from sparsevae.report.run_table import interval_of_mean, run_table, series_points
from sparsevae.report.writing import all_runs


def runs_of(folder):
    return [read_run(path, pictures=False) for path in all_runs(folder)]


def test_table_has_a_row_a_run_and_what_differs(study):
    table = run_table(runs_of(study), {})
    assert len(table.rows) == 12 and table.columns[:3] == ["run", "state", "seed"]
    assert {"gate", "target_density", "elbo", "density", "mig"} <= set(table.columns)
    assert "beta" not in table.columns and table.choices["gate"] == ["binary", "continuous", "none"]
    states = [row[1].text for row in table.rows]
    assert states.count("complete") == 10 and {"failed", "not complete"} < set(states)


def test_points_are_means_over_seeds_with_their_interval(study):
    points = [point for point in series_points(runs_of(study)) if point["measure"] == "elbo"]
    assert {(point["series"], point["density"]) for point in points} == {
        ("binary, target_density", 0.1),
        ("binary, target_density", 0.5),
        ("continuous, target_density", 0.1),
        ("continuous, target_density", 0.5),
        ("none", 1.0),
    }
    found = next(p for p in points if p["series"].startswith("binary") and p["density"] == 0.1)
    values = [records.read_record(study / f"seed-{k}_binary_0.1")["elbo"] for k in (0, 1)]
    assert found["n"] == 2 and found["mean"] == pytest.approx(np.mean(values))
    interval = stats.t.interval(0.95, 1, np.mean(values), stats.sem(values))
    assert (found["low"], found["high"]) == pytest.approx(interval)
    assert found["low"] < found["mean"] < found["high"]
    beside = {p["at"] for p in points if p["density"] == 0.1}
    assert len(beside) == 2 and all(0.09 < at < 0.11 for at in beside)


def test_one_value_has_no_interval_and_marks_differ():
    assert interval_of_mean([0.5]) == (0.5, 0.5)
    marks = series_marks([str(k) for k in range(64)])
    assert len({(mark.color, mark.shape) for mark in marks}) == 64


def test_page_of_a_study_links_the_pages_that_are_there(study, tmp_path):
    folder = tmp_path / "a study"
    shutil.copytree(study, folder)
    (folder / "seed-0_binary_0.1" / "report.html").write_text("page")
    (folder / "seed-0_binary_0.5" / "record.json").write_text("{")
    page = write_report(folder)
    content, text = page.read_text(encoding="utf-8"), text_of(page)
    assert content.count('href="seed-') == 1
    assert 'href="seed-0_binary_0.1/report.html"' in content
    assert "9 of 12 runs complete, 1 failed" in text
    assert "seed-0_binary_0.5: record.json could not be read" in text
    elsewhere = write_report(folder, tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'href="a%20study/seed-0_binary_0.1/report.html"' in elsewhere
    assert len(content) < 10e6 and data_of(page, "charts")


def test_pages_of_runs_are_made_on_request(study, tmp_path):
    folder = tmp_path / "prices"
    shutil.copytree(study, folder, ignore=shutil.ignore_patterns("*continuous*", "*0.5"))
    page = write_report(folder, runs=True)
    assert page.read_text(encoding="utf-8").count("/report.html") == len(all_runs(folder)) == 5
    assert "diverged: NaN" in text_of(folder / "seed-2_binary_0.1" / "report.html")


def test_a_study_of_nothing_complete_has_a_page(study, tmp_path):
    (tmp_path / "prices").mkdir()
    shutil.copytree(study / "seed-2_binary_0.5", tmp_path / "prices" / "a")
    page = write_report(tmp_path / "prices")
    assert "0 of 1 runs complete" in text_of(page) and data_of(page, "charts") == []


def test_page_of_a_search_has_front_and_trials(search, tmp_path):
    page = write_report(search, tmp_path / "page.html")
    text = " ".join(text_of(page).split())
    assert "3 trials: 2 complete, 1 failed" in text and "Δ = 75.00 nats" in text
    assert "trial 00" in text and "diverged" in text
    kinds = [point["kind"] for point in _values(data_of(page, "charts")[0])]
    assert sorted(kinds) == ["dense", "on the front", "on the front"]


@pytest.mark.parametrize(
    ("objectives", "axes", "n_layers", "dense"),
    [
        (["mig"], ("strength_in_gaps", "mig"), 1, []),
        (["density", "mig"], ("density", "mig"), 2, [(1.0, 0.2)]),
        (["mig", "elbo", "density"], ("elbo", "mig"), 1, [(-25.0, 0.2)]),
    ],
)
def test_the_chart_of_a_search_is_of_its_objectives(
    search, tmp_path, objectives, axes, n_layers, dense
):
    folder = tmp_path / "search"
    shutil.copytree(search, folder)
    plan = {"objectives": objectives, "over": "strength"}
    records.write_json(folder / "search.json", {"plan": plan})
    trials = pd.read_parquet(folder / "trials.parquet")
    trials = trials.assign(mig=[0.125, 0.375, np.nan], strength_in_gaps=trials.strength / 75)
    trials.to_parquet(folder / "trials.parquet")
    page = write_report(folder)
    chart = data_of(page, "charts")[0]
    points = [(one["x"], one["y"]) for one in _values(chart) if one["kind"] != "dense"]
    assert points == [tuple(row) for row in trials[list(axes)].head(2).to_numpy()]
    assert [(o["x"], o["y"]) for o in _values(chart) if o["kind"] == "dense"] == dense
    assert len(chart["layer"]) == n_layers
    assert "0.125" in text_of(page).split("Trials")[0]
    (folder / "trials.parquet").unlink()  # as while it goes on
    going_on = _values(data_of(write_report(folder), "charts")[0])
    assert [one["y"] for one in going_on if one["kind"] == "beaten"] == [0.2, 0.2]


def test_a_search_whose_plan_is_damaged_is_drawn_as_usual(search, tmp_path):
    folder = tmp_path / "search"
    shutil.copytree(search, folder)
    for damage in ("{", "[]", '{"plan": {"objectives": "elbo", "over": 3}}'):
        (folder / "search.json").write_text(damage)
        page = write_report(folder)
        assert "search.json could not be read" in text_of(page)
        assert len(_values(data_of(page, "charts")[0])) == 3


def test_a_search_that_goes_on_has_a_page(search, tmp_path):
    folder = tmp_path / "search"
    shutil.copytree(search, folder)
    (folder / "trials.parquet").write_bytes(b"PAR1 cut off")
    assert "trials.parquet could not be read" in text_of(write_report(folder))
    (folder / "trials.parquet").unlink()
    (folder / "gap.json").write_text("{}")
    text = text_of(write_report(folder))
    assert "trials.parquet is not there yet" in text and "gap.json could not be read" in text
    assert "2 trials" in text


def _values(spec):
    values = list(spec.get("datasets", {}).values()) or [spec["data"]["values"]]
    return max(values, key=len)
