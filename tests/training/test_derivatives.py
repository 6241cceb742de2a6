"""Gradients outside of a step: closed forms, and nothing changes."""

import keras
import numpy as np
from keras import ops

from sparsevae.training import double_precision, gradients


def test_gradients_are_the_closed_form_and_0_where_nothing_depends_on_a_variable():
    square, cube, other = (keras.Variable([v, 2.0 * v]) for v in (1.5, -2.0, 7.0))
    found = gradients(lambda: ops.sum(square**2 + cube**3), [square, cube, other])
    np.testing.assert_allclose(found, [[3.0, 6.0], [12.0, 48.0], [0.0, 0.0]], rtol=1e-6)


def test_what_the_function_assigns_is_forgotten():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(8, 4)).astype("float32")
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1)]
    )
    before = [np.array(v) for v in model.variables]
    gamma = model.layers[0].gamma
    first = gradients(lambda: ops.sum(model(x, training=True) ** 2), [gamma])
    assert np.abs(first).min() > 0
    np.testing.assert_array_equal(
        gradients(lambda: ops.sum(model(x, training=True) ** 2), [gamma]), first
    )
    for now, then in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(now), then)


def test_float64_is_kept_in_double_precision():
    with double_precision():
        huge = keras.Variable(np.array([1e100]), dtype="float64")
        found = gradients(lambda: ops.sum(huge**2), [huge])
    assert found[0].dtype == np.float64
    np.testing.assert_allclose(found[0], [2e100])
