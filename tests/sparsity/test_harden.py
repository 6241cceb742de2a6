"""Hardening: stock layers only, the same outputs, the original left alone."""

import keras
import numpy as np
import pytest
from all_gates import MAKERS, NAMES, array, spread
from all_layers import GRANULARITIES, ONE_OF_EACH, WAYS, made

from sparsevae import gates, sparsity
from sparsevae.layers import GatedConv2D, GatedConv2DTranspose, GatedDense

IMAGES = np.random.default_rng(0).normal(size=(3, 6, 6, 2)).astype("float32")


def gate(name, seed, shape):
    if name == "fixed":
        return gates.Fixed(np.random.default_rng(seed).integers(0, 2, shape))
    return MAKERS[name](seed)


def branching(name, **more):
    """A functional model with a nested Sequential one, two branches and stock layers."""
    inputs = keras.Input((6, 6, 2))
    x = GatedConv2D(3, 3, strides=2, activation="relu", gate=gate(name, 0, (2, 3)), **more)(inputs)
    left = GatedConv2DTranspose(2, 2, strides=2, gate=gate(name, 1, (3, 2)), **more)(x)
    inner = [keras.layers.Flatten(), GatedDense(16, gate=gate(name, 2, (12, 16)), **more)]
    inner += [keras.layers.Reshape((4, 4, 1))]
    right = keras.Sequential([keras.Input((2, 2, 3)), *inner], name="inner")(x)
    both = keras.layers.Concatenate()([right, left])
    both = keras.layers.BatchNormalization(**more)(both)
    dense = GatedDense(2, use_bias=False, gate=gate(name, 3, (3, 2)), **more)(both)
    model = keras.Model(inputs, [keras.layers.Dense(1, **more)(dense), dense])
    return randomized(model)


def randomized(model):
    """Biases, statistics and gates away from their start."""
    rng = np.random.default_rng(5)
    for weight in model.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(rng.normal(size=weight.shape))
    for number, layer in enumerate(sparsity.gated_layers(model)):
        spread(layer.gate, number)
    return model


def check_hardened(model, x, **tolerance):
    before = [array(weight) for weight in model.weights]
    stock = sparsity.harden(model)
    every = [layer for layer in stock._flatten_layers() if layer is not stock]
    assert all(type(layer).__module__.startswith("keras.") for layer in every)
    assert sparsity.gated_layers(stock) == []
    for old, new in zip(keras.tree.flatten(model(x)), keras.tree.flatten(stock(x)), strict=True):
        np.testing.assert_allclose(array(new), array(old), **tolerance)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(array(weight), value)
    assert not {id(w) for w in model.weights} & {id(w) for w in stock.weights}
    return stock


@pytest.mark.parametrize("name", NAMES)
def test_functional_model_with_branches_and_nesting(name):
    model = branching(name)
    stock = check_hardened(model, IMAGES, rtol=1e-5, atol=1e-5)
    assert [layer.name for layer in stock.layers[1:]] == [la.name for la in model.layers[1:]]


@pytest.mark.parametrize("name", NAMES)
def test_sequential_model(name):
    layers = [GatedDense(5, gate=gate(name, 0, (6, 5))), keras.layers.ReLU()]
    model = keras.Sequential([keras.Input((6,)), *layers, GatedDense(2)])
    stock = check_hardened(randomized(model), IMAGES[0, 0].reshape(2, 6), rtol=1e-6, atol=1e-6)
    assert type(stock) is keras.Sequential


@pytest.mark.parametrize(("name", "granularity"), WAYS)
def test_every_layer_folds_to_its_stock_layer_exactly(name, granularity):
    layer, x = made(name, granularity=granularity)
    model = randomized(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    stock = check_hardened(model, x, rtol=0, atol=0)
    assert type(stock.layers[0]) is layer.stock_class


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_every_layer_folds_in_mixed_precision(name, granularity):
    layer, x = made(name, granularity=granularity, dtype="mixed_bfloat16")
    model = randomized(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    check_hardened(model, x, rtol=0, atol=0)


def test_closed_links_are_zeros_and_kernels_are_the_products():
    model = randomized(keras.Sequential([keras.Input((6,)), GatedDense(5, gate="hard_concrete")]))
    layer, stock = model.layers[0], sparsity.harden(model).layers[0]
    mask = array(layer.gate.mask())
    np.testing.assert_array_equal(array(stock.kernel), array(layer.kernel) * mask)
    assert (array(stock.kernel) == 0).sum() == (mask == 0).sum() > 0


def test_models_two_deep_and_shared_layers():
    shared = GatedDense(4, name="shared")
    deep = keras.Sequential([keras.Input((4,)), keras.Sequential([shared]), shared], name="deep")
    inputs = keras.Input((4,))
    model = randomized(keras.Model(inputs, shared(deep(inputs))))
    stock = check_hardened(model, np.ones((2, 4), "float32"), rtol=1e-5, atol=1e-6)
    assert len(stock.weights) == 2


def test_random_stock_layers_survive():
    dropout = keras.layers.Dropout(0.5, seed=1)
    model = keras.Sequential([keras.Input((4,)), GatedDense(3), dropout, GatedDense(2)])
    check_hardened(model, np.ones((2, 4), "float32"), rtol=1e-6)


def test_mixed_precision_and_another_dtype():
    model = branching("hard_concrete_median", dtype="mixed_bfloat16")
    stock = sparsity.harden(model)
    assert stock.layers[1].dtype_policy.name == "mixed_bfloat16"
    for old, new in zip(model(IMAGES), stock(IMAGES), strict=True):
        np.testing.assert_array_equal(array(old), array(new))
    wide = sparsity.harden(model, dtype="float32")
    assert all(layer.compute_dtype == "float32" for layer in wide._flatten_layers())
    for old, new in zip(model(IMAGES), wide(IMAGES), strict=True):
        old, new = array(old).astype("float32"), array(new)
        assert new.dtype == np.float32
        np.testing.assert_allclose(new, old, atol=0.05 * np.abs(old).max())


def test_lora_is_merged():
    inputs = keras.Input((6, 6, 2))
    conv = GatedConv2D(3, 3)
    model = keras.Model(inputs, GatedDense(2, lora_rank=2)(conv(inputs)))
    conv.enable_lora(1, lora_alpha=4.0)
    for weight in model.weights:
        if weight.name == "lora_kernel_b":
            weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    stock = check_hardened(randomized(model), IMAGES, rtol=1e-4, atol=1e-4)
    assert len(stock.weights) == 4 and not any(layer.lora_enabled for layer in stock.layers[1:])


def test_gated_layers_inside_other_layers_are_refused():
    class Holder(keras.layers.Layer):
        def __init__(self, layer, **kwargs):
            super().__init__(**kwargs)
            self.layer = layer

        def call(self, x):
            return self.layer(x)

        def get_config(self):
            return {**super().get_config(), "layer": self.layer}

    wrapped = Holder(GatedDense(2, name="hidden"))
    model = keras.Sequential([keras.Input((3, 4)), wrapped])
    with pytest.raises(ValueError, match="hidden"):
        sparsity.harden(model)


def test_subclassed_models_are_refused():
    class Custom(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = GatedDense(2)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(ValueError, match=r"functional or a Sequential.*Custom"):
        sparsity.harden(Custom())


def test_the_file_of_a_folded_model_needs_nothing_of_this_package(tmp_path):
    stock = sparsity.harden(branching("hard_concrete_median"))
    assert "sparsevae" not in stock.to_json()
    stock.save(tmp_path / "stock.keras")
    loaded = keras.models.load_model(tmp_path / "stock.keras")
    np.testing.assert_array_equal(array(loaded(IMAGES)[0]), array(stock(IMAGES)[0]))


@pytest.mark.parametrize("inner", ["layer", "model"])
def test_layers_applied_at_each_time_are_folded(inner):
    gated = GatedDense(3, gate=gates.Fixed(np.eye(4, 3)), name="gated")
    if inner == "model":
        gated = keras.Sequential([keras.Input((4,)), gated])
    model = keras.Sequential([keras.Input((5, 4)), keras.layers.TimeDistributed(gated)])
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    stock = sparsity.harden(model)
    assert not sparsity.gated_layers(stock)
    np.testing.assert_allclose(stock(x), model(x), atol=1e-6)


def test_a_trained_sparse_model_becomes_a_plain_one():
    stock = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model = sparsity.sparsify(stock, control=sparsity.FixedMask(0.5))
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(8, 3))
    model.fit(x, x[:, :2], verbose=0)
    folded = sparsity.harden(model)
    assert not isinstance(folded, sparsity.SparseModel)
    np.testing.assert_allclose(folded(x), model(x, training=False), rtol=1e-6)


@pytest.mark.parametrize("fold", [sparsity.harden, sparsity.compact])
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_frozen_models_and_layers_stay_so(fold):
    inputs = keras.Input((4,))
    inner = keras.Sequential([keras.Input((3,)), GatedDense(3, name="inner")], name="frozen")
    x = inner(GatedDense(3, gate=gates.Fixed(np.eye(4, 3)), name="first")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="last")(x))
    inner.trainable = False
    model.get_layer("last").trainable = False
    small = fold(model)
    assert small.trainable and len(small.trainable_weights) == 2
    model.trainable = False
    small = fold(model)
    assert not small.trainable and not small.get_layer("first").trainable
