"""Runs that are killed anywhere end as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from sparsevae import export, records
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study import RunSettings, run
from sparsevae.study.controls import KINDS

CHILD = Path(__file__).parents[1] / "child.py"


def child(when, *arguments):
    command = [sys.executable, str(CHILD), when, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.fixture(scope="module")
def broken(arguments, tmp_path_factory):
    """One run, ended three times; what each process left."""
    parent = tmp_path_factory.mktemp("broken")
    folder = parent / "tiny" / "checkpoints"
    left = {}
    for when in ("kill:6", "write:1", "interrupt:7", "-"):
        done = child(when, "train.py", *arguments, "--runs", parent)
        left[when] = (
            done.returncode,
            list(checkpoints(folder)),
            records.is_complete(parent / "tiny"),
            done.stdout + done.stderr,
        )
    return parent / "tiny", left


def test_killed_during_training(broken):
    code, steps, complete, output = broken[1]["kill:6"]
    assert code == -signal.SIGKILL, output[-2000:]
    assert steps == [4] and not complete


def test_killed_while_a_checkpoint_is_written(broken):
    """The second process goes on from step 4 and dies half-way through the file of step 8."""
    code, steps, complete, output = broken[1]["write:1"]
    assert code == -signal.SIGKILL, output[-2000:]
    assert steps == [4] and not complete


def test_interrupted(broken):
    """The third process stops with a checkpoint of its exact step, and says so."""
    code, steps, complete, output = broken[1]["interrupt:7"]
    assert code == 130, output[-2000:]
    assert steps == [4, 7] and not complete
    assert "Stopped. The same command goes on from here." in output
    assert "Traceback" not in output


def test_the_end_is_that_of_an_unbroken_run(broken, finished):
    folder, left = broken
    code, steps, complete, output = left["-"]
    assert code == 0, output[-2000:]
    assert steps == [8, 12] and complete
    expected, record = finished
    with (
        np.load(folder / "checkpoints" / "step_000000012.npz") as mine,
        np.load(expected / "checkpoints" / "step_000000012.npz") as whole,
    ):
        assert mine.files == whole.files and len(mine.files) > 50
        for name in whole.files:
            np.testing.assert_array_equal(mine[name], whole[name], err_msg=name)
    models = [keras.saving.load_model(path / "model.keras") for path in (folder, expected)]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert records.read_record(folder) == record
    assert list(pd.read_csv(folder / "history.csv")["step"]) == [4, 7, 8, 12]


def test_nothing_half_written_is_left(broken):
    assert [path for path in broken[0].rglob(".*") if path.is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize("control", [name for name in KINDS if name != "mask"])
def test_killed_under_each_control(control, settings, tmp_path):
    """Between two checkpoints, in the middle of its phases; then started again."""
    of_control = {"strength": {"strength": 20.0}, "distortion": {"bound": 90.0}}.get(control, {})
    names = ("name", "data", "latent_dim", "n_steps", "checkpoint_every", "batch_size", "seed")
    chosen = {name: getattr(settings, name) for name in names} | {"control": control, **of_control}
    options = [part for k, v in chosen.items() for part in (f"--{k.replace('_', '-')}", v)]
    for when, code in (("kill:7", -signal.SIGKILL), ("-", 0)):
        done = child(when, "train.py", *options, "--runs", tmp_path / "killed")
        assert done.returncode == code, done.stderr[-2000:]
    record = run(RunSettings(**chosen), tmp_path / "whole")
    assert records.read_record(tmp_path / "killed" / "tiny") == record
    mine, whole = (
        keras.saving.load_model(tmp_path / parent / "tiny" / "model.keras")
        for parent in ("killed", "whole")
    )
    for a, b in zip(mine.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_full_size_run_killed_from_outside(tmp_path):
    """The standard VAE on dSprites, killed at whatever moment follows its first checkpoint."""
    sizes = ["--n-steps", "90", "--checkpoint-every", "10", "--steps-per-execution", "5"]
    command = [sys.executable, "scripts/train.py", "--name", "run", *sizes, "--runs"]

    def start(parent):
        return subprocess.Popen([*command, parent], cwd=CHILD.parents[2], stderr=subprocess.PIPE)

    killed = start(tmp_path / "killed")
    folder = tmp_path / "killed" / "run" / "checkpoints"
    while not checkpoints(folder) and killed.poll() is None:
        time.sleep(0.05)
    time.sleep(1)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL and not records.is_complete(folder.parent)
    for parent in ("killed", "whole"):
        _, errors = (process := start(tmp_path / parent)).communicate()
        assert process.returncode == 0, errors[-2000:]
    mine, whole = (
        keras.saving.load_model(tmp_path / parent / "run" / "model.keras")
        for parent in ("killed", "whole")
    )
    for a, b in zip(mine.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert records.read_record(folder.parent) == records.read_record(tmp_path / "whole" / "run")


def test_killed_while_exporting(finished, tmp_path):
    """The folder is not there; the next export clears up and is whole."""
    target = tmp_path / "saved" / "tiny"
    done = child("export", "export.py", finished[0], target)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    assert not target.exists()
    (leftover,) = os.listdir(target.parent)
    assert leftover.startswith(".tiny.partial-")
    vae = keras.saving.load_model(finished[0] / "model.keras")
    export.save(vae, target)
    assert os.listdir(target.parent) == ["tiny"]
    images = np.zeros((3, 16, 16, 1), np.uint8)
    np.testing.assert_allclose(export.load(target).encode(images), vae.codes(images), atol=1e-5)
