"""Decoders as data for a page: their weights come back, what a page cannot run is refused."""

import keras
import numpy as np
import pytest
from decoders_of_all_builders import BUILDERS

from sparsevae.report.decoder_program import decoder_program, packed, unpacked
from sparsevae.report.latent_explorer import latent_explorer
from sparsevae.report.trained_model import TrainedModel
from sparsevae.sparsity import harden


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_numbers_come_back(share):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(13, 7)) * (rng.random((13, 7)) < share)
    content = packed(values)
    assert ("bits" in content) == (share < 0.5)
    np.testing.assert_allclose(unpacked(content), values.ravel(), rtol=1e-3, atol=1e-6)


def test_what_float16_cannot_hold_is_refused():
    for value in (1e6, np.nan):
        with pytest.raises(ValueError, match="float16"):
            packed(np.array([value]))


@pytest.mark.parametrize("name", BUILDERS)
def test_decoders_of_all_builders_are_chains_of_known_steps(name):
    vae = BUILDERS[name](gate="binary")
    program = decoder_program(harden(vae).decoder, "sigmoid")
    assert program["latent_dim"] == vae.latent_dim
    assert program["image_shape"] == list(vae.image_shape)
    kinds = {step["kind"] for step in program["steps"]}
    expected = {"conv": {"transposed"}, "mlp": {"dense"}, "sparse_decoding": {"mix", "read"}}
    assert expected[name] <= kinds
    assert program["steps"][-1] == {"kind": "activation", "activation": "sigmoid"}


def test_what_a_page_cannot_run_is_refused_by_name():
    z = keras.Input((3,))
    branches = keras.Model(z, keras.layers.Add()([keras.layers.Dense(2)(z)] * 2))
    with pytest.raises(ValueError, match="add"):
        decoder_program(branches, "linear")
    with pytest.raises(ValueError, match="'softmax'"):
        decoder_program(keras.Model(z, keras.layers.Dense(2, "softmax")(z)), "linear")


def explored(limit=4_000_000):
    vae = BUILDERS["mlp"]()
    codes = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    images = np.zeros((0, 6, 5, 1), np.uint8)
    model = TrainedModel(vae, harden(vae), "model.keras", images, codes, None, [])
    return latent_explorer(model, limit)


def test_a_decoder_that_is_too_large_becomes_pictures():
    assert "program" in explored() and "in JavaScript" in explored()["how"]
    found = explored(limit=100)
    assert "program" not in found and "MB of the page" in found["how"]
    assert len(found["grid"]["values"]) == 13
    assert all(sheet.startswith("data:image/png") for sheet in found["grid"]["sheets"])
