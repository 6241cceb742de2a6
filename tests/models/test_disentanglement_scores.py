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
