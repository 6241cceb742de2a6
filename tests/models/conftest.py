import keras
import numpy as np
import pytest

from sparsevae import SparseVAE, gates
from sparsevae.layers import GatedDense

SHAPE = (8, 8, 1)
LATENT_DIM = 3


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


def _dense(units, gate, seed, name, regularizer, **kwargs):
    kwargs |= {
        "kernel_initializer": keras.initializers.GlorotUniform(seed),
        "kernel_regularizer": regularizer,
        "name": name,
    }
    gate = gate.get(name) if isinstance(gate, dict) else gate
    if gate is None:
        return keras.layers.Dense(units, **kwargs)
    gate = gates.get(gate, seed) if isinstance(gate, str) else gate.fresh(seed)
    return GatedDense(units, gate=gate, **kwargs)


@pytest.fixture(scope="session")
def make_vae():
    """A compiled VAE of three dense layers, `mean`, `log_var` and `image`: quick to trace.

    `gate` is a name, a gate to copy for each layer, or a dict of these by name of layer.
    """

    def make(
        gate=None, *, eager=False, rate=1e-3, seed=0, regularizer=None, compile=None, **kwargs
    ):
        x = keras.Input(SHAPE)
        flat = keras.layers.Flatten()(x)
        common = {"gate": gate, "regularizer": regularizer}
        heads = [
            _dense(LATENT_DIM, seed=10 * seed + k, name=name, dtype="float32", **common)(flat)
            for k, name in enumerate(("mean", "log_var"))
        ]
        z = keras.Input((LATENT_DIM,))
        flat = _dense(64, seed=10 * seed + 2, name="image", **common)(z)
        decoder = keras.Model(z, keras.layers.Reshape(SHAPE)(flat))
        if kwargs.get("control") is not None:  # one for each model
            control = kwargs["control"]
            kwargs["control"] = type(control).from_config(control.get_config())
        vae = SparseVAE(keras.Model(x, heads), decoder, seed=seed, **kwargs)
        vae.compile(keras.optimizers.Adam(rate), run_eagerly=eager, **(compile or {}))
        return vae

    return make


@pytest.fixture(scope="session")
def values():
    """All variables of a model and its optimizer as arrays, in order of creation.

    Metrics are left out: they are reset whenever they are used.
    """

    def values(vae):
        metrics = {id(v) for metric in vae.metrics for v in metric.variables}
        groups = (vae.variables, vae.optimizer.variables)
        return [np.array(v.numpy()) for group in groups for v in group if id(v) not in metrics]

    return values
