"""Densities and weights over the gated layers of a model."""

import keras
import numpy as np
import pytest

from sparsevae import gates, sparsity
from sparsevae.layers import GatedConv1D, GatedConv2D, GatedConv2DTranspose, GatedDense
from sparsevae.sparsity.links import WEIGHTINGS, density, layer_weights


def first_open(n_open, shape):
    """A fixed gate whose first `n_open` links are open."""
    return gates.Fixed((np.arange(np.prod(shape)) < n_open).reshape(shape))


@pytest.fixture
def model():
    """Open links: conv 2 of 2 x 3, dense 3 of 3 x 2, up 2 of 2 x 1, head 0 of 1 x 4."""
    inputs = keras.Input((6, 6, 2))
    conv = GatedConv2D(3, 3, name="conv", gate=first_open(2, (2, 3)))
    dense = GatedDense(2, name="dense", gate=first_open(3, (3, 2)))
    inner = keras.Sequential([keras.Input((4, 4, 3)), dense], name="inner")
    up = GatedConv2DTranspose(1, 2, strides=2, name="up", gate=first_open(2, (2, 1)))
    head = GatedDense(4, name="head", gate=first_open(0, (1, 4)))
    stock = keras.layers.Dense(1)
    return keras.Model(inputs, stock(head(up(inner(conv(inputs))))))


def names(found):
    return [layer.name for layer in found]


def test_gated_layers_in_order_nested_ones_too(model):
    assert names(sparsity.gated_layers(model)) == ["conv", "dense", "up", "head"]
    outer = keras.Sequential([keras.Input((6, 6, 2)), model, GatedDense(2, name="last")])
    assert names(sparsity.gated_layers(outer)) == ["conv", "dense", "up", "head", "last"]


def test_gated_layers_inside_other_layers_and_subclassed_models():
    wrapped = keras.layers.TimeDistributed(GatedDense(2, name="wrapped"))

    class Custom(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.rest = GatedDense(3, name="first"), [wrapped]

    assert names(sparsity.gated_layers(Custom())) == ["first", "wrapped"]
    assert sparsity.gated_layers(keras.Sequential([keras.layers.Dense(2)])) == []


def test_a_shared_layer_counts_once():
    shared = keras.Sequential([keras.Input((4,)), GatedDense(4, name="shared")])
    both = keras.Sequential([keras.Input((4,)), keras.Sequential([shared]), shared])
    assert names(sparsity.gated_layers(both)) == ["shared"]


HAND = {  # gates 6, 6, 2, 4; weights behind a gate 9, 1, 4, 1; positions 4x4, 4x4, 4x4, 8x8
    "layers": [1, 1, 1, 1],
    "links": [6, 6, 2, 4],
    "parameters": [54, 6, 8, 4],
    "flops": [54 * 16, 6 * 16, 8 * 16, 4 * 64],
}


def test_every_weighting_is_tested_here():
    assert set(HAND) == set(WEIGHTINGS)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_layer_weights_by_hand(model, weighting):
    weights = layer_weights(sparsity.gated_layers(model), weighting)
    np.testing.assert_allclose(weights, np.divide(HAND[weighting], sum(HAND[weighting])))
    assert sum(weights) == pytest.approx(1)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_weighted_mean_by_hand(model, weighting):
    layers = sparsity.gated_layers(model)
    mean = sparsity.weighted_mean(layers, weighting, lambda layer: layer.gate.support())
    densities = np.divide([2, 3, 2, 0], [6, 6, 2, 4])
    expected = np.average(densities, weights=HAND[weighting])
    assert float(mean) == pytest.approx(expected, rel=1e-6)


def test_a_linear_stack_of_links_weighted_by_links_is_the_share_of_links(model):
    layers = sparsity.gated_layers(model)
    share = sparsity.share_of_links(layers, lambda layer: layer.gate.support())
    assert float(share) == pytest.approx(7 / 18)


def test_flops_need_sizes_and_the_others_do_not():
    model = keras.Sequential([keras.Input((None, None, 2)), GatedConv2D(3, 3, name="free")])
    layers = sparsity.gated_layers(model)
    with pytest.raises(ValueError, match="'free'"):
        layer_weights(layers, "flops")
    for weighting in set(WEIGHTINGS) - {"flops"}:
        assert layer_weights(layers, weighting) == [1]


def test_unknown_weightings_are_refused_with_a_suggestion(model):
    with pytest.raises(ValueError, match="Did you mean 'parameters'"):
        layer_weights(sparsity.gated_layers(model), "parameter")
    with pytest.raises(TypeError, match="must be a string"):
        sparsity.Strength(1.0, weighting=None)


def test_densities_and_masks_by_name(model):
    densities = {name: float(d) for name, d in sparsity.layer_densities(model).items()}
    assert densities == pytest.approx({"conv": 2 / 6, "dense": 3 / 6, "up": 1, "head": 0})
    masks = sparsity.masks(model)
    assert {name: mask.shape for name, mask in masks.items()} == {
        "conv": (2, 3),
        "dense": (3, 2),
        "up": (2, 1),
        "head": (1, 4),
    }
    np.testing.assert_array_equal(masks["conv"], [[1, 1, 0], [0, 0, 0]])


def test_layers_of_one_name_in_two_nested_models_are_both_reported():
    parts = [
        keras.Sequential(
            [keras.Input((4,)), GatedDense(4, name="same", gate=first_open(n, (4, 4)))], name=name
        )
        for name, n in (("a", 4), ("b", 8))
    ]
    model = keras.Sequential([keras.Input((4,)), *parts])
    densities = {name: float(d) for name, d in sparsity.layer_densities(model).items()}
    assert densities == {"same": 0.25, "same_1": 0.5}
    assert list(sparsity.masks(model)) == ["same", "same_1"]


def of_granularity(granularity):
    """One convolution, 3 x 2 x 2 kernel weights over 4 positions, beside a dense layer of 2 x 5.

    The convolution has a quarter of its gates open, the dense layer all.
    """
    shape = {"links": (2, 4), "weights": (6, 4), "channels": (1, 4)}[granularity]
    gate = first_open(np.prod(shape) // 4, shape)
    conv = GatedConv1D(4, 3, name="conv", gate=gate, granularity=granularity)
    dense = GatedDense(5, name="dense", gate=first_open(20, (4, 5)))
    return keras.Sequential([keras.Input((6, 2)), conv, dense])


@pytest.mark.parametrize("granularity", ["links", "weights", "channels"])
def test_weights_of_layers_of_any_granularity_by_hand(granularity):
    layers = sparsity.gated_layers(of_granularity(granularity))
    n_links = 24 if granularity == "weights" else 8  # there each weight is a link
    by_hand = {
        "layers": [1, 1],
        "links": [n_links, 20],
        "parameters": [24, 20],
        "flops": [24 * 4, 20 * 4],
    }
    for weighting in WEIGHTINGS:
        expected = np.divide(by_hand[weighting], sum(by_hand[weighting]))
        np.testing.assert_allclose(layer_weights(layers, weighting), expected)
    share = sparsity.share_of_links(layers, lambda layer: layer.gate.support())
    assert float(share) == pytest.approx((n_links / 4 + 20) / (n_links + 20))
    assert float(density(layers)) == pytest.approx(float(share))
    assert float(sparsity.layer_densities(of_granularity(granularity))["conv"]) == 0.25


def test_masks_of_weights_are_shares_of_windows_and_those_of_channels_are_spread():
    masks = sparsity.masks(of_granularity("weights"))  # the first 6 of 3 x 2 x 4 weights
    np.testing.assert_allclose(masks["conv"], np.divide([[1, 1, 1, 1], [1, 1, 0, 0]], 3), rtol=1e-6)
    masks = sparsity.masks(of_granularity("channels"))
    np.testing.assert_array_equal(masks["conv"], [[1, 0, 0, 0]] * 2)
