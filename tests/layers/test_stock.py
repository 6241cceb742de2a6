"""From stock layers to gated ones: which, with what settings, with which weights."""

import keras
import numpy as np
import pytest
from all_gates import array
from all_layers import CASES, GRANULARITIES, ONE_OF_EACH, kernel_of, mask_shape

from sparsevae import gates, layers

RNG = np.random.default_rng(0)
GATES = {
    "open": lambda: gates.HardConcrete(seed=0),
    "half_open": lambda: gates.HardConcrete(seed=0, initial_density=0.6),
    "drawn": lambda: gates.Binary(seed=0),
    "soft": lambda: gates.AnnealedSigmoid(seed=0),
}


def stock_layer(name, **more):
    """A built stock layer with random weights, and inputs."""
    (_, stock_class), arguments, shape = CASES[name]
    stock = stock_class(**arguments, **more)
    stock.build((None, *shape[1:]))
    for weight in stock.weights:
        weight.assign(RNG.normal(size=weight.shape))
    return stock, RNG.normal(size=shape).astype("float32")


def gated_copy(stock, x, **arguments):
    gated = layers.from_stock(stock, **arguments)
    assert not gated.built
    gated.build((None, *x.shape[1:]))
    layers.copy_stock_weights(stock, gated)
    return gated


@pytest.mark.parametrize("name", CASES)
def test_every_stock_class_has_its_gated_class(name):
    (gated_class, stock_class), arguments, _ = CASES[name]
    stock = stock_class(**arguments)
    assert layers.gated_class(stock) is gated_class
    assert layers.why_not_gated(stock) is None


class Mine(keras.layers.Dense):
    pass


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Mine(3), "Mine"),
        (keras.layers.Embedding(3, 2), "Embedding"),
        (keras.layers.DepthwiseConv2D(3), "DepthwiseConv2D"),
        (layers.GatedDense(3), "GatedDense"),
        (keras.layers.Conv2D(4, 3, groups=2), "groups=2"),
        (keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3)), "abc,cde->abde"),
        (keras.layers.Dense(3, dtype="int8_from_float32"), "int8"),
    ],
)
def test_others_have_none_and_the_reason_is_told_in_a_line(layer, reason):
    assert layers.gated_class(layer) is None
    assert reason in layers.why_not_gated(layer) and "\n" not in layers.why_not_gated(layer)
    with pytest.raises(ValueError, match=f"{reason}.*{layer.name}"):
        layers.from_stock(layer)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_settings_are_those_of_the_stock_layer(name):
    (gated_class, stock_class), arguments, _ = CASES[name]
    kernel = "pointwise" if "separable" in name else "kernel"
    more = {
        f"{kernel}_initializer": keras.initializers.HeNormal(seed=3),
        f"{kernel}_regularizer": keras.regularizers.L2(0.1),
        f"{kernel}_constraint": "non_neg",
        "bias_initializer": "ones",
        "activity_regularizer": "l1",
        "name": "mine",
        "trainable": False,
        "dtype": "mixed_bfloat16",
    }
    stock = stock_class(**arguments, **more)
    gate = gates.Binary(seed=0)
    gated = layers.from_stock(stock, gate, "channels")
    assert type(gated) is gated_class and gated.gate is gate and gated.granularity == "channels"
    assert gated.stock_config() == stock.get_config()


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("gate", GATES)
def test_a_copy_does_what_the_stock_layer_does_until_its_gate_learns(name, granularity, gate):
    stock, x = stock_layer(name)
    before = stock.get_weights()
    gated = gated_copy(stock, x, gate=GATES[gate](), granularity=granularity)
    expected = array(stock(x))
    tolerance = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(array(gated(x, training=False)), expected, **tolerance)
    gated.hold()  # as a control does that begins with open gates: no second time
    np.testing.assert_allclose(array(gated(x, training=False)), expected, **tolerance)
    gated.gate.set_phase(0.0, 0.0)
    np.testing.assert_allclose(array(gated(x, training=True)), expected, **tolerance)
    for weight, value in zip(stock.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)
    held = array(kernel_of(gated))
    gated.release()
    scale = gated.gate.initial_test_mask / gated.gate.initial_mask
    np.testing.assert_allclose(array(kernel_of(gated)), held * scale, rtol=1e-5)


def test_weights_of_closed_links_stay():
    stock, x = stock_layer("conv")
    mask = RNG.integers(0, 2, mask_shape("conv"))
    gated = gated_copy(stock, x, gate=gates.Fixed(mask))
    np.testing.assert_array_equal(array(gated.kernel), array(stock.kernel))


@pytest.mark.parametrize("name", ["dense", "conv", "einsum_swapped"])
@pytest.mark.parametrize("gate", ["open", "half_open"])
def test_lora_stays_on(name, gate):
    stock, x = stock_layer(name)
    stock.enable_lora(2, lora_alpha=3.0)
    stock.lora_kernel_b.assign(RNG.normal(size=stock.lora_kernel_b.shape))
    gated = gated_copy(stock, x, gate=GATES[gate]())
    np.testing.assert_allclose(array(gated(x)), array(stock(x)), rtol=1e-4, atol=1e-5)
    assert gated.lora_enabled and not gated._kernel.trainable
    np.testing.assert_array_equal(array(gated.lora_kernel_b), array(stock.lora_kernel_b))


def test_a_frozen_layer_stays_frozen():
    stock, x = stock_layer("conv")
    stock.trainable = False
    gated = gated_copy(stock, x)
    assert keras.Sequential([keras.Input(x.shape[1:]), stock]).trainable_variables == []
    assert keras.Sequential([keras.Input(x.shape[1:]), gated]).trainable_variables == []


def test_a_stock_layer_does_not_feel_that_the_gated_one_trains():
    """On JAX, whose `fit` gives arrays away, they must not share any."""
    stock = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    gated = layers.from_stock(stock.layers[0], gate="pruned")
    model = keras.Sequential([keras.Input((3,)), gated])
    layers.copy_stock_weights(stock.layers[0], gated)
    x, before = np.ones((8, 3), "float32"), [np.array(w) for w in stock.get_weights()]
    model.compile("sgd", "mse")
    model.fit(x, x[:, :2], verbose=0)
    for weight, value in zip(stock.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)
