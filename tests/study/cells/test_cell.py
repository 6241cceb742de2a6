"""One cell of a study at a time, in this process."""

import os
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

from sparsevae import records
from sparsevae.study import make_study, study_table, sweep
from sparsevae.study.cells import cell as cells
from sparsevae.study.cells.cell import (
    FAILURE,
    StoppedError,
    failure,
    forget_failures,
    note_failure,
    run_cell,
)
from sparsevae.study.cells.claims import LOCKS, claim
from sparsevae.study.cells.worker import pick_cores
from sparsevae.study.sweeps import sweep as sweeps

TINY = {
    "data": "tiny",
    "where": "decoder",
    "latent_dim": 3,
    "n_steps": 12,
    "checkpoint_every": 4,
    "batch_size": 8,
    "metrics": ["mig"],
    "n_threads": 0,  # those of this process are set already
}


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study", TINY, [{"seed": [0]}])


def test_a_cell_that_somebody_else_runs_is_passed_by(study):
    (settings,) = study.cells
    with claim(study.folder, settings.name):
        assert run_cell(study.folder, settings) == "busy"
    assert [path.name for path in study.folder.iterdir()] == [LOCKS]


def test_a_cell_goes_on_from_its_checkpoint(study, monkeypatch):
    """As after a kill: the last record is missing, training is not done again."""
    (settings,) = study.cells
    assert run_cell(study.folder, settings) == "complete"
    record = records.read_record(study.folder / settings.name)
    (study.folder / settings.name / "record.json").unlink()
    monkeypatch.setattr("sparsevae.models.SparseVAE.fit", None)
    assert run_cell(study.folder, settings) == "complete"
    assert records.read_record(study.folder / settings.name) == record


def test_the_time_of_a_step_is_without_the_compilation(tmp_path):
    """Of a probe there are two rows only, and the first one holds it."""
    (tmp_path / "history.csv").write_text("step,seconds\n40,4.0\n80,0.8\n")
    cells._note_timing(tmp_path, seconds=10.0, n_before=0)
    timing = records.read_json(tmp_path / cells.TIMING)
    assert timing == {
        "seconds_per_step": pytest.approx(0.02),
        "seconds_besides": pytest.approx(5.2),
    }


def test_a_run_that_diverges_has_failed_for_good(tmp_path):
    diverging = {**TINY, "learning_rate": 1e30, "likelihood": "gaussian"}
    study = make_study(tmp_path / "study", diverging, [{"seed": [0]}])
    (settings,) = study.cells
    assert run_cell(study.folder, settings) == "failed"
    noted = failure(study.folder / settings.name)
    assert noted["lasting"] and noted["reason"].startswith("diverged: ")
    forget_failures(study.folder)
    assert run_cell(study.folder, settings) == "failed"
    assert list(study_table(study)["status"]) == ["failed"]


def test_a_run_that_a_watcher_ends_was_stopped_for_good(study, monkeypatch):
    def run(*_):
        raise StoppedError("no latent is left")

    monkeypatch.setattr("sparsevae.study.one.journey.run", run)
    (settings,) = study.cells
    assert run_cell(study.folder, settings) == "failed"
    expected = {"reason": "no latent is left", "lasting": True, "stopped": True}
    assert failure(study.folder / settings.name) == expected


def test_a_run_that_fails_otherwise_is_tried_again(study):
    wrong = make_study(study.folder, {**TINY, "data_dir": "/absent"}, [{"seed": [0]}])
    (settings,) = wrong.cells
    assert run_cell(study.folder, settings) == "failed"
    noted = failure(study.folder / settings.name)
    assert not noted["lasting"] and "`data_dir` must be an existing folder" in noted["reason"]
    forget_failures(study.folder)
    assert failure(study.folder / settings.name) is None
    assert not (study.folder / settings.name).exists()


def test_a_passing_failure_keeps_what_was_trained(study):
    cell = study.folder / study.cells[0].name
    records.write_json(cell / "settings.json", {})
    note_failure(cell, "No space left", lasting=False)
    forget_failures(study.folder)
    assert (cell / "settings.json").exists() and not (cell / FAILURE).exists()


def test_failures_are_complained_of_at_the_end(study, monkeypatch):
    monkeypatch.setattr("sparsevae.study.sweeps.sweep.forget_failures", lambda folder: None)
    note_failure(study.folder / study.cells[0].name, "No space left", lasting=False)
    with pytest.raises(RuntimeError, match="1 of 1 runs failed, the last by No space left"):
        sweep(study, workers=1)
    assert (study.folder / "table.parquet").exists()


@pytest.mark.parametrize(
    ("outcomes", "gives_up"), [("ffcffc", False), ("fdffcc", False), ("cfff", True)]
)
def test_a_worker_gives_up_after_three_passing_failures_in_a_row(
    tmp_path, monkeypatch, outcomes, gives_up
):
    """f: failed for a passing reason, d: diverged, c: complete."""
    study = make_study(tmp_path / "study", TINY, [{"seed": list(range(len(outcomes)))}])
    left = dict(zip((cell.name for cell in study.cells), outcomes, strict=True))

    def outcome(folder, settings, tensorboard):
        kind = left.pop(settings.name)
        if kind != "c":
            note_failure(folder / settings.name, "", lasting=kind == "d")
        return "complete" if kind == "c" else "failed"

    monkeypatch.setattr(sweeps, "run_cell", outcome)
    with pytest.raises(SystemExit) if gives_up else nullcontext():
        sweeps.work(study, tensorboard=False)
    assert not left


def test_workers_are_as_many_as_cores_at_most():
    cores = pick_cores(None)
    assert len(cores) >= 1 and pick_cores(1) == cores[:1]
    for workers in (0, len(cores) + 1, 1.5):
        match = f"`workers` must be an integer from 1 to {len(cores)}"
        with pytest.raises((ValueError, TypeError), match=match):
            pick_cores(workers)


PIN = """
import os, sys
from sparsevae.study.cells.worker import pin
pin(int(sys.argv[1]))
print(*os.sched_getaffinity(0), flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no pinning here")
def test_workers_of_several_commands_take_different_cores(tmp_path):
    """Each command begins to count at the first core."""
    cores = pick_cores(None)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", PIN, str(cores[0])]

    def begin():
        process = subprocess.Popen(command, env=environment, **pipes)
        return process, int(process.stdout.readline())

    begun = [begin() for _ in cores]
    assert sorted(core for _, core in begun) == cores
    one_more = begin()
    assert one_more[1] == cores[0]  # none is free
    for process, _ in (*begun, one_more):
        process.communicate("")
    (last, core) = begin()
    assert core == cores[0]
    last.communicate("")


def test_training_in_another_thread_gets_no_signals(study):
    """As under dask: signals belong to the main thread."""
    outcome = []
    thread = threading.Thread(target=lambda: outcome.append(run_cell(study.folder, study.cells[0])))
    thread.start()
    thread.join()
    assert outcome == ["complete"]
