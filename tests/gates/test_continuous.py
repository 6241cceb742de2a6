"""The continuous mask: exact zeros, and a price that no rescaling can lower."""

import keras
import numpy as np
import pytest
from all_gates import array, set_parameter
from derivatives import gradients
from keras import ops

from sparsevae.gates import Continuous


def gate_at(values, **arguments):
    gate = Continuous(seed=0, **arguments)
    gate.build(np.shape(values))
    set_parameter(gate, values)
    return gate


@pytest.mark.parametrize("training", [False, True])
def test_values_up_to_the_threshold_are_exactly_zero(training):
    values = np.array([[0.0, 0.05, 0.0999, 0.1001, 0.5, 1.0]], "float32")
    mask = array(gate_at(values, threshold=0.1).mask(training=training))
    np.testing.assert_array_equal(mask, np.where(values > 0.1, values, 0))


def test_a_cut_link_still_feels_the_gradient_of_its_mask():
    gate = gate_at([[0.05, 0.5]])
    (found,) = gradients(lambda: ops.sum(gate.mask(training=True)), gate.trainable_variables)
    np.testing.assert_array_equal(found, 1)


@pytest.fixture
def links():
    """Masks M (30, 1) and kernels K (4, 30, 1), a window of four weights a link."""
    rng = np.random.default_rng(0)
    return rng.uniform(0.2, 1, (30, 1)), rng.normal(size=(4, 30, 1)) * 0.3


def cost(mask, kernel):
    return array(gate_at(mask).cost(np.square(kernel).sum(0).astype("float32")))


def test_cost_is_at_least_the_norm_of_the_product_for_any_rescaling(links):
    mask, kernel = links
    norm = mask * np.sqrt(np.square(kernel).sum(0))  # of K * M, the same for every t below
    for t in np.geomspace(1, 20, 30):
        assert (cost(mask / t, kernel * t) >= norm * (1 - 1e-5)).all()


def test_cost_of_a_balanced_link_is_the_norm_of_the_product(links):
    mask, kernel = links
    norms = np.sqrt(np.square(kernel).sum(0))
    t = np.sqrt(mask / norms)  # (K t) and (M / t) have the same norm
    np.testing.assert_allclose(cost(mask / t, kernel * t), mask * norms, rtol=1e-5)


def test_gradient_of_the_cost_is_that_of_half_the_squares(links):
    mask, kernel = links
    gate = gate_at(mask)
    energy = ops.convert_to_tensor(np.square(kernel).sum(0).astype("float32"))
    (found,) = gradients(lambda: ops.sum(gate.cost(energy)), gate.trainable_variables)
    np.testing.assert_allclose(found, mask, rtol=1e-6)


class Product(keras.layers.Layer):
    """Linear regression on K * M with the gate's own price."""

    def __init__(self, gate, strength):
        super().__init__()
        self.gate, self.strength = gate, strength

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 1), initializer="random_normal")
        self.gate.build((input_shape[-1], 1))

    def call(self, x, training=False):
        self.add_loss(self.strength * ops.sum(self.gate.cost(ops.square(self.kernel))))
        return ops.matmul(x, self.gate(self.kernel, training=training))


def test_sparse_regression_finds_exactly_the_true_links():
    rng = np.random.default_rng(0)
    true = np.zeros((20, 1))
    true[:6, 0] = [1.5, -1.0, 0.8, -2.0, 0.6, 1.2]
    x = rng.normal(size=(200, 20))
    y = x @ true + 0.05 * rng.normal(size=(200, 1))
    keras.utils.set_random_seed(0)
    layer = Product(Continuous(seed=0), strength=0.1)
    model = keras.Sequential([keras.Input((20,)), layer])
    on_jax = keras.backend.backend() == "jax"  # elsewhere compiling takes longer than the steps
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=on_jax)
    n_steps = 400
    model.fit(
        np.tile(x, (n_steps, 1)), np.tile(y, (n_steps, 1)), batch_size=200, shuffle=False, verbose=0
    )
    found = array(layer.gate(layer.kernel))
    np.testing.assert_array_equal(found != 0, true != 0)
    np.testing.assert_allclose(found, true, atol=0.15)  # L1 shrinks
