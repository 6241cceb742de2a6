"""Scores while a model trains."""

import keras
import numpy as np
import pytest

from sparsevae import metrics
from sparsevae.data import FactorSpace, GroundTruthData
from sparsevae.models import DisentanglementScores, mlp_vae


class Squares(GroundTruthData):
    """A bright pixel at (y, x) of 4 x 4."""

    def __init__(self):
        super().__init__("squares", "render", FactorSpace(("y", "x"), (4, 4)), (4, 4, 1))

    def images(self, indices):
        images = np.zeros((len(indices), 16), np.uint8)
        images[np.arange(len(indices)), self.factor_space.checked(indices)] = 255
        return images.reshape(-1, 4, 4, 1)


DATA = Squares()


def fit(model, callback, *more, epochs=3):
    images = DATA.as_tf_dataset(16).take(6 * epochs)
    return model.fit(
        images, steps_per_epoch=2, epochs=epochs, callbacks=[callback, *more], verbose=0
    )


@pytest.fixture
def vae():
    vae = mlp_vae(DATA.image_shape, latent_dim=2, seed=0)
    vae.compile(keras.optimizers.Adam(1e-3))
    return vae


def test_history_holds_the_scores_of_every_second_epoch(vae):
    callback = DisentanglementScores(DATA, ["mig", "sap"], every=2, n_samples=200)
    history = fit(vae, callback, epochs=5).history
    assert len(history["loss"]) == 5
    assert len(history["mig"]) == len(history["sap_ceiling"]) == len(history["mig_active"]) == 2


def test_active_latents_are_the_models_in_every_epoch(vae):
    """Both latents cost KL, by their variance, and the code is the same for all images."""
    vae.encoder.get_layer("encoder_z_mean").kernel.assign(np.zeros((1200, 2)))
    vae.encoder.get_layer("encoder_z_log_var").bias.assign(np.ones(2))
    vae.compile(keras.optimizers.SGD(0.0))
    history = fit(vae, DisentanglementScores(DATA, every=2, n_samples=50), epochs=4).history
    assert history["active_latents"] == [2, 2, 2, 2]
    assert history["spread_latents"] == [0, 0]


def test_scores_have_names_that_the_model_does_not_log(vae):
    callback = DisentanglementScores(DATA, ["all", "dci", "unified_dci"], n_samples=16)
    plain = vae.fit(DATA.as_tf_dataset(16), steps_per_epoch=1, verbose=0).history
    assert plain.keys() < fit(vae, callback, epochs=1).history.keys()


def test_a_log_is_not_overwritten(vae):
    seen = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))
    first = DisentanglementScores(DATA, "mig", n_samples=50)
    second = DisentanglementScores(DATA, ["sap", "mig"], n_samples=90, seed=5)
    with pytest.raises(ValueError, match=r"one value.*DisentanglementScores: mig, mig_active"):
        fit(vae, first, watch, second)
    assert "mig" in seen[0] and "sap" not in seen[0]


def test_two_callbacks_may_score_different_things(vae):
    often = DisentanglementScores(DATA, "mig", n_samples=50)
    seldom = DisentanglementScores(DATA, "sap", n_samples=50, every=2)
    history = fit(vae, often, seldom, epochs=2).history
    assert len(history["mig"]) == len(history["spread_latents"]) == 2 and len(history["sap"]) == 1


def test_last_scores_are_those_of_the_trained_model(vae):
    logged = fit(vae, DisentanglementScores(DATA, n_samples=200, seed=4)).history["mig"]
    scores = metrics.evaluate(vae.codes, DATA, metrics="mig", seed=4, n_samples=200)
    assert logged[-1] == scores["mig"]


def test_later_callbacks_read_the_scores(vae, tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    fit(vae, DisentanglementScores(DATA, n_samples=100), log)
    assert "mig_ceiling" in (tmp_path / "log.csv").read_text().splitlines()[0]


def test_any_keras_model_with_a_function_that_encodes():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile(loss="mse")
    images, targets = DATA.images(np.arange(16)) / 255.0, np.zeros((16, 1))
    with pytest.raises(TypeError, match=r"`encode` must be given.*Sequential"):
        model.fit(images, targets, callbacks=[DisentanglementScores(DATA)], verbose=0)
    callback = DisentanglementScores(
        DATA, n_samples=50, encode=lambda x: model.predict(x / 255.0, verbose=0)
    )
    assert "mig" in model.fit(images, targets, callbacks=[callback], verbose=0).history


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("n_samples", 3)])
def test_bad_counts_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        DisentanglementScores(DATA, **{name: value})
    with pytest.raises(TypeError, match=f"`{name}`"):
        DisentanglementScores(DATA, **{name: 1.5})


def test_unknown_score_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'mig'"):
        DisentanglementScores(DATA, "migg")
