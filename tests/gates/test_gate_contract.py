"""What holds for every gate."""

import json

import keras
import numpy as np
import pytest
from all_gates import BOUNDED, MAKERS, NAMES, SHAPE, STOCHASTIC, TRAINABLE, array, built, spread
from derivatives import gradients
from keras import ops

from sparsevae import gates

each_gate = pytest.mark.parametrize("name", NAMES)
each_trainable_gate = pytest.mark.parametrize("name", TRAINABLE)


def test_no_public_gate_is_missing_here():
    public = {getattr(gates, name) for name in gates.__all__ if isinstance(vars(gates)[name], type)}
    assert {type(make()) for make in MAKERS.values()} == public - {gates.Gate}


def check_mask(mask):
    assert keras.backend.standardize_dtype(mask.dtype) == "float32"
    assert tuple(mask.shape) == SHAPE
    assert array(mask).min() >= 0 and array(mask).max() <= 1


@each_gate
@pytest.mark.parametrize(
    "dtype_policy", ["float32", "mixed_bfloat16", "mixed_float16"], indirect=True
)
def test_masks_are_float32_in_the_unit_interval(name, dtype_policy):
    gate = spread(built(name))
    for mask in (gate.mask(), gate.mask(training=True), gate.open_probability()):
        check_mask(mask)
    assert all(weight.dtype == "float32" for weight in gate.trainable_variables)


@each_gate
def test_a_gate_can_be_told_which_links_to_leave(name):
    """Those that are on the right side already keep their parameter."""
    gate = spread(built(name))
    if not gate.trainable_variables:
        return
    score, before = array(gate.score()), array(gate.support())
    keep = np.random.default_rng(1).uniform(size=score.shape) < 0.5
    gate.trainable_variables[0].assign(gate.parameter_for(keep.astype("float32")))
    np.testing.assert_array_equal(array(gate.support()), keep)
    right = before == keep
    np.testing.assert_allclose(array(gate.score())[right], score[right], atol=2e-3)


@each_trainable_gate
def test_a_frozen_gate_keeps_its_mask(name):
    gate = spread(built(name))
    before, score = array(gate.mask()), array(gate.score())
    gate.trainable = False
    assert gate.learns
    np.testing.assert_array_equal(array(gate.mask()), before)
    np.testing.assert_array_equal(array(gate.score()), score)


@each_gate
def test_support_is_where_the_test_rule_is_above_zero(name):
    gate = spread(built(name))
    if name == "annealed_sigmoid":  # soft until the end; `support` says what it will become
        np.testing.assert_array_equal(array(gate.support()), array(gate.score()) > 0)
        gate.set_phase(0.0, 1.0)
    support = array(gate.support())
    assert support.dtype == bool
    np.testing.assert_array_equal(support, array(gate.mask(training=False)) > 0)
    assert 0 < support.mean() < 1, "the case tests nothing"


@each_gate
def test_undecided_links_are_those_with_p_open_between_a_tenth_and_nine_tenths(name):
    gate = spread(built(name))
    p = array(gate.open_probability())
    np.testing.assert_array_equal(array(gate.undecided()), (p > 0.1) & (p < 0.9))


@each_gate
def test_new_gates_are_open(name):
    if name != "fixed":
        gate = built(name)
        assert array(gate.support()).all()
        assert array(gate.open_probability()).min() > 0.7


@each_gate
def test_initial_mask_is_the_mean_of_the_learning_mask(name):
    if name == "fixed":
        assert MAKERS[name]().initial_mask == 1
        return
    mask = array(built(name, shape=(300, 300)).mask(training=True))
    tolerance = 4 * mask.std() / np.sqrt(mask.size) + 1e-4
    assert mask.mean() == pytest.approx(MAKERS[name]().initial_mask, abs=tolerance)


@each_trainable_gate
def test_initial_test_mask_is_the_mean_of_the_test_rule_of_a_new_gate(name):
    mask = array(built(name, shape=(300, 300)).mask())
    assert mask.mean() == pytest.approx(MAKERS[name]().initial_test_mask, abs=1e-3)


@each_gate
def test_config_round_trip(name):
    gate = spread(built(name))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(gate)))
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is type(gate)
    assert loaded.get_config() == gate.get_config()
    assert loaded.built and loaded.mask_shape == SHAPE
    loaded.set_weights(gate.get_weights())
    np.testing.assert_array_equal(array(loaded.mask()), array(gate.mask()))


@pytest.mark.parametrize("name", STOCHASTIC)
def test_a_file_without_counts_leaves_them_as_they_are(name):
    """Earlier versions kept neither the number of draws nor whether learning had begun."""
    gate, other = spread(built(name)), built(name)
    store = {}
    gate.save_own_variables(store)
    for later in sorted(store, key=int)[-2:]:
        del store[later]
    other.mask(training=True)
    other.load_own_variables(store)
    np.testing.assert_array_equal(array(other.mask()), array(gate.mask()))
    assert int(other.n_draws) == 1 and int(other.begun) == 1


@each_gate
def test_call_multiplies_a_kernel(name):
    gate = spread(built(name))
    mask = array(gate.mask())
    kernel = np.random.default_rng(1).normal(size=(3, 2, *SHAPE)).astype("float32")
    np.testing.assert_array_equal(array(gate(kernel)), kernel * mask)
    swapped = np.swapaxes(kernel, -1, -2)
    np.testing.assert_array_equal(array(gate(swapped, transposed=True)), swapped * mask.T)


@each_gate
def test_fresh_gives_an_unbuilt_copy_with_another_seed(name):
    gate = built(name, seed=3)
    copy = gate.fresh(4)
    assert type(copy) is type(gate) and not copy.built and copy.name != gate.name
    own = {"name", "seed"}
    config, other = gate.get_config(), copy.get_config()
    assert other["seed"] == 4
    assert {k: config[k] for k in config.keys() - own} == {k: other[k] for k in other.keys() - own}


def draws(gate, n=3):
    return np.stack([array(gate.mask(training=True)) for _ in range(n)])


@each_gate
def test_same_seed_same_draws_other_seed_other_draws(name):
    first, same, other = (draws(spread(built(name, seed))) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, same)
    stochastic = name in STOCHASTIC
    assert (first != other).any() == stochastic
    assert (first[0] != first[1]).any() == stochastic


def test_draws_do_not_depend_on_what_was_drawn_elsewhere():
    expected = draws(spread(built("hard_concrete_median")))
    keras.utils.set_random_seed(1)
    keras.random.normal((3,))
    draws(built("binary_bernoulli", seed=5))
    np.testing.assert_array_equal(draws(spread(built("hard_concrete_median"))), expected)


@each_gate
def test_a_fixed_phase_trains_with_the_test_rule_and_no_gradient(name):
    gate = spread(built(name))
    gate.set_phase(0.0, 0.5)
    np.testing.assert_allclose(array(gate.mask(training=True)), array(gate.mask()), rtol=1e-4)
    if name in TRAINABLE:
        uses = (lambda: gate.mask(training=True), lambda: gate(ops.ones(SHAPE), training=True))
        for use in uses:
            found = gradients(lambda use=use: ops.sum(use()), gate.trainable_variables)
            assert not np.any(found)


@each_trainable_gate
def test_a_learning_phase_passes_gradients_to_mask_and_cost(name):
    gate = spread(built(name))
    gate.set_phase(1.0, 0.0)
    variables = gate.trainable_variables
    assert np.any(gradients(lambda: ops.sum(gate.mask(training=True)), variables))
    assert np.any(gradients(lambda: ops.sum(gate.cost(ops.ones(SHAPE))), variables))


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("direction", [-1, 1])
def test_parameters_stay_inside_their_bounds(name, direction):
    gate = spread(built(name))
    (variable,) = gate.trainable_variables
    optimizer = keras.optimizers.SGD(1.0)
    for _ in range(3):
        optimizer.apply([ops.full(SHAPE, -100.0 * direction)], [variable])
    parameter = array(variable) * gate.learning_rate_multiplier
    np.testing.assert_allclose(parameter, gate.bounds[direction == 1], rtol=1e-6)


@each_trainable_gate
def test_the_multiplier_is_the_ratio_of_adam_steps(name):
    gate = built(name)
    (variable,) = gate.trainable_variables
    before = array(variable)
    keras.optimizers.Adam(1e-3).apply([ops.ones(SHAPE)], [variable])
    moved = (before - array(variable)) * gate.learning_rate_multiplier
    np.testing.assert_allclose(moved, 1e-3 * gate.learning_rate_multiplier, rtol=1e-3)


@each_trainable_gate
def test_the_multiplier_does_not_change_the_initial_mask(name):
    config = MAKERS[name]().get_config()
    masks = []
    for multiplier in (1.0, 50.0):
        gate = type(MAKERS[name]()).from_config({**config, "learning_rate_multiplier": multiplier})
        gate.build(SHAPE)
        masks.append(array(gate.mask()))
    np.testing.assert_allclose(*masks, atol=1e-6)


@each_gate
@pytest.mark.parametrize("shape", [(3,), (3, 4, 5), (None, 4), (0, 4), (3.0, 4)])
def test_other_shapes_than_in_out_are_refused(name, shape):
    with pytest.raises(ValueError, match="shape"):
        MAKERS[name]().build(shape)


REFUSED = [
    (gates.HardConcrete, {"initial_density": 1.0}, "initial_density"),
    (gates.HardConcrete, {"initial_density": float("nan")}, "initial_density"),
    (gates.HardConcrete, {"temperature": 0.0}, "temperature"),
    (gates.HardConcrete, {"temperature": float("nan")}, "temperature"),
    (gates.HardConcrete, {"stretch": (0.0, 1.1)}, "stretch"),
    (gates.HardConcrete, {"stretch": (-0.1, 1.0)}, "stretch"),
    (gates.HardConcrete, {"test_rule": "mode"}, "test_rule"),
    (gates.HardConcrete, {"bounds": (-7.0, 1.0)}, "bounds"),
    (gates.HardConcrete, {"learning_rate_multiplier": 0.0}, "learning_rate_multiplier"),
    (gates.HardConcrete, {"learning_rate_multiplier": float("nan")}, "learning_rate_multiplier"),
    (gates.Binary, {"estimator": "gumbel"}, "estimator"),
    (gates.Binary, {"initial_density": 0.5}, "initial_density"),
    (gates.Binary, {"bounds": (-4.6, 1.0)}, "bounds"),
    (gates.Binary, {"bounds": (0.0, 4.6)}, "bounds"),
    (gates.AnnealedSigmoid, {"initial_score": 0.0}, "initial_score"),
    (gates.AnnealedSigmoid, {"initial_score": 9.0}, "initial_score"),
    (gates.AnnealedSigmoid, {"final_hardness": 1.0}, "final_hardness"),
    (gates.AnnealedSigmoid, {"final_hardness": float("inf")}, "final_hardness"),
    (gates.Continuous, {"threshold": 1.0}, "threshold"),
    (gates.Continuous, {"threshold": -0.1}, "threshold"),
    (gates.Continuous, {"threshold": float("nan")}, "threshold"),
]


@pytest.mark.parametrize(("gate_class", "arguments", "message"), REFUSED)
def test_bad_arguments_are_refused_by_name(gate_class, arguments, message):
    with pytest.raises(ValueError, match=f"`{message}`"):
        gate_class(**arguments)


def test_get_by_name_covers_every_gate_but_fixed():
    found = {name: type(gates.get(name, seed=2)) for name in gates.NAMES}
    assert set(found.values()) == {type(make()) for make in MAKERS.values()} - {gates.Fixed}
    assert gates.get("hard_concrete", seed=2).seed == 2
    assert gates.get("binary").seed != gates.get("binary").seed


@each_gate
def test_get_by_config_and_by_instance(name):
    gate = MAKERS[name]()
    assert gates.get(gate) is gate
    loaded = gates.get(keras.saving.serialize_keras_object(gate))
    assert loaded is not gate and loaded.get_config() == gate.get_config()


def test_get_refuses_unknown_names_and_suggests_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'hard_concrete'"):
        gates.get("hardconcrete")
    with pytest.raises(ValueError, match="one of") as error:
        gates.get("xyz")
    assert "Did you mean" not in str(error.value)


@pytest.mark.parametrize("wrong", [3, None, gates.HardConcrete, np.ones((2, 2))])
def test_get_refuses_other_types(wrong):
    with pytest.raises(TypeError, match="`gate`"):
        gates.get(wrong)
