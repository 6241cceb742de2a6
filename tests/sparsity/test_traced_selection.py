"""Exactly so many of the largest, against sorting; traced as eager."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sparsevae import gates, sparsity
from sparsevae.sparsity.selection import largest

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="traced by TensorFlow"
)
RNG = np.random.default_rng(0)
SCORES = {
    "normal": RNG.normal(size=(6, 9)),
    "many equal": RNG.integers(-2, 3, size=60),
    "all equal": np.zeros(7),
    "one": np.array([3.0]),
    "both zeros": np.array([0.0, -0.0, 0.0, -0.0, 1.0]),
    "the smallest numbers": np.array([1e-45, 0.0, 3e-45, -1e-45, 1e-38]),
    "all that floats have": np.array([-np.inf, -3e38, -1.0, 0.0, 1e-30, 3e38, np.inf]),
}


def by_sorting(scores, n):
    """1 at the `n` largest, among equals the first."""
    flat = scores.reshape(-1) + 0.0
    order = np.lexsort((np.arange(flat.size), -flat))
    mask = np.zeros(flat.size)
    mask[order[:n]] = 1
    return mask.reshape(scores.shape)


def dense_model(units, control):
    """A sparse model of dense layers, of 24 links, or of 40, 20 and 12."""
    inputs = x = keras.Input((8,))
    for n in (*units, 3):
        x = keras.layers.Dense(n)(x)
    model = sparsity.sparsify(keras.Model(inputs, x), control=control)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("name", SCORES)
def test_largest_is_what_sorting_finds_for_every_number(name):
    scores = SCORES[name].astype("float32")
    traced = tf.function(largest, autograph=False)
    for n in np.unique(np.linspace(0, scores.size, 12, dtype=int)):
        np.testing.assert_array_equal(largest(scores, n), by_sorting(scores, n))
        found = traced(tf.constant(scores), tf.constant(n))
        np.testing.assert_array_equal(found, by_sorting(scores, n))


@pytest.mark.parametrize("scope", ["layer", "global", "erk"])
@pytest.mark.parametrize("units", [(), (5, 4)], ids=["one layer", "three layers"])
def test_a_traced_step_of_top_k_keeps_the_largest_weights(scope, units):
    control = sparsity.TopK(0.25, begin=0, end=1, scope=scope)
    model = dense_model(units, control)
    kernels = [layer.kernel.numpy().copy() for layer in model.gated_layers]
    tf.function(lambda: model.end_step(1.0), autograph=False)()
    masks = [layer.gate.mask().numpy() for layer in model.gated_layers]
    if scope == "global":
        sizes = [np.abs(kernel).reshape(-1) for kernel in kernels]
        want = by_sorting(np.concatenate(sizes), round(0.25 * sum(map(len, sizes))))
        np.testing.assert_array_equal(np.concatenate([m.reshape(-1) for m in masks]), want)
    for kernel, mask, layer in zip(kernels, masks, model.gated_layers, strict=True):
        assert isinstance(layer.gate, gates.Pruned)
        np.testing.assert_array_equal(mask, by_sorting(np.abs(kernel), int(mask.sum())))
        np.testing.assert_array_equal(layer.kernel.numpy(), kernel * mask)
    assert sum(mask.sum() for mask in masks) == round(0.25 * sum(mask.size for mask in masks))


@pytest.mark.parametrize("units", [(), (5, 4)], ids=["one layer", "three layers"])
@pytest.mark.parametrize("scope", ["model", "layer"])
def test_the_last_cut_of_a_target_leaves_the_most_open_gates(scope, units):
    control = sparsity.TargetDensity(0.25, ramp=(0, 0), freeze=1, scope=scope)
    model = dense_model(units, control)
    scores = []
    for layer in model.gated_layers:
        layer.gate.trainable_variables[0].assign(RNG.normal(size=layer.gate.mask_shape))
        scores.append(np.asarray(layer.gate.score()))
    model.end_step(1.0)
    masks = [layer.gate.support().numpy() for layer in model.gated_layers]
    if scope == "model":
        scores = [np.concatenate([s.reshape(-1) for s in scores])]
        masks = [np.concatenate([m.reshape(-1) for m in masks])]
    for score, mask in zip(scores, masks, strict=True):
        np.testing.assert_array_equal(mask, by_sorting(score, round(0.25 * mask.size)))
