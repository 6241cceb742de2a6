import dataclasses
import importlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest

import sparsevae as sv
from sparsevae import records
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study import run
from sparsevae.study.one import scoring, training
from sparsevae.study.one.summary import summary

run_room = importlib.import_module("sparsevae.study.one.journey")


def changed(settings, **changes):
    return dataclasses.replace(settings, **changes)


def test_run_stays_a_function():
    """The module of the same name must not take its place."""
    assert sv.study.run is run and callable(sv.study.run)
    assert sys.modules["sparsevae.study.one.journey"].run is run
    code = "from sparsevae.study import run, sweep, search; run.__code__"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_runs_are_read_into_a_table(finished):
    folder, record = finished
    row = records.read_records(folder.parent).loc["tiny"]
    assert row.elbo == record["elbo"] and row.seed == record["settings"]["seed"]
    assert row.data_source == record["data_source"] != record["settings"]["data_source"]


def test_a_run_leaves_everything_behind(finished):
    folder, _record = finished
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        "settings.json",
        "history.csv",
        "checkpoints/step_000000008.npz",
        "checkpoints/step_000000012.npz",
        "model.keras",
        "scores.json",
        "pictures/reconstructions.png",
        "pictures/traversals.png",
        "pictures/history.png",
        "pictures/masks.png",
        "pictures/mask_evolution.png",
        "pictures/wiring.png",
        "pictures/traversals.gif",
        "record.json",
    }
    assert list(pd.read_csv(folder / "history.csv")["step"]) == [4, 8, 12]
    for picture in (folder / "pictures").iterdir():
        assert picture.read_bytes().startswith((b"\x89PNG", b"GIF89a"))


def test_the_record_is_complete(finished, settings):
    folder, record = finished
    assert records.read_record(folder) == record
    assert record["name"] == "tiny" and record["data_source"] == "render"
    assert record["settings"] == dataclasses.asdict(settings)
    assert record["step"] == 12
    assert record["elbo"] == pytest.approx(-(record["reconstruction"] + record["kl"]), rel=1e-5)
    assert len(record["densities"]) == 6 and 0 <= record["density"] <= 1
    assert record["scores"] == records.read_json(folder / "scores.json")
    assert {"mig", "mig_active", "mig_ceiling", "spread_latents"} <= set(record["scores"])
    made = records.read_json(folder / "settings.json")
    assert made["settings"] == record["settings"]
    assert {"keras", "tensorflow", "numpy"} <= set(made["versions"])


def test_the_saved_model_is_the_trained_one(finished, settings):
    folder, record = finished
    vae = keras.saving.load_model(folder / "model.keras")
    data = sv.data.load("tiny")
    scores = sv.metrics.evaluate(vae.codes, data, metrics=settings.metrics, seed=0)
    assert scores == record["scores"]


def test_a_run_is_scored_on_images_of_the_source_it_was_trained_on(finished, settings, monkeypatch):
    """With "auto" a file may have come since, beside which the run was rendered."""
    asked = []
    monkeypatch.setattr(scoring, "load_data", lambda *arguments: asked.append(arguments))
    scoring.encoder_and_data(finished[0])
    assert settings.data_source == "auto" and asked == [(settings, "render")]


def test_a_complete_run_is_read_not_repeated(finished, settings, monkeypatch):
    folder, record = finished
    monkeypatch.setattr(run_room, "train", None)
    monkeypatch.setattr(run_room, "build", None)
    assert run(settings, folder.parent) == record


def test_a_record_from_before_a_score_was_renamed_is_read(finished, settings, tmp_path):
    folder, record = finished
    old = {name.replace("spread_", "active_"): v for name, v in record["scores"].items()}
    (tmp_path / "tiny").mkdir()
    shutil.copy(folder / "settings.json", tmp_path / "tiny")
    records.write_record(tmp_path / "tiny", {**record, "scores": old})
    assert old != record["scores"] and run(settings, tmp_path) == record
    assert "latents by spread of codes" in summary(record, "")


def test_a_run_without_its_record_is_finished_not_repeated(
    finished, settings, monkeypatch, tmp_path
):
    """What a kill after the last step leaves; the state is read back exactly."""
    folder, record = finished
    shutil.copytree(folder, tmp_path / "tiny")
    (tmp_path / "tiny" / "record.json").unlink()
    monkeypatch.setattr(sv.SparseVAE, "fit", None)
    assert run(settings, tmp_path) == record


@pytest.mark.parametrize("complete", [True, False], ids=["complete", "begun"])
def test_other_settings_in_the_same_folder_are_refused(finished, settings, complete, tmp_path):
    folder, _ = finished
    (tmp_path / "tiny").mkdir()
    for name in ("settings.json", *(["record.json"] if complete else [])):
        shutil.copy(folder / name, tmp_path / "tiny")
    message = r"other settings: .*strength was 20\.0, now 5\.0; .*seed was 3, now 4"
    with pytest.raises(ValueError, match=message) as caught:
        run(changed(settings, strength=5.0, seed=4), tmp_path)
    assert "latent_dim" not in str(caught.value)
    assert not (tmp_path / "tiny" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_dir": "/absent"}, "`data_dir` must be an existing folder"),
        ({"gate_options": {"initial_density": 2.0}}, "`initial_density`"),
        ({"gate_options": {"initial_densty": 0.9}}, "initial_densty"),
    ],
    ids=str,
)
def test_what_cannot_begin_leaves_no_folder(settings, changes, message, tmp_path):
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        run(changed(settings, **changes), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_named(finished, settings, tmp_path):
    folder, _ = finished
    shutil.copytree(folder, tmp_path / "tiny")
    (tmp_path / "tiny" / "record.json").unlink()
    newest = tmp_path / "tiny" / "checkpoints" / "step_000000012.npz"
    newest.write_bytes(newest.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"step_000000012\.npz is damaged.*Delete it"):
        run(settings, tmp_path)
    newest.unlink()
    step = pd.read_csv(tmp_path / "tiny" / "history.csv")["step"].max()
    assert step == 12 and list(checkpoints(newest.parent)) == [8]


def test_l1_baseline_reports_its_cut_and_keeps_its_model(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "N_TEST", 250)
    baseline = changed(
        settings,
        gate="l1_weights",
        strength=1e-3,
        cut_threshold=0.05,
        likelihood="gaussian",
        variance=0.1,
        n_steps=6,
        checkpoint_every=4,
        steps_per_execution=2,
    )
    record = run(baseline, tmp_path)
    assert 0 < record["share_cut"]["all"] < 1 and np.isfinite(record["elbo_after_cut"])
    assert record["elbo_after_cut"] != record["elbo"]
    assert "density" not in record
    assert list(pd.read_csv(tmp_path / "tiny" / "history.csv")["step"]) == [4, 6]
    assert not (tmp_path / "tiny" / "pictures" / "masks.png").exists()


def test_threads_can_not_be_chosen_twice(settings, tmp_path):
    with pytest.raises(RuntimeError, match="`n_threads` can be chosen before"):
        run(changed(settings, n_threads=7), tmp_path)
    assert list(tmp_path.iterdir()) == []
