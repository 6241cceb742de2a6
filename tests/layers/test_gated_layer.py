"""What a gated layer adds to the stock layer."""

import keras
import numpy as np
import pytest
from all_gates import MAKERS, NAMES, STOCHASTIC, array, spread
from all_layers import (
    GRANULARITIES,
    ONE_OF_EACH,
    made,
    mask_shape,
)

from sparsevae import gates
from sparsevae.layers import (
    GatedConv2D,
    GatedConv2DTranspose,
    GatedDense,
)

each_layer = pytest.mark.parametrize("name", ONE_OF_EACH)
each_granularity = pytest.mark.parametrize("granularity", GRANULARITIES)


@each_layer
@pytest.mark.parametrize("gate_name", NAMES)
def test_config_round_trip(name, gate_name):
    granularity = GRANULARITIES[NAMES.index(gate_name) % 3]
    if gate_name == "fixed":
        gate = gates.Fixed(np.eye(*mask_shape(name, granularity)))
    else:
        gate = MAKERS[gate_name]()
    layer, x = made(name, gate, granularity=granularity)
    assert layer.get_config()["granularity"] == granularity
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.gate is not layer.gate
    copy.build((None, *x.shape[1:]))
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(array(copy(x)), array(layer(x)))


@each_layer
@pytest.mark.parametrize("gate_name", STOCHASTIC)
def test_random_in_training_deterministic_at_inference(name, gate_name):
    layer, x = made(name, MAKERS[gate_name]())
    spread(layer.gate)
    np.testing.assert_array_equal(array(layer(x)), array(layer(x)))
    np.testing.assert_array_equal(array(layer(x)), array(layer(x, training=False)))
    assert (array(layer(x, training=True)) != array(layer(x, training=True))).any()
    layer.gate.set_phase(0.0, 0.0)
    fixed = array(layer(x, training=True))
    np.testing.assert_allclose(fixed, array(layer(x)), rtol=1e-5, atol=1e-6)


def test_fit_draws_anew_at_every_step_and_repeats_with_the_seed():
    def trained():
        keras.utils.set_random_seed(0)
        layers = [GatedDense(3, gate=gates.HardConcrete(seed=0)), GatedDense(1, gate="binary")]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile("sgd", "mse", jit_compile=keras.backend.backend() == "jax")
        x = np.random.default_rng(0).normal(size=(20, 4))
        model.fit(x, x[:, :1], batch_size=4, verbose=0)
        return model.get_weights(), int(layers[0].gate.n_draws)

    (first, n_draws), (second, _) = trained(), trained()
    assert n_draws == 5  # one draw for each step
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_hold_and_begin_change_a_kernel_once():
    layer, _ = made("dense", gates.HardConcrete(seed=0, initial_density=0.6))
    start = array(layer.kernel)
    layer.begin(True)  # it learns from the start
    np.testing.assert_array_equal(array(layer.kernel), start)
    ratio = layer.gate.initial_mask / layer.gate.initial_test_mask
    assert layer.waits and abs(ratio - 1) > 0.01
    for change in (layer.hold, layer.hold, lambda: layer.begin(False)):
        change()
        np.testing.assert_allclose(array(layer.kernel), start * ratio, rtol=1e-6)
    for _ in range(2):
        layer.begin(True)
        np.testing.assert_allclose(array(layer.kernel), start, rtol=1e-6)
    layer.gate.mask(training=True)
    layer.hold()  # not once it has learned
    np.testing.assert_allclose(array(layer.kernel), start, rtol=1e-6)


def test_one_sample_serves_the_whole_batch():
    layer, _ = made("dense", gates.HardConcrete(seed=0, initial_density=0.5))
    y = array(layer(np.ones((8, 5), "float32"), training=True))
    np.testing.assert_allclose(y, np.broadcast_to(y[:1], y.shape), rtol=1e-6)


def test_clone_model_gives_every_layer_a_gate_of_its_own():
    inputs = keras.Input((8, 8, 2))
    x = GatedConv2D(3, 3, gate=gates.HardConcrete(seed=0))(inputs)
    x = GatedConv2DTranspose(2, 3, gate=gates.Binary(seed=1))(x)
    model = keras.Model(inputs, GatedDense(2, gate=gates.Continuous(seed=2))(x))
    clone = keras.models.clone_model(model)
    for old, new in zip(model.layers[1:], clone.layers[1:], strict=True):
        assert new.gate is not old.gate and new.gate.get_config() == old.gate.get_config()
        spread(old.gate)
    clone.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype("float32")
    np.testing.assert_array_equal(array(clone(x)), array(model(x)))


def test_a_gate_serves_one_layer_only():
    gate = gates.HardConcrete(seed=0)
    layer = GatedDense(3, gate=gate)
    with pytest.raises(ValueError, match="already belongs"):
        GatedDense(3, gate=gate)  # before either is built
    layer.build((None, 4))
    with pytest.raises(ValueError, match="already belongs"):
        GatedDense(3, gate=gate)
    built_by_hand = gates.Binary(seed=0)
    built_by_hand.build((4, 3))
    with pytest.raises(ValueError, match="already belongs"):
        GatedDense(3, gate=built_by_hand)
    GatedDense(3, gate=gate.fresh(1)).build((None, 4))


def test_a_saved_gate_of_another_shape_is_refused():
    layer, _ = made("dense")
    copy = GatedDense.from_config(layer.get_config())
    with pytest.raises(ValueError, match=r"\(6, 4\).*\(5, 4\)"):
        copy.build((None, 6))


def test_unknown_gates_are_refused_with_a_suggestion():
    with pytest.raises(ValueError, match="Did you mean 'binary'"):
        GatedDense(3, gate="binry")
    with pytest.raises(TypeError, match="`gate`"):
        GatedDense(3, gate=None)


@each_layer
def test_quantization_is_refused(name):
    layer, _ = made(name)
    with pytest.raises(NotImplementedError, match="harden"):
        layer.quantize("int8")


@pytest.mark.parametrize("policy", ["int8_from_float32", "float8_from_float32"])
def test_quantized_dtype_policies_are_refused(policy):
    with pytest.raises(ValueError, match=policy):
        GatedDense(3, dtype=policy)
