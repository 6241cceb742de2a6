"""The control: its phases, its price, and that a higher price buys more zeros."""

import json

import keras
import numpy as np
import pytest
from all_gates import array, spread
from derivatives import gradients

from sparsevae import gates, sparsity
from sparsevae.layers import GatedDense
from sparsevae.sparsity import Strength

REFUSED = [
    ({"strength": -1.0}, "strength"),
    ({"strength": float("nan")}, "strength"),
    ({"strength": float("inf")}, "strength"),
    ({"strength": 1.0, "ramp": (5, 2)}, "ramp"),
    ({"strength": 1.0, "ramp": (-1, 2)}, "ramp"),
    ({"strength": 1.0, "ramp": (1, float("nan"))}, "ramp"),
    ({"strength": 1.0, "ramp": (1, float("inf"))}, "ramp"),
    ({"strength": 1.0, "ramp": (1, 2, 3)}, "ramp"),
    ({"strength": 1.0, "ramp": (2, 6), "freeze": 5}, "freeze"),
    ({"strength": 1.0, "ramp": (2, 6), "freeze": float("nan")}, "freeze"),
    ({"strength": 1.0, "weighting": "flop"}, "weighting"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=f"`{message}`"):
        Strength(**arguments)


# step: (learning, strength, progress) for strength 10, ramp (2, 6), freeze 10
PHASES = {
    0: (0, 0, 0),
    1: (0, 0, 0),  # the last open step
    2: (1, 2.5, 1 / 8),  # the first step of the ramp
    3: (1, 5, 2 / 8),
    5: (1, 10, 4 / 8),  # the last step of the ramp is at full price
    6: (1, 10, 5 / 8),  # hold
    9: (1, 10, 1),  # the last learning step
    10: (0, 0, 1),  # frozen
    10**6: (0, 0, 1),
}


@pytest.mark.parametrize("step", PHASES)
def test_phases_at_every_boundary(step):
    control = Strength(10.0, ramp=(2, 6), freeze=10)
    found = (control.learning(step), control.strength_at(step), control.progress(step))
    np.testing.assert_allclose([float(f) for f in found], PHASES[step], rtol=1e-6)
    as_tensor = keras.ops.convert_to_tensor(step)
    assert float(control.strength_at(as_tensor)) == pytest.approx(PHASES[step][1])


def test_without_freeze_gates_learn_for_good_and_progress_ends_with_the_ramp():
    control = Strength(10.0, ramp=(2, 6))
    for step in (5, 6, 10**7):
        assert float(control.learning(step)) == 1
        assert float(control.strength_at(step)) == 10
        assert float(control.progress(step)) == 1


def test_no_ramp_is_full_price_from_the_first_step():
    control = Strength(3.0, ramp=(0, 0))
    assert float(control.strength_at(0)) == 3 and float(control.learning(0)) == 1
    later = Strength(3.0, ramp=(4, 4), freeze=4)
    assert [float(later.learning(step)) for step in (3, 4, 5)] == [0, 0, 0]


def test_over_takes_fractions_of_a_run():
    config = Strength.over(5.0, 1000, weighting="links").get_config()
    wanted = {"strength": 5.0, "ramp": (100, 400), "freeze": 850, "weighting": "links"}
    assert wanted.items() <= config.items()
    with pytest.raises(ValueError, match="open_until"):
        Strength.over(5.0, 1000, open_until=0.5, full_at=0.4)
    with pytest.raises(ValueError, match="freeze_at"):
        Strength.over(5.0, 1000, freeze_at=1.1)


def test_config_round_trip():
    control = Strength(5.0, ramp=(1, 4), freeze=8, weighting="flops")
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(control)))
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is Strength and loaded.get_config() == control.get_config()


def price(control, layers, step):
    """The penalty of `layers` at a step."""
    if not control.built:
        control.build()
    control.n_steps.assign(step)
    return control.penalty(layers)


@pytest.fixture
def layers():
    """Two dense layers with 4 x 3 and 3 x 2 links, gates all over their range."""
    made = [GatedDense(3, gate=gates.HardConcrete(seed=0)), GatedDense(2, gate="binary")]
    model = keras.Sequential([keras.Input((4,)), *made])
    for layer in made:
        spread(layer.gate)
    return sparsity.gated_layers(model)


def test_penalty_is_strength_times_mean_p_open(layers):
    first, second = (array(layer.gate.open_probability()) for layer in layers)
    by_layers = (first.mean() + second.mean()) / 2
    by_links = (first.sum() + second.sum()) / 18
    for weighting, mean in (("layers", by_layers), ("links", by_links)):
        control = Strength(10.0, ramp=(2, 6), freeze=10, weighting=weighting)
        for step, (_, strength, _) in PHASES.items():
            found = float(price(control, layers, step))
            assert found == pytest.approx(strength * mean, rel=1e-5)


def test_full_price_of_an_open_model_is_the_strength():
    layer = GatedDense(3, gate=gates.Binary("threshold"))
    layer.build((None, 4))
    assert float(price(Strength(7.0, ramp=(0, 0)), [layer], 0)) == pytest.approx(7)


@pytest.mark.parametrize("weighting", ["layers", "links", "parameters", "flops"])
def test_links_that_cannot_close_leave_the_price_of_the_rest_as_it_is(weighting):
    """Strength is from empty to full of what can be emptied."""
    made = [GatedDense(3, gate="binary"), GatedDense(2, gate=gates.Fixed(np.ones((3, 2))))]
    made.append(GatedDense(2, gate="binary"))
    keras.Sequential([keras.Input((4,)), *made])
    made[2].gate.trainable = False
    control = Strength(7.0, ramp=(0, 0), weighting=weighting)
    alone = float(price(control, made[:1], 0))
    assert 0 < alone < 7 and float(control.penalty(made)) == pytest.approx(alone)
    assert float(control.penalty(made[1:])) == 0


def test_gradient_of_the_penalty(layers):
    control = Strength(10.0, ramp=(0, 0), weighting="links")
    variables = [layer.gate.trainable_variables[0] for layer in layers]
    price(control, layers, 0)
    found = gradients(lambda: control.penalty(layers), variables)
    for layer, gradient in zip(layers, found, strict=True):
        p = array(layer.gate.open_probability())
        expected = 10 / 18 * p * (1 - p) * layer.gate.learning_rate_multiplier
        np.testing.assert_allclose(gradient, expected, rtol=2e-3, atol=1e-6)
    frozen = Strength(10.0, ramp=(0, 0), freeze=0)
    price(frozen, layers, 5)
    assert not any(g.any() for g in gradients(lambda: frozen.penalty(layers), variables))


def test_in_a_priced_step_each_layer_is_charged_what_it_noted(layers):
    """And its gate feels it; a gate that is fixed notes nothing to pay."""
    control = Strength(10.0, ramp=(0, 0), weighting="links")
    variables = [layer.gate.trainable_variables[0] for layer in layers]

    def in_a_step():
        with gates.one_step(priced=True):
            for layer in layers:
                layer.gated_kernel(training=True)
            return control.penalty(layers)

    expected = float(price(control, layers, 0))
    assert float(in_a_step()) == pytest.approx(expected, rel=1e-5)
    wanted = gradients(lambda: control.penalty(layers), variables)
    for found, gradient in zip(gradients(in_a_step, variables), wanted, strict=True):
        np.testing.assert_allclose(found, gradient, rtol=1e-4, atol=1e-6)
    layers[1].gate.set_phase(0.0, 1.0)
    of_first = 10 * array(layers[0].gate.open_probability()).sum() / 18
    assert float(in_a_step()) == pytest.approx(of_first, rel=1e-5)


def test_penalty_charges_a_continuous_gate_for_its_kernel():
    layer = GatedDense(3, gate=gates.Continuous(seed=0))
    layer.build((None, 4))
    spread(layer.gate)
    expected = (np.square(array(layer.gate.value)) + np.square(array(layer.kernel))).mean() / 2
    control = Strength(2.0, ramp=(0, 0))
    found = float(price(control, [layer], 0))
    assert found == pytest.approx(2 * expected, rel=1e-5)
    (of_kernel,) = gradients(lambda: control.penalty([layer]), [layer.kernel])
    np.testing.assert_allclose(of_kernel, 2 * array(layer.kernel) / 12, rtol=1e-5)


def test_every_step_tells_every_gate():
    layers = [GatedDense(2, gate=gates.AnnealedSigmoid(seed=0)), GatedDense(2)]
    for layer in layers:
        layer.build((None, 3))
    control = Strength(10.0, ramp=(2, 6), freeze=10)
    control.build()
    for step, (learning, _, progress) in PHASES.items():
        control.n_steps.assign(step)
        control.begin_step(layers)
        assert [float(layer.gate.learning) for layer in layers] == [learning] * 2
        assert float(layers[0].gate.progress) == pytest.approx(progress)


def test_steps_count_updates():
    control = Strength(1.0)
    control.build()
    for updated in (1, 0, True, 1):
        control.end_step([], updated, None)
    assert int(control.n_steps) == 3


@pytest.mark.parametrize("gate", ["hard_concrete", "binary", "annealed_sigmoid", "continuous"])
def test_a_layer_is_the_stock_layer_until_it_learns_and_the_same_on_average_after(gate):
    layer = GatedDense(300, use_bias=False, gate=gates.get(gate, seed=0), kernel_initializer="ones")
    layer.build((None, 200))
    control = Strength(1.0, ramp=(2, 6))
    control.build()
    control.take([layer])
    for step in range(5):
        control.begin_step([layer])
        for training in (False, True):
            kernel = array(layer.gated_kernel(training=training))
            if step < 2:  # up to the spread of initial scores
                np.testing.assert_allclose(kernel, 1, rtol=0.05)
            elif training and layer.waits:
                assert kernel.mean() == pytest.approx(1, abs=float(5 * kernel.std() / 245 + 1e-4))
        control.end_step([layer], 1, None)


def test_a_control_takes_the_layers_of_one_model():
    first, second = (GatedDense(2), GatedDense(2))
    for layer in (first, second):
        layer.build((None, 3))
    control = Strength(1.0)
    control.build()
    control.take([first])
    control.take([first])
    with pytest.raises(ValueError, match="`control` must belong to one model"):
        control.take([second])


@pytest.mark.parametrize("value", [-1.0, float("nan"), "3", None])
def test_a_strength_that_is_none_is_refused_later_too(value):
    control = Strength(2.0)
    with pytest.raises(ValueError, match="`strength`"):
        control.strength = value
    assert control.strength == 2.0


def test_strength_may_be_a_schedule():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 100, 8.0)
    control = Strength(schedule, ramp=(0, 0))
    assert [float(control.strength_at(step)) for step in (0, 50, 100)] == [0, 4, 8]
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(control)))
    loaded = keras.saving.deserialize_keras_object(config)
    assert float(loaded.strength_at(25)) == 2
    loaded.strength = 3.0
    assert float(loaded.strength_at(25)) == 3 and loaded.strength == 3


class Priced(keras.Model):
    """Keras's own training with the control's price in the loss."""

    control = None

    def compute_loss(self, *args, **kwargs):
        loss = super().compute_loss(*args, **kwargs)
        return loss + self.control.penalty(sparsity.gated_layers(self))


def trained_density(gate, strength):
    """Share of open links of a linear regression whose 48 true weights are of all sizes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 12))
    y = x @ rng.normal(size=(12, 4))
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12,))
    model = Priced(inputs, GatedDense(4, gate=gates.get(gate, seed=0))(inputs))
    model.control = Strength(strength, ramp=(0, 0))
    model.control.build()
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=False)
    model.fit(np.tile(x, (200, 1)), np.tile(y, (200, 1)), batch_size=64, verbose=0, shuffle=False)
    layers = sparsity.gated_layers(model)
    return float(sparsity.share_of_links(layers, lambda layer: layer.gate.support()))


@pytest.mark.parametrize(
    "gate",
    [
        "hard_concrete",
        pytest.param("binary", marks=pytest.mark.slow),
        pytest.param("annealed_sigmoid", marks=pytest.mark.slow),
        pytest.param("continuous", marks=pytest.mark.slow),
    ],
)
def test_density_falls_as_strength_grows(gate):
    densities = [trained_density(gate, strength) for strength in (0.0, 6.0, 100.0)]
    assert densities[0] > densities[1] > densities[2], densities
    # noise alone closes the weakest links, so strength 0 does not keep all of them
    assert densities[0] > 0.6 and densities[2] < 0.1, densities
