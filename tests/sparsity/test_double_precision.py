"""Gates and controls in models of float64: masks stay float32, nothing else is rounded to it."""

import keras
import numpy as np
import pytest
from all_gates import MAKERS, NAMES
from keras import layers, ops

import sparsevae as sv
from sparsevae import gates, sparsity

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras's dense layers give float32 on JAX"
)
X = np.random.default_rng(0).normal(size=(16, 6, 6, 2))
CONTROLS = {
    "strength": lambda **more: sparsity.Strength(1.0, (1, 2), 3, **more),
    "target_density": lambda **more: sparsity.TargetDensity(0.5, (1, 2), 3, **more),
    "target_of_layers": lambda **more: sparsity.TargetDensity(0.5, (1, 2), 3, "layer", **more),
    "distortion": lambda **more: sparsity.Distortion(3.0, (1, 2), **more),
    "magnitude": lambda **more: sparsity.MagnitudePruning(0.5, 1, 3, 1, "global", **more),
    "top_k": lambda **more: sparsity.TopK(0.5, 1, 3, **more),
    "rigl": lambda **more: sparsity.RigL(0.5, 0, 3, 1, **more),
    "set": lambda **more: sparsity.SET(0.5, 0, 3, 1, **more),
    "fixed_mask": lambda **more: sparsity.FixedMask(0.5, **more),
}
SOFT = ("annealed_sigmoid", "hard_concrete_mean")  # by whose masks kernels are divided
TRACED = ("target_density", "magnitude", "rigl")  # the others take the same ways


@pytest.fixture(autouse=True)
def double(precision):
    precision("float64", "float64")


def model():
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2DTranspose(3, 3, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def outputs(model):
    """At test, float64."""
    found = ops.convert_to_numpy(model(X, training=False))
    assert found.dtype == "float64"
    return found


def gate(name):
    """A gate of that name for each layer; a given mask is all ones."""
    if name != "fixed":
        return MAKERS[name]()
    return lambda layer: gates.Fixed(np.ones(layer.kernel.shape[-2:])) if _dense(layer) else None


def _dense(layer):
    return isinstance(layer, layers.Dense)


@pytest.mark.parametrize("name", NAMES)
def test_new_gates_change_no_output_and_folded_ones_none(name):
    stock = model()
    sparse = sv.sparsify(stock, gate(name))
    exact = name not in SOFT
    found = outputs(sparse)
    np.testing.assert_allclose(found, outputs(stock), rtol=0, atol=0 if exact else 1e-14)
    np.testing.assert_array_equal(outputs(sv.harden(sparse)), found)


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_controls_act_and_the_outcome_is_folded(name):
    check(CONTROLS[name](granularity="channels"), run_eagerly=True)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in TRACED else pytest.mark.slow) for n in CONTROLS]
)
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_they_do_where_the_step_is_traced(name):
    check(CONTROLS[name](granularity="links"), run_eagerly=False)


def check(control, run_eagerly):
    sparse = sv.sparsify(model(), control=control)
    sparse.compile("adam", "mse", run_eagerly=run_eagerly)
    sparse.fit(X, X[:, 0, 0], batch_size=4, verbose=0)
    assert sparse.control.n_steps == 4
    assert all(
        w.dtype == "float64" for layer in sparse.gated_layers for w in layer.switched_weights
    )
    for small in (sv.harden(sparse), sv.compact(sparse)):
        np.testing.assert_allclose(outputs(small), outputs(sparse), rtol=0, atol=1e-12)
