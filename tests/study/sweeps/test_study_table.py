"""Tables, reports and displays, of records that the test writes."""

import io
import json

import duckdb
import numpy as np
import pandas as pd
import polars
import pytest

from sparsevae import records
from sparsevae.study import make_study, study_table
from sparsevae.study.cells import display
from sparsevae.study.cells.cell import TIMING, note_failure
from sparsevae.study.cells.claims import claim
from sparsevae.study.sweeps import reports
from sparsevae.study.sweeps.progress import StudyWatch
from sparsevae.study.sweeps.table import FILE_NAME, means, setting_columns, write_table


@pytest.fixture
def study(tmp_path):
    """Six cells: three complete, one failed, one begun, one untouched."""
    fixed = {"data": "toy", "n_steps": 100, "gate_options": {"initial_density": 0.9}}
    study = make_study(tmp_path / "price", fixed, [{"seed": [0, 1], "strength": [1.0, 2.0, 4.0]}])
    for number, settings in enumerate(study.cells[:3]):
        complete(study.folder / settings.name, settings, number)
    note_failure(study.folder / study.cells[3].name, "diverged: NaN", lasting=True)
    begin(study.folder / study.cells[4].name, steps=[10, 30])
    return study


def begin(folder, steps):
    folder.mkdir(parents=True)
    history = {"step": steps, "elbo": -1.0, "density": 0.5, "seconds": 2.0}
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)


def complete(folder, settings, number):
    begin(folder, steps=[50, 100])
    record = {
        "name": settings.name,
        "settings": vars(settings),
        "step": 100,
        "elbo": -10.0 - number,
        "kl": 2.0,
        "density": np.nan if number == 2 else 0.25,
        "densities": {"encoder_conv_1": 0.5},
        "scores": {"mig": 0.1 * number, "mig_active": 0.2, "mig_ceiling": 0.9},
    }
    records.write_record(folder, record)
    timing = {"seconds_per_step": 0.01, "seconds_besides": 3.0}
    records.write_json(folder / TIMING, timing)


def test_one_flat_row_for_each_run_that_has_ended(study):
    table = study_table(study)
    assert list(table["run"]) == [cell.name for cell in study.cells[:4]]
    assert list(table["status"]) == ["complete"] * 3 + ["failed"]
    assert list(table["strength"]) == [cell.strength for cell in study.cells[:4]]
    assert list(table["elbo"].dropna()) == [-10.0, -11.0, -12.0]
    assert list(table["score_mig"].dropna()) == [0.0, 0.1, 0.2]
    assert table["density_encoder_conv_1"][0] == 0.5
    assert table["density"].isna().tolist() == [False, False, True, True]
    assert json.loads(table["gate_options"][0]) == {"initial_density": 0.9}
    assert table["reason"][3] == "diverged: NaN"
    assert set(setting_columns()) <= set(table.columns)


def test_a_table_without_runs_has_the_settings_columns(tmp_path):
    table = study_table(make_study(tmp_path, {}, [{"seed": [0]}]))
    assert len(table) == 0 and {"run", "status", "beta", "seed"} <= set(table.columns)


def test_pandas_polars_and_duckdb_read_the_same(study):
    path = write_table(study)
    assert path == study.folder / FILE_NAME
    pd.testing.assert_frame_equal(pd.read_parquet(path), study_table(study), check_dtype=False)
    table = polars.read_parquet(path)
    assert table.filter(polars.col("status") == "complete")["elbo"].to_list() == [-10, -11, -12]
    assert table["seed"].dtype == polars.Int64 and table["beta"].dtype == polars.Float64
    assert table["data_dir"].null_count() == 4
    query = f"select strength, elbo, score_mig from '{path}' where elbo < -10 order by elbo"
    assert [row[1] for row in duckdb.sql(query).fetchall()] == [-12.0, -11.0]


def test_means_are_over_seeds(study):
    for number, settings in enumerate(study.cells[3:]):
        (study.folder / settings.name / "failed.json").unlink(missing_ok=True)
        records.write_record(study.folder / settings.name, {"elbo": -20.0 - number})
    shown = means(study_table(study), study.varied)
    assert list(shown["runs"]) == [2, 2, 2]
    assert shown["elbo"].sum() == pytest.approx(-(10 + 11 + 12 + 20 + 21 + 22) / 2)
    assert "score_mig" in shown and "score_mig_ceiling" not in shown


def test_states_are_read_from_the_folder(study):
    watch = StudyWatch(study)
    states = watch.states()
    assert [s.status for s in states] == ["complete"] * 3 + ["failed", "waiting", "waiting"]
    assert states[4].step == 30 and states[5].step == 0
    assert watch.seconds_left(states) is None  # nothing has moved yet
    with claim(study.folder, study.cells[4].name):
        assert watch.states()[4].status == "running"
    complete_now = study.folder / study.cells[4].name
    records.write_record(complete_now, {})
    states = watch.states()
    assert states[4].status == "complete"
    left, pace = watch.seconds_left(states), watch.per_hour(states)
    assert left > 0
    # 70 of 100 steps of a run have been made since, and one run is left
    assert pace * left / 3600 == pytest.approx(1.0, rel=0.2)


def test_status_says_what_runs_and_what_failed(study):
    text = reports.status(study)
    assert "3/6 complete" in text and "1 failed" in text
    assert f"failed: {study.cells[3].name}" in text and "diverged: NaN" in text


def test_the_estimate_is_of_complete_runs(study, monkeypatch):
    text = reports.estimate(study, workers=1)
    assert "6 runs, 3 complete, 1 failed; 2 to do" in text
    assert "on 1 cores: 170 steps of 10 ms and 3 s besides" in text
    assert "8 s" in text and "median of 3 complete runs" in text
    assert "GB are free" in text
    monkeypatch.setattr(reports, "pick_cores", lambda workers: range(workers))
    assert "time: 4 s on 2 cores" in reports.estimate(study, workers=2)


def test_a_table_of_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run of this study has begun"):
        reports.table(make_study(tmp_path / "absent", {}, [{"seed": [0]}]))


def test_without_a_terminal_there_are_plain_lines(study, capsys):
    watch = StudyWatch(study)
    with display.display(watch) as show:
        show(watch.states())
        records.write_record(study.folder / study.cells[4].name, {})
        show(watch.states())
        show(watch.states())  # nothing new
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "price: 3/6 complete, 1 failed"
    assert lines[1] == f"complete: {study.cells[4].name}: training: ELBO -1.00, density 0.500"
    assert lines[2].startswith("price: 4/6 complete, 1 failed, ") and lines[2].endswith(" left")
    assert len(lines) == 3


def test_in_a_terminal_there_is_a_live_table(study, monkeypatch):
    import rich.console

    screen = io.StringIO()
    plain = rich.console.Console

    def terminal(stderr):
        return plain(file=screen, force_terminal=True, width=150)

    monkeypatch.setattr(rich.console, "Console", terminal)
    watch = StudyWatch(study)
    with display.display(watch) as show, claim(study.folder, study.cells[4].name):
        show(watch.states())
    text = screen.getvalue()
    assert "3/6 complete, 1 running, 1 failed" in text
    assert "30 of 100" in text and "diverged: NaN" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (7260, "2 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations(seconds, text):
    assert display.duration(seconds) == text
