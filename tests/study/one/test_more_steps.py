"""A run that is asked for more steps goes on as if it had never ended."""

import dataclasses
import functools
import importlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import sparsevae as sv
from sparsevae import metrics, records
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study import make_study, run, study_table
from sparsevae.study.one import training
from sparsevae.study.one.plan import read_plan
from sparsevae.study.one.summary import summary

run_room = importlib.import_module("sparsevae.study.one.journey")

CHILD = Path(__file__).parents[1] / "child.py"
HALVED = {"open_until": 0.05, "full_at": 0.2, "freeze_at": 0.425}  # of 24 steps: those of 12


def changed(settings, **changes):
    return dataclasses.replace(settings, **changes)


@pytest.fixture(autouse=True, scope="module")
def few_images():
    """Tests and scores of few images, so that what is looked at is the way there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "N_TEST", 250)
        patch.setattr(metrics, "evaluate", functools.partial(metrics.evaluate, n_samples=100))
        patch.setattr(run_room.pictures, "draw", lambda *args: None)
        yield


@pytest.fixture(scope="module")
def short(settings, tmp_path_factory):
    """Folder and record of a run of 12 steps."""
    parent = tmp_path_factory.mktemp("short")
    return parent / "tiny", run(settings, parent)


@pytest.fixture(scope="module")
def whole(settings, tmp_path_factory):
    """Folder and record of an unbroken run of 24 steps with the phases of 12."""
    parent = tmp_path_factory.mktemp("whole")
    return parent / "tiny", run(changed(settings, n_steps=24, **HALVED), parent)


@pytest.fixture
def folder(short, tmp_path):
    """A copy of the run of 12 steps, to go on with."""
    return Path(shutil.copytree(short[0], tmp_path / "tiny"))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def history(folder):
    return pd.read_csv(folder / "history.csv").drop(columns="seconds")


def assert_same_state(mine, expected):
    """Weights, gates, optimizers, seeds, histories."""
    found, wanted = (checkpoints(path / "checkpoints") for path in (mine, expected))
    assert list(found) == list(wanted)
    with np.load(found[max(found)]) as a, np.load(wanted[max(wanted)]) as b:
        assert a.files == b.files and len(a.files) > 20
        for name in b.files:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    models = [keras.saving.load_model(path / "model.keras") for path in (mine, expected)]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(history(mine), history(expected))


def measured(record):
    return {k: v for k, v in record.items() if k not in ("settings", "n_steps_planned")}


def test_a_finished_run_keeps_its_phases(folder, short, whole, settings):
    """Its gates stay fixed, and its state is that of a run that had these phases all along."""
    more = changed(settings, n_steps=24)
    record = run(more, folder.parent)
    assert_same_state(folder, whole[0])
    assert measured(record) == measured(whole[1])
    assert record["step"] == record["settings"]["n_steps"] == 24 and record["n_steps_planned"] == 12
    assert record["densities"] == short[1]["densities"]
    assert records.read_record(folder) == record == run(more, folder.parent)
    assert records.read_json(folder / "record_12.json") == short[1]
    assert list(history(folder)["step"]) == [4, 8, 12, 16, 20, 24]
    assert "those of a run of 12 steps" in summary(record, "")
    assert "those of a run" not in summary(short[1], "")


def test_an_unfinished_run_keeps_its_phases(folder, whole, settings):
    """It was begun by an earlier version, whose settings.json does not speak of them."""
    (folder / "record.json").unlink()
    (folder / "checkpoints" / "step_000000012.npz").unlink()
    before = records.read_json(folder / "settings.json")
    assert before.pop("n_steps_planned") == 12
    records.write_json(folder / "settings.json", before)
    record = run(changed(settings, n_steps=24), folder.parent)
    assert_same_state(folder, whole[0])
    after = records.read_json(folder / "settings.json")
    assert record["n_steps_planned"] == after["n_steps_planned"] == 12
    assert after["settings"]["n_steps"] == 24 and after["versions"] == before["versions"]
    assert not (folder / "record_12.json").exists()


def test_before_the_first_checkpoint_the_phases_are_laid_out_anew(folder, settings):
    (folder / "record.json").unlink()
    shutil.rmtree(folder / "checkpoints")
    for n_steps in (4, 12, 24):
        plan = read_plan(folder, changed(settings, n_steps=n_steps))
        assert plan.n_steps_planned == n_steps


class Killed(BaseException):
    """In place of the system's kill, just before a file gets its name."""


def killed_before(name, settings, folder):
    """A run that dies just before this file gets its name."""
    replace = os.replace

    def die(path, to):
        if Path(to).name == name:
            raise Killed
        replace(path, to)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("sparsevae.records.files.os.replace", die)
        run(settings, folder.parent)


def test_killed_anywhere(folder, short, whole, settings, arguments):
    """Either the old run is whole, or none is complete and the same command goes on."""
    before, more = contents(folder), changed(settings, n_steps=24)
    killed_before("record_12.json", more, folder)
    assert contents(folder) == before
    killed_before("settings.json", more, folder)
    moved = {folder / "record_12.json": before.pop(folder / "record.json")}
    assert contents(folder) == before | moved

    command = [sys.executable, CHILD, "kill:18", "train.py", *arguments, "--n-steps", "24"]
    child = subprocess.run(
        [*map(str, command), "--runs", folder.parent], capture_output=True, text=True, timeout=600
    )
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    assert list(checkpoints(folder / "checkpoints")) == [12, 16]
    killed_before("record.json", more, folder)
    assert list(checkpoints(folder / "checkpoints")) == [20, 24]
    assert not records.is_complete(folder) and len(records.read_records(folder.parent)) == 0

    record = run(more, folder.parent)
    assert_same_state(folder, whole[0])
    assert measured(record) == measured(whole[1]) and record["n_steps_planned"] == 12
    assert records.read_json(folder / "record_12.json") == short[1]


def test_fewer_steps_than_trained_are_refused(folder, settings):
    before = contents(folder)
    with pytest.raises(ValueError, match=r"`n_steps` must be at least 12, .* Received: n_steps=8"):
        run(changed(settings, n_steps=8), folder.parent)
    assert contents(folder) == before


def test_a_wish_for_more_can_be_taken_back(folder, short, settings, monkeypatch):
    monkeypatch.setattr(sv.SparseVAE, "fit", None)
    with pytest.raises(TypeError):
        run(changed(settings, n_steps=24), folder.parent)
    assert not records.is_complete(folder)
    assert run(settings, folder.parent) == short[1]


@pytest.mark.parametrize("n_steps", [12, 24])
def test_all_else_is_refused(folder, settings, n_steps):
    before = contents(folder)
    other = changed(settings, n_steps=n_steps, checkpoint_every=6, n_threads=7, metrics=["sap"])
    with pytest.raises(ValueError, match="checkpoint_every was 4, now 6; n_threads was") as caught:
        run(other, folder.parent)
    assert "n_steps" not in str(caught.value) and "metrics" not in str(caught.value)
    assert contents(folder) == before


def test_a_finished_run_is_scored_anew_not_trained(folder, short, settings, monkeypatch):
    monkeypatch.setattr(sv.SparseVAE, "fit", None)
    record = run(changed(settings, metrics=["sap"]), folder.parent)
    assert "sap" in record["scores"] and "mig" not in record["scores"]
    assert record["elbo"] == short[1]["elbo"]
    assert records.read_json(folder / "record_12.json") == short[1]


def test_a_finished_run_without_its_checkpoint_is_not_trained_again(folder, settings):
    (folder / "checkpoints" / "step_000000012.npz").unlink()
    before = contents(folder)
    with pytest.raises(ValueError, match="only from its checkpoint of step 12, which is missing"):
        run(changed(settings, n_steps=24), folder.parent)
    assert contents(folder) == before


def test_a_dense_cell_trains_on_to_the_unbroken_run(settings, tmp_path):
    """Its curves go on, and the table of its study says what was run."""
    fixed = {"data": "tiny", "n_steps": 4, "checkpoint_every": 2, "gate": "none", "n_threads": 0}
    study = make_study(tmp_path / "study", fixed, [{"seed": [0]}])
    (cell,) = study.cells
    more = changed(cell, n_steps=8)
    run(cell, study.folder, tensorboard=True)
    record = run(more, study.folder, tensorboard=True)
    expected = run(more, tmp_path / "whole")
    assert_same_state(study.folder / cell.name, tmp_path / "whole" / cell.name)
    assert expected["n_steps_planned"] == 8 and record == {**expected, "n_steps_planned": 4}

    events = EventAccumulator(str(study.folder / cell.name / "tensorboard" / "train"))
    events.Reload()
    assert [event.step for event in events.Tensors("epoch_elbo")] == [0, 1, 2, 3]

    (row,) = study_table(study).to_dict("records")
    assert (row["n_steps"], row["step"], row["n_steps_planned"]) == (8, 8, 4)
    longer = make_study(study.folder, {**fixed, "n_steps": 8}, [{"seed": [0]}])
    assert longer.cells[0].name != cell.name and len(study_table(longer)) == 0
