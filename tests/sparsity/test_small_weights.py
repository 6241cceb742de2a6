"""The naive baseline: counting and cutting small weights."""

import keras
import numpy as np
import pytest

from sparsevae import sparsity
from sparsevae.layers import GatedDense


@pytest.fixture
def model():
    """first: |w| of 0 to 7 tenths; second, nested: 0.35 twice and 9; BatchNorm and biases."""
    first = keras.layers.Dense(2, name="first")
    second = keras.layers.Dense(3, name="second")
    norm = keras.layers.BatchNormalization()
    inner = keras.Sequential([keras.Input((1,)), second], name="inner")
    inputs = keras.Input((4,))
    narrow = keras.layers.Reshape((2, 1))(norm(first(inputs)))
    model = keras.Model(inputs, inner(narrow))
    first.kernel.assign(np.arange(8).reshape(4, 2) / 10 * [[1, -1]])
    second.kernel.assign([[0.35, -0.35, 9.0]])
    first.bias.assign([0.01, -0.01])
    return model


def test_share_below_by_hand(model):
    share = sparsity.share_below(model, 0.34)
    assert share == pytest.approx({"all": 4 / 11, "first": 4 / 8, "second": 0})
    assert sparsity.share_below(model, 0.36)["second"] == pytest.approx(2 / 3)
    assert sparsity.share_below(model, 0.0)["all"] == 0  # below, not at
    assert sparsity.share_below(model, 100.0)["all"] == 1


def test_cut_below_zeroes_those_weights_and_nothing_else(model):
    first, second = model.get_layer("first"), model.get_layer("inner").get_layer("second")
    others = [np.asarray(w).copy() for w in model.weights if w.name != "kernel"]
    sparsity.cut_below(model, 0.34)
    expected = np.arange(8).reshape(4, 2) / 10 * [[1, -1]]
    expected[np.abs(expected) < 0.34] = 0
    np.testing.assert_allclose(np.asarray(first.kernel), expected, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(second.kernel), [[0.35, -0.35, 9.0]])
    after = [np.asarray(w) for w in model.weights if w.name != "kernel"]
    for old, new in zip(others, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert (np.asarray(first.kernel) == 0).mean() == sparsity.share_below(model, 1e-9)["first"]


def test_layers_of_one_name_in_two_nested_models_are_both_counted_and_cut():
    parts = [
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="same")], name=name)
        for name in "ab"
    ]
    model = keras.Sequential([keras.Input((4,)), *parts])
    parts[0].layers[0].kernel.assign(np.full((4, 4), 0.1))
    parts[1].layers[0].kernel.assign(np.full((4, 4), 2.0))
    assert sparsity.share_below(model, 1.0) == {"all": 0.5, "same": 1.0, "same_1": 0.0}
    sparsity.cut_below(model, 3.0)
    assert not any(np.asarray(part.layers[0].kernel).any() for part in parts)


def test_gated_layers_are_counted_by_their_raw_kernels():
    layer = GatedDense(4, name="gated")
    model = keras.Sequential([keras.Input((4,)), layer])
    layer.kernel.assign(np.eye(4))
    assert sparsity.share_below(model, 0.5) == {"all": 0.75, "gated": 0.75}


@pytest.mark.parametrize("threshold", [-0.1, float("nan")])
def test_bad_thresholds_are_refused(model, threshold):
    for function in (sparsity.share_below, sparsity.cut_below):
        with pytest.raises(ValueError, match="`threshold`"):
            function(model, threshold)
