"""Controls that steer by density or loss: recursions by NumPy, the exact cut, bounds that hold."""

import itertools

import keras
import numpy as np
import pytest
from all_gates import set_parameter, spread
from small import regression, sparse, top, train

import sparsevae as sv
from sparsevae import gates
from sparsevae.sparsity import Distortion, TargetDensity
from sparsevae.training import GroupedOptimizer

OPTIMIZER = GroupedOptimizer("sgd")  # that keeps no averages


def by_hand(control, gate="hard_concrete", hidden=(5,)):
    """Gated layers of a model that only the test moves."""
    model = sv.sparsify(regression(hidden), gate, control=control)
    for number, layer in enumerate(model.gated_layers):
        spread(layer.gate, number)
    return model.gated_layers


@pytest.mark.parametrize("scope", ["model", "layer"])
def test_the_multiplier_is_dual_ascent_with_restarts(scope):
    rate, ramp, freeze = 3.0, (2, 5), 9
    control = TargetDensity(0.6, ramp, freeze, scope, dual_rate=rate)
    layers = by_hand(control)
    sizes = [np.prod(layer.gate.mask_shape) for layer in layers]
    expected = np.zeros(2 if scope == "layer" else 1)
    rng, restarts = np.random.default_rng(0), 0
    for step in range(10):
        values = [rng.uniform(-3, 4, layer.gate.mask_shape) for layer in layers]
        if step == 6:
            values = [np.full(v.shape, -6.0) for v in values]  # the target is met
        for layer, value in zip(layers, values, strict=True):
            set_parameter(layer.gate, value)
        means = [float(np.mean(layer.gate.open_probability())) for layer in layers]
        density = np.array(means if scope == "layer" else [np.average(means, weights=sizes)])
        control.begin_step(layers)
        price = float(control.penalty(layers))
        learning = ramp[0] <= step < freeze
        assert price == pytest.approx(learning * (expected * density).sum(), rel=1e-5)
        control.observe(1.0, layers)
        control.end_step(layers, 1.0, OPTIMIZER)
        if learning:
            rise = min(1.0, (step - ramp[0] + 1) / (ramp[1] - ramp[0]))
            over = density - (1 - 0.4 * rise)
            restarts += int(np.any((over <= 0) & (expected > 0)))
            expected = np.where(over > 0, expected + rate * over, 0)
        np.testing.assert_allclose(control.multipliers, expected, rtol=1e-4, atol=1e-6)
    assert restarts


def test_the_multiplier_waits_while_gradients_are_accumulated():
    control = TargetDensity(0.6, (0, 1), dual_rate=1.0)
    layers = by_hand(control)
    for _ in range(2):
        control.begin_step(layers)
        control.observe(1.0, layers)
        control.end_step(layers, 0.0, OPTIMIZER)
    assert float(control.multipliers[0]) == 0 and int(control.n_steps) == 0


@pytest.mark.parametrize("gate", ["hard_concrete", "binary", "annealed_sigmoid", "continuous"])
@pytest.mark.parametrize("scope", ["model", "layer"])
def test_the_cut_leaves_exactly_the_links_of_the_largest_parameters(scope, gate):
    control = TargetDensity(0.3, (0, 1), 2, scope)
    layers = by_hand(control, gate)
    scores = [np.array(layer.gate.score()) for layer in layers]
    for _ in range(2):
        control.begin_step(layers)
        control.observe(1.0, layers)
        control.end_step(layers, 1.0, OPTIMIZER)
    flat = np.concatenate([s.ravel() for s in scores])
    found = [np.array(layer.gate.support()) for layer in layers]  # of 30 and 20 links
    if scope == "layer":
        expected = [top(s, n) for s, n in zip(scores, (9, 6), strict=True)]
    else:
        keep = top(flat, 15)
        expected = [keep[:30].reshape(6, 5), keep[30:].reshape(5, 4)]
    for mask, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mask, wanted)
    assert float(control.logs(2)["learning"]) == 0


def test_a_gate_with_one_link_in_five_open_is_cut_upward_too():
    """The target is an upper bound while gates learn, and exact after the cut."""
    control = TargetDensity(0.6, (0, 0), 1)
    layers = by_hand(control)
    for layer in layers:
        set_parameter(
            layer.gate,
            np.linspace(-5, 0, np.prod(layer.gate.mask_shape)).reshape(layer.gate.mask_shape),
        )
    control.begin_step(layers)
    control.observe(1.0, layers)
    control.end_step(layers, 1.0, OPTIMIZER)
    assert sum(int(np.sum(layer.gate.support())) for layer in layers) == 30


def test_the_jump_in_loss_of_the_cut_is_logged():
    control = TargetDensity(0.5, (0, 1), 3)
    layers = by_hand(control)
    open_share = np.average(
        [float(np.mean(layer.gate.support())) for layer in layers], weights=[30, 20]
    )
    for loss in (2.0, 3.0, 4.0, 5.0, 7.0):
        control.begin_step(layers)
        control.observe(loss, layers)
        control.end_step(layers, 1.0, OPTIMIZER)
    logs = {k: float(v) for k, v in control.logs(4).items()}
    assert logs["cut_jump"] == pytest.approx(6 - 3)
    assert logs["density_before_cut"] == pytest.approx(open_share)
    assert float(control.logs(2)["cut_jump"]) == 0


@pytest.mark.parametrize("density", [0.1, 0.5])
def test_a_run_under_a_target_ends_at_it(density):
    model = sparse(TargetDensity.over(density, 20), optimizer=keras.optimizers.Adam(0.02))
    train(model, 20)
    found = sum(int(np.sum(layer.gate.support())) for layer in model.gated_layers)
    assert found == np.floor(density * 50 + 0.5)


@pytest.mark.parametrize("freeze", [61, None])
def test_target_and_multiplier_of_distortion_move_by_their_recursion(freeze):
    bound, ramp = 2.0, (1, 41)
    control = Distortion(bound, ramp, freeze)
    layers = by_hand(control, gates.Binary("threshold", seed=0))
    rng = np.random.default_rng(0)
    losses = [1.0, 1.5, 1.99, *rng.uniform(0.5, 4.0, 40), *[1.0] * 25]
    target, multiplier, mean, room, seen = 1.0, 0.0, 0.0, 1.0, set()
    for step, loss in enumerate(losses):
        opened = rng.random() * (1 if step < 30 else 0.02)
        for layer in layers:
            parameter = layer.gate.trainable_variables[0]
            parameter.assign(np.where(rng.random(parameter.shape) < opened, 1.0, -1.0))
        density = open_share(layers)
        control.begin_step(layers)
        cost = np.average(
            [float(np.mean(layer.gate.open_probability())) for layer in layers], weights=[30, 20]
        )
        learns = ramp[0] <= step < (freeze or np.inf)
        assert float(control.penalty(layers)) == pytest.approx(
            learns * max(room, 0) * multiplier * cost, rel=1e-4, abs=1e-9
        )
        control.observe(loss, layers)
        control.end_step(layers, 1.0, OPTIMIZER)
        mean += (loss - mean) / min(step + 1, 4)  # a tenth of the ramp
        assert float(control.loss.value) == pytest.approx(mean, rel=1e-5)
        room = np.clip((bound - mean) / (0.01 * bound), -1, 1)
        if learns:
            followed = density <= 1.02 * target
            if room <= 0:
                target = min(max(target, density) * np.exp(-3 * 5 / 40 * room), 1.0)
            elif followed:
                target *= np.exp(-5 / 40 * room)
            seen.add((room > 0, followed))
            error = np.clip(density / target - 1, -0.02, 0.1)
            multiplier += 800 / ((freeze or 41) - 1) * (multiplier + 2 * bound) * error
            multiplier = np.clip(multiplier, 0.0, 1e6 * bound)
        assert float(control.target) == pytest.approx(target, rel=1e-4)
        assert float(control.multiplier) == pytest.approx(multiplier, rel=1e-3, abs=1e-4)
    assert seen == set(itertools.product((True, False), repeat=2))


def test_distortion_lands_by_its_recursion():
    """As many gates as there is room for, in the order they had when they were frozen."""
    bound, freeze, land = 2.0, 3, 23
    control = Distortion(bound, (1, 2), freeze, land)
    layers = by_hand(control)
    control.loss.n_steps = 2.0  # a longer mean than belongs to so short a run
    rng = np.random.default_rng(1)
    losses = [*[4.0] * 9, *[1.0] * 9, *[4.0] * 8]
    target, pace, below, mean, n_losses, counts, paces = None, 1.0, True, 0.0, 0, [], []
    for step, loss in enumerate(losses):
        control.begin_step(layers)
        if step == freeze - 1:
            closing = layers[0].gate.closing_point
            for layer in layers:
                set_parameter(layer.gate, closing + rng.uniform(-0.5, 0.5, layer.gate.mask_shape))
            before = [np.array(layer.gate.score()) for layer in layers]
            order = np.sort(np.concatenate([score.ravel() for score in before]))[::-1]
        assert float(control.learning(control.n_steps)) == (1 <= step < freeze)
        control.observe(loss, layers)
        control.end_step(layers, 1.0, OPTIMIZER)
        n_losses += 1
        mean += (loss - mean) / min(n_losses, 2)
        if step == freeze - 1:
            target, n_losses = np.mean(order > closing), 0
        elif freeze <= step < land - 1:
            room = np.clip((bound - mean) / (0.01 * bound), -1, 1)
            crossed = abs(room) > 0.5 and (room > 0) != below
            below = below != crossed
            pace = pace / 2 if crossed else min(pace * np.exp(8 / (land - freeze)), 1)
            target = np.clip(target * np.exp(-2 / (land - freeze) * pace * room), 1 / 50, 1)
            paces.append(pace)
        if step < freeze - 1:
            continue
        assert float(control.target) == pytest.approx(target, rel=1e-4)
        count = round(float(control.target) * 50)
        least = order[count - 1]
        for layer, score in zip(layers, before, strict=True):
            kept = score >= least
            np.testing.assert_array_equal(np.array(layer.gate.support()), kept)
            stays = kept & (score > closing)
            np.testing.assert_allclose(np.array(layer.gate.score())[stays], score[stays], rtol=1e-5)
            opened = kept & (score <= closing)
            mean_open = order[order > closing].mean()
            np.testing.assert_allclose(np.array(layer.gate.score())[opened], mean_open, rtol=1e-4)
        counts.append(count)
    assert min(counts) < counts[0] < max(counts)  # it closed some, and opened others
    assert paces.count(0.5) == 3 and paces.count(1) > 3  # the loss crossed the bound three times
    assert counts[-4:] == [counts[-1]] * 4


def test_the_loss_is_smoothed_over_the_shortest_span():
    ends = [((0, 600), 600, 1_600), ((0, 2_000), 2_000, 2_400), ((0, 2_000), 9_000, None)]
    for (ramp, freeze, land), n_steps in zip(ends, [50, 20, 100], strict=True):
        control = Distortion(1.0, ramp, freeze, land)
        by_hand(control)
        assert control.loss.n_steps == n_steps


def open_share(layers):
    """Share of gates that the test rule leaves open."""
    return np.concatenate([np.ravel(layer.gate.support()) for layer in layers]).mean()


@pytest.mark.parametrize(("gate", "freeze_at"), [(None, 1.0), ("hard_concrete", 0.9)])
def test_distortion_does_not_close_a_model_before_its_loss_has_told(gate, freeze_at):
    """A classifier trained before, at a learning rate at which all gates move at once.

    Gates with noise need steps without it: the bound is of the loss as it is trained.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(640, 8)).astype("float32")
    y = (x @ rng.normal(size=(8, 3))).argmax(1)
    layers = [keras.Input((8,)), keras.layers.Dense(12, "relu"), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x, y, epochs=8, batch_size=16, verbose=0)
    bound, dense = 0.5, model.evaluate(x, y, verbose=0)
    assert dense < 0.3 * bound
    model = sv.sparsify(model, gate, control=Distortion.over(bound, 800, freeze_at=freeze_at))
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(x, y, epochs=20, batch_size=16, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 1.01 * bound
    assert 0.02 < open_share(model.gated_layers) < 0.5


@pytest.mark.parametrize("gate", [None, "hard_concrete"])
def test_distortion_ends_at_its_bound(gate):
    """A linear regression whose weights are of all sizes; the loss is of the model as it is used.

    A link is worth up to a percent of the bound here.
    """
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 32)).astype("float32")
    weights = rng.permutation(np.geomspace(0.02, 2.0, 1024)).reshape(32, 32)
    y = (x @ weights).astype("float32")
    bound, n = 0.1 * float(np.mean(np.square(y))), 2_000
    inputs = keras.Input((32,))
    output = keras.layers.Dense(32, use_bias=False)(inputs)
    control = Distortion.over(bound, n)
    model = sv.sparsify(keras.Model(inputs, output), gate, control=control)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(np.tile(x, (20, 1)), np.tile(y, (20, 1)), batch_size=64, epochs=25, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(bound, rel=0.05)
    assert open_share(model.gated_layers) < 0.5
