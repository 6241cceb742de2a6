from contextlib import nullcontext
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from sparsevae import data, records
from sparsevae.models import DisentanglementScores, mlp_vae
from sparsevae.study import RunSettings
from sparsevae.study.cells.cell import StoppedError
from sparsevae.study.searches.hopeless import StopHopeless

SETTINGS = RunSettings("seed_0", n_steps=100, checkpoint_every=10)


@pytest.fixture
def others(tmp_path):
    """Four complete trials of ELBO -10, -20, -30, -40 and density 0.4, 0.3, 0.2, 0.1 at step 50."""
    for number in range(4):
        folder = tmp_path / f"trial_{number}" / "seed_0"
        folder.mkdir(parents=True)
        history = {"step": [50, 100], "elbo": -10.0 * (number + 1), "density": 0.4 - number / 10}
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
        records.write_record(folder, {})
    return tmp_path


def judge(folder, objectives, step=50, **logs):
    callback = StopHopeless(SETTINGS, folder, objectives)
    model = SimpleNamespace(optimizer=SimpleNamespace(iterations=step), stop_training=False)
    callback.set_model(model)
    callback.on_epoch_end(0, {"active_latents": 3.0, **logs})
    try:
        callback.on_train_end()
    except StoppedError as error:
        assert model.stop_training
        return str(error)
    assert not model.stop_training
    return ""


def test_a_model_without_latents_has_no_future(tmp_path):
    assert "no latent is left" in judge(tmp_path, ["elbo"], elbo=-9.0, active_latents=0.0)


def test_not_before_the_price_has_risen_nor_at_the_end(tmp_path):
    for step in (30, 100):
        assert judge(tmp_path, ["elbo"], step, elbo=-9.0, active_latents=0.0) == ""
    assert judge(tmp_path, ["elbo"], 40, elbo=-9.0, active_latents=0.0)


def test_one_objective_is_held_against_the_median(others):
    assert "2 of 4 others were better" in judge(others, ["elbo"], elbo=-25.0)
    assert judge(others, ["elbo"], elbo=-15.0) == ""
    assert judge(others, ["density"], density=0.35)
    assert judge(others, ["density"], density=0.15) == ""


def test_of_several_objectives_all_must_be_worse(others):
    assert judge(others, ["elbo", "density"], elbo=-35.0, density=0.45)
    assert judge(others, ["elbo", "density"], elbo=-35.0, density=0.05) == ""
    assert judge(others, ["elbo", "density"], elbo=-5.0, density=0.9) == ""


@pytest.mark.parametrize("objectives", [["mig"], ["mig", "elbo"], ["elbo", "udr"]], ids=str)
def test_who_may_have_the_best_score_is_not_given_up(others, objectives):
    """Scores are not known while a model trains; a model without latents has none to hope for."""
    assert judge(others, objectives, elbo=-99.0) == ""
    assert "no latent is left" in judge(others, objectives, elbo=-99.0, active_latents=0.0)


def test_there_must_be_enough_to_compare_with(others):
    for number in range(2):
        (others / f"trial_{number}" / "seed_0" / "record.json").unlink()
    assert judge(others, ["elbo"], elbo=-99.0) == ""


def test_only_runs_of_the_same_length_are_compared(others):
    for number in range(2):
        path = others / f"trial_{number}" / "seed_0" / "history.csv"
        history = pd.read_csv(path)
        history.loc[1, "step"] = 300
        history.to_csv(path, index=False)
    assert judge(others, ["elbo"], elbo=-99.0) == ""


@pytest.mark.parametrize("bias", [0.0, 1.0], ids=["no latent", "three latents"])
def test_active_latents_are_the_models_whatever_the_scores_say(tmp_path, bias):
    """The scores find three latents where the model has none, and none where it has three."""
    tiny = data.load("tiny")
    vae = mlp_vae(tiny.image_shape, latent_dim=3, hidden=8)
    for name, value in (("z_mean", 0.0), ("z_log_var", bias)):
        head = vae.encoder.get_layer(f"encoder_{name}")
        head.kernel.assign(np.zeros(head.kernel.shape))
        head.bias.assign(np.full(head.bias.shape, value))
    vae.compile(keras.optimizers.SGD(0.0))

    def encode(images):
        return images[:, :3, 3, 0] * (1.0 - bias)

    logs = {}
    scores = DisentanglementScores(tiny, n_samples=100, encode=encode)
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, found: logs.update(found))
    stop = StopHopeless(RunSettings("seed_0", n_steps=4), tmp_path, ["elbo"])
    refused = nullcontext() if bias else pytest.raises(StoppedError, match="no latent is left")
    with refused:
        vae.fit(
            tiny.as_tf_dataset(8), steps_per_epoch=2, callbacks=[scores, watch, stop], verbose=0
        )
    assert (logs["active_latents"], logs["spread_latents"]) == ((3, 0) if bias else (0, 3))
