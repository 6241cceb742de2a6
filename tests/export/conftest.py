import shutil

import numpy as np
import pytest

from sparsevae import export, models

LATENT_DIM = 4


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(0).integers(0, 256, (256, 16, 16, 1), dtype=np.uint8)


@pytest.fixture(scope="session")
def vae():
    """A gated conv VAE: of each layer a third of the links closed, a third half open."""
    vae = models.conv_vae((16, 16, 1), LATENT_DIM, gate="hard_concrete", seed=2)
    for k, layer in enumerate(vae.gated_layers):
        log_alpha = np.random.default_rng(k).choice([-6, 0.3, 3], layer.gate.mask_shape)
        weight = layer.gate.trainable_variables[0]
        weight.assign(log_alpha / layer.gate.learning_rate_multiplier)
        layer.bias.assign(np.random.default_rng(k).normal(size=layer.bias.shape) / 10)
    return vae


@pytest.fixture(scope="session")
def record():
    return {
        "settings": {"data": "dsprites", "seed": 2},
        "n_steps_planned": 5,
        "data_source": "render",
        "step": 7,
        "elbo": -31.5,
        "scores": {"mig": 0.25},
        "active_latents": 3.0,
        "density": 0.5,
        "name": "not for the card",
    }


@pytest.fixture(scope="session")
def folder(vae, record, tmp_path_factory):
    return export.save(vae, tmp_path_factory.mktemp("saved") / "NAME", record=record)


@pytest.fixture(scope="session")
def encoder(folder):
    return export.load(folder)


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the export that a test may spoil."""
    return shutil.copytree(folder, tmp_path / "copy")
