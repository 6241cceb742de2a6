import keras
import numpy as np
import pytest

from sparsevae import models

SHAPE = (8, 8, 1)


@pytest.fixture(autouse=True)
def float32_policy():
    """Every test begins and ends under float32."""
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def images():
    """Squares of 4 x 4 pixels anywhere in 8 x 8, uint8 `(64, 8, 8, 1)`."""
    rng = np.random.default_rng(0)
    images = np.zeros((64, *SHAPE), np.uint8)
    for image, (row, column) in zip(images, rng.integers(0, 5, (64, 2)), strict=True):
        image[row : row + 4, column : column + 4] = 255
    return images


@pytest.fixture(scope="session")
def make_vae():
    """A compiled VAE of a few thousand weights, 8 gated layers if gated."""

    def make(gate=None, *, eager=False, rate=1e-3, jit_compile=False, compile=None, **kwargs):
        vae = models.mlp_vae(SHAPE, 3, gate=gate, hidden=16, **kwargs)
        vae.compile(
            keras.optimizers.Adam(rate),
            run_eagerly=eager,
            jit_compile=jit_compile,
            **(compile or {}),
        )
        return vae

    return make


@pytest.fixture(scope="session")
def values():
    """All variables of a model and its optimizers as arrays, in order of creation."""

    def values(vae):
        groups = (vae.variables, vae.optimizer.variables, vae.gate_optimizer.variables)
        return [np.array(variable.numpy()) for group in groups for variable in group]

    return values
