"""Runs that begin with another run's weights, and `prune`, which makes them."""

import functools
import importlib
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from sparsevae import export, metrics, records, sparsity
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study import RunSettings, run
from sparsevae.study.one import training
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.pruning import begin_with, pruned_settings, take_masks
from sparsevae.study.one.scoring import export_run
from sparsevae.study.one.summary import summary

run_room = importlib.import_module("sparsevae.study.one.journey")

CHILD = Path(__file__).parents[1] / "child.py"
SIZES = {"data": "tiny", "model": "mlp", "hidden": 16, "latent_dim": 3, "batch_size": 8, "seed": 3}
SIZES |= {"n_steps": 12, "checkpoint_every": 4, "metrics": ["mig"]}


@pytest.fixture(autouse=True, scope="module")
def few_images():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "N_TEST", 250)
        patch.setattr(metrics, "evaluate", functools.partial(metrics.evaluate, n_samples=100))
        patch.setattr(run_room.pictures, "draw", lambda *args: None)
        yield


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """Folder and record of a dense run."""
    parent = tmp_path_factory.mktemp("dense")
    return parent / "dense", run(RunSettings("dense", gate="none", **SIZES), parent)


@pytest.fixture(scope="module")
def pruned(dense, tmp_path_factory):
    """Folder and record of the run that prunes it."""
    parent = tmp_path_factory.mktemp("pruned")
    settings = pruned_settings(dense[0], "pruned", target_density=0.2, n_steps=12)
    return parent / "pruned", run(settings, parent)


def codes_and_images(vae, images):
    """What encoder and decoder make of images."""
    means, log_var = vae.encoder(images)
    return [keras.ops.convert_to_numpy(x) for x in (means, log_var, vae.decoder(means))]


@pytest.mark.parametrize("gate", ["pruned", "hard_concrete", "none"])
@pytest.mark.parametrize("granularity", ["links", "channels"])
def test_a_run_begins_as_the_other_one_ended(dense, gate, granularity, tmp_path):
    control = {"control": "magnitude"} if gate == "pruned" else {}
    control |= {} if gate == "none" else {"granularity": granularity}
    settings = RunSettings("a", gate=gate, **control, **{**SIZES, "seed": 5})
    vae = training.build(settings, load_data(settings))
    begin_with(vae, dense[0], tmp_path)
    images = np.random.default_rng(0).uniform(size=(5, 16, 16, 1)).astype("float32")
    source = keras.saving.load_model(dense[0] / "model.keras")
    pairs = zip(codes_and_images(vae, images), codes_and_images(source, images), strict=True)
    for mine, expected in pairs:
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


def test_a_gated_run_is_begun_with_by_its_test_rule(finished, tmp_path):
    settings = pruned_settings(finished[0], "a")
    assert settings.gate == "pruned" and settings.where == "decoder" and settings.strength == 100
    vae = training.build(settings, load_data(settings))
    begin_with(vae, finished[0], tmp_path)
    images = np.random.default_rng(0).uniform(size=(5, 16, 16, 1)).astype("float32")
    source = keras.saving.load_model(finished[0] / "model.keras")
    pairs = zip(codes_and_images(vae, images), codes_and_images(source, images), strict=True)
    for mine, expected in pairs:
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


def test_a_pruned_run_is_a_run_like_others(dense, pruned, tmp_path):
    folder, record = pruned
    assert records.read_record(folder) == record
    kept = {k: v for k, v in record["settings"].items() if k in SIZES}
    assert kept == SIZES and record["settings"]["pruned_from"] == str(dense[0])
    source = dense[1]
    assert record["pruned_from"] == {k: source[k] for k in ("name", "step", "elbo")}
    masks = sparsity.masks(keras.saving.load_model(folder / "model.keras")).values()
    n_links = sum(mask.size for mask in masks)
    assert sum(mask.sum() for mask in masks) == np.floor(0.2 * n_links + 0.5)
    assert record["density"] == pytest.approx(0.2, abs=1 / n_links)
    assert f"pruned from     dense of step 12, ELBO {source['elbo']:.2f}" in summary(record, "")
    card = export.load(export_run(folder, tmp_path / "exported")).card
    assert card["settings"]["pruned_from"] == str(dense[0])
    assert card["settings"]["control"] == "magnitude"


@pytest.mark.parametrize("step", [2, 6])
def test_killed_and_gone_on_with(dense, pruned, step, tmp_path):
    """Before the first checkpoint and after it; the other run is needed before it only."""
    arguments = ["--name", "pruned", "--density", "0.2", "--n-steps", "12", "--runs", tmp_path]
    command = [sys.executable, CHILD, f"kill:{step}", "prune.py", dense[0], *arguments]
    child = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert child.returncode == -signal.SIGKILL, child.stderr[-2000:]
    folder = tmp_path / "pruned"
    assert list(checkpoints(folder / "checkpoints")) == [4] * (step > 4)
    settings = pruned_settings(dense[0], "pruned", target_density=0.2, n_steps=12)
    with pytest.MonkeyPatch.context() as patch:
        if step > 4:
            patch.setattr(run_room, "begin_with", None)
        record = run(settings, tmp_path)
    assert record == pruned[1]
    models = [keras.saving.load_model(f / "model.keras") for f in (folder, pruned[0])]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_command_again_prints_the_record(script, dense, pruned):
    sizes = ["--density", "0.2", "--n-steps", "12", "--runs", pruned[0].parent]
    code, out, _ = script("prune.py", dense[0], "--name", "pruned", *sizes)
    assert code == 0 and out.strip() == summary(pruned[1], str(pruned[0])).strip()


def test_a_wrong_density_is_refused_by_its_name(script, tmp_path):
    code, _, err = script("prune.py", tmp_path, "--name", "a", "--density", "2")
    assert code != 0 and "`density` must be a float above 0 and at most 1" in err + str(code)
    assert "target_density" not in err + str(code)


def test_runs_of_other_layers_are_refused(dense, tmp_path):
    settings = pruned_settings(dense[0], "a", hidden=8)
    with pytest.raises(ValueError, match=r"`pruned_from` must be a run of the same layers.*16"):
        run(settings, tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        pruned_settings(tmp_path / "absent", "a")
    with pytest.raises(FileNotFoundError, match="absent"):
        run(RunSettings("b", pruned_from=str(tmp_path / "absent"), **SIZES), tmp_path)


@pytest.fixture(scope="module")
def masked(pruned, tmp_path_factory):
    """Folder and record of a run of another seed under the masks of the pruned one."""
    parent = tmp_path_factory.mktemp("masked")
    settings = RunSettings(
        "masked", control="mask", mask_from=str(pruned[0]), **{**SIZES, "seed": 4}
    )
    return parent / "masked", run(settings, parent)


def test_a_run_under_the_masks_of_another(masked, pruned):
    mine, its = (keras.saving.load_model(run[0] / "model.keras") for run in (masked, pruned))
    for a, b in zip(mine.gated_layers, its.gated_layers, strict=True):
        np.testing.assert_array_equal(a.gate.open, b.gate.open)
        assert not np.array(a.stock_weights()[0])[np.array(b.kernel_mask()) == 0].any()
        assert not np.allclose(a.stock_weights()[0], b.stock_weights()[0])
    record = masked[1]
    assert record["density"] == pytest.approx(0.2, abs=0.02)
    assert record["mask_from"] == {k: pruned[1][k] for k in ("name", "step", "elbo")}
    assert "pruned_from" not in record


def test_with_its_own_seed_a_mask_is_a_ticket(pruned, tmp_path):
    """The weights of the first step are those of a dense run of that seed, where links are open."""
    settings = RunSettings("ticket", control="mask", mask_from=str(pruned[0]), **SIZES)
    vae = training.build(settings, load_data(settings))
    twin = training.build(RunSettings("twin", gate="none", **SIZES), load_data(settings))
    take_masks(vae, pruned[0], tmp_path)
    for one, other in zip(vae.networks, twin.networks, strict=True):
        for layer in (layer for layer in one.layers if layer.weights):
            kernel = np.array(other.get_layer(layer.name).kernel)
            np.testing.assert_array_equal(layer.stock_weights()[0], kernel * layer.kernel_mask())


def test_masks_come_from_gates_that_learned_too(tmp_path):
    sizes = {**SIZES, "n_steps": 4}
    source = RunSettings(
        "source", control="target_density", target_density=0.3, gate="binary", **sizes
    )
    run(source, tmp_path)
    record = run(
        RunSettings("a", control="mask", mask_from=str(tmp_path / "source"), **sizes), tmp_path
    )
    assert record["density"] == records.read_record(tmp_path / "source")["density"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": 8}, "these layers and shapes"),
        ({"granularity": "channels"}, "layers and shapes"),
    ],
)
def test_masks_of_other_layers_are_refused(pruned, tmp_path, change, message):
    settings = RunSettings("a", control="mask", mask_from=str(pruned[0]), **{**SIZES, **change})
    with pytest.raises(
        ValueError, match=f"`mask_from` must be a run with gates.*{message}"
    ) as caught:
        run(settings, tmp_path)
    assert "\n" not in str(caught.value)


def test_masks_of_a_dense_run_are_refused(dense, tmp_path):
    with pytest.raises(ValueError, match="`mask_from` must be a run with gates"):
        run(RunSettings("a", control="mask", mask_from=str(dense[0]), **SIZES), tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        absent = str(tmp_path / "absent")
        run(RunSettings("b", control="mask", mask_from=absent, **SIZES), tmp_path)
