"""A gated VAE under whatever Keras offers: trains, is saved in the middle, goes on exactly."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from sparsevae import gates, sparsity
from sparsevae.models.checkpoints import load_state, save_state

N_EPOCHS = 6  # of two steps each; over all phases
optimizers = keras.optimizers
SCHEDULE = optimizers.schedules.PolynomialDecay(1e-2, 12, 1e-4)

WAYS = {
    "plain": {},
    "ema": {"optimizer": lambda: optimizers.Adam(1e-2, use_ema=True)},
    "ema_overwriting": {
        "optimizer": lambda: optimizers.Adam(1e-2, use_ema=True, ema_overwrite_frequency=3)
    },
    "adamw": {"optimizer": lambda: optimizers.AdamW(1e-2, weight_decay=0.1)},
    "nadam": {"optimizer": lambda: optimizers.Nadam(1e-2)},
    "schedule": {"optimizer": lambda: optimizers.Adam(SCHEDULE)},
    "accumulation": {"optimizer": lambda: optimizers.Adam(1e-2, gradient_accumulation_steps=2)},
    "clipping": {"optimizer": lambda: optimizers.Adam(1e-2, global_clipnorm=0.5)},
    "bfloat16": {"policy": "mixed_bfloat16"},
    "float16": {"policy": "mixed_float16"},
    "jit": {"compile": {"jit_compile": True}},
    "executions": {"compile": {"steps_per_execution": 2}},
    "eager": {"eager": True},
    "annealed": {"gate": "annealed_sigmoid"},
    "binary": {"gate": "binary"},
}


MORE = ("ema", "nadam", "schedule", "clipping", "float16", "annealed")  # like others, and slow
PARAMS = [pytest.param(way, marks=pytest.mark.slow) if way in MORE else way for way in WAYS]


@pytest.fixture(params=PARAMS)
def make(request, make_vae):
    """Makes the compiled model of one way."""
    way = dict(WAYS[request.param])
    keras.config.set_dtype_policy(way.pop("policy", "float32"))
    optimizer = way.pop("optimizer", lambda: optimizers.Adam(1e-2))
    options = {"run_eagerly": way.pop("eager", False), **way.pop("compile", {})}

    def make():
        control = sparsity.Strength(20.0, ramp=(3, 5), freeze=9)
        vae = make_vae(way.get("gate", "hard_concrete"), control=control)
        vae.compile(optimizer(), **options)
        return vae

    return make


def fit(vae, images, first, last):
    vae.fit(
        images,
        batch_size=32,
        initial_epoch=first,
        epochs=last,
        shuffle=False,
        verbose=0,
    )


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_files_of_mid_training_go_on_as_if_unbroken(make, images, values, tmp_path):
    half = N_EPOCHS // 2
    vae = make()
    fit(vae, images, 0, half)
    vae.save(tmp_path / "model.keras")
    save_state(vae, tmp_path / "state.npz")
    from_keras = keras.saving.load_model(tmp_path / "model.keras")
    from_state = make()
    load_state(from_state, tmp_path / "state.npz")
    for model in (vae, from_keras, from_state):
        fit(model, images, half, N_EPOCHS)
    assert_equal(values(from_keras), values(vae))
    assert_equal(values(from_state), values(vae))
    assert all(np.isfinite(value).all() for value in values(vae))
    moved = [np.ptp(np.array(layer.gate.trainable_variables[0])) for layer in vae.gated_layers]
    assert min(moved) > 1e-3, "gates did not learn"


def test_backup_and_restore_goes_on_as_if_unbroken(make_vae, images, values, tmp_path):
    class Stops(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise InterruptedError

    def make():
        return make_vae("hard_concrete", control=sparsity.Strength(20.0, ramp=(3, 5)), rate=1e-2)

    unbroken, first, second = make(), make(), make()
    fit(unbroken, images, 0, N_EPOCHS)

    def backed_up(vae, *callbacks):
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq="epoch")
        vae.fit(
            images,
            batch_size=32,
            epochs=N_EPOCHS,
            shuffle=False,
            verbose=0,
            callbacks=[backup, *callbacks],
        )

    with pytest.raises(InterruptedError):
        backed_up(first, Stops())
    backed_up(second)
    assert_equal(values(second), values(unbroken))


@pytest.mark.parametrize("gate", ["hard_concrete", "annealed_sigmoid"])
def test_weights_alone_bring_the_control_along(make_vae, images, gate, tmp_path):
    def make():
        control = sparsity.Strength(300.0, ramp=(2, 4), freeze=8)
        return make_vae(gate, control=control, rate=0.3)

    def closed(vae):
        return [np.asarray(layer.gate.mask()) == 0 for layer in vae.gated_layers]

    vae, other = make(), make()
    fit(vae, images, 0, N_EPOCHS)
    before = closed(vae)
    assert any(mask.any() for mask in before), "the case tests nothing"
    vae.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    vae.compile("adam")
    for model in (vae, other):
        fit(model, images, 0, 1)
        assert_equal(closed(model), before)
        assert model.gate_logs()["learning"] == 0 and int(model.control.n_steps) == 14


# What reaches the gates


def learning_vae(make_vae, **kwargs):
    control = sparsity.Strength(5.0, ramp=(0, 100))
    return make_vae(gates.AnnealedSigmoid(learning_rate_multiplier=1.0), control=control, **kwargs)


def gate_values(vae):
    return [np.array(layer.gate.trainable_variables[0]) for layer in vae.gated_layers]


def test_callbacks_of_the_learning_rate_reach_gates_and_kernels(make_vae, images):
    vae = learning_vae(make_vae)
    before = [np.array(w) for w in vae.trainable_variables]
    stop = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0)
    vae.fit(images, batch_size=32, verbose=0, callbacks=[stop])
    assert_equal([np.array(w) for w in vae.trainable_variables], before)


@pytest.mark.parametrize("rate", [1e-2, 1e-4])
def test_an_assigned_learning_rate_is_that_of_gates_too(make_vae, images, rate):
    vae = learning_vae(make_vae, eager=True)
    before = gate_values(vae)
    vae.optimizer.learning_rate = rate
    vae.train_on_batch(images[:16])
    steps = [np.abs(a - b).max() for a, b in zip(gate_values(vae), before, strict=True)]
    np.testing.assert_allclose(steps, rate, rtol=0.01)  # Adam's first step is its rate


def test_a_schedule_does_not_lag_for_gates_that_join_later(make_vae, images):
    control = sparsity.Strength(5.0, ramp=(3, 100))
    gate = gates.AnnealedSigmoid(learning_rate_multiplier=1.0)
    vae = make_vae(gate, control=control)
    rates = optimizers.schedules.PiecewiseConstantDecay([2], [1e-2, 1e-5])
    vae.compile(optimizers.Adam(rates), run_eagerly=True)
    before = gate_values(vae)
    for _ in range(4):
        vae.train_on_batch(images[:16])
    steps = [np.abs(a - b).max() for a, b in zip(gate_values(vae), before, strict=True)]
    np.testing.assert_allclose(steps, 1e-5, rtol=0.02)


def test_weight_decay_leaves_gates_alone_and_shrinks_kernels(make_vae, images):
    vae = make_vae(gates.Continuous(), control=sparsity.Strength(0.0, ramp=(10**6, 10**6)))
    vae.compile(optimizers.AdamW(1e-2, weight_decay=1.0), run_eagerly=True)
    kernels = [np.abs(layer.kernel).sum() for layer in vae.gated_layers]
    before = gate_values(vae)
    for _ in range(20):
        vae.train_on_batch(images[:16])
    assert_equal(gate_values(vae), before)
    after = [np.abs(layer.kernel).sum() for layer in vae.gated_layers]
    assert all(a < b for a, b in zip(after, kernels, strict=True))


def test_averages_of_weights_are_those_of_the_same_weight(make_vae, images):
    """Layers of one shape, so that a wrong order would go unnoticed."""
    vae = make_vae("hard_concrete", control=sparsity.Strength(5.0, ramp=(1, 2)))
    vae.compile(optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.5))
    history = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            history.append([np.array(w) for w in self.model.trainable_variables])

    vae.fit(images, batch_size=16, verbose=0, callbacks=[Watch()])
    for number, weight in enumerate(vae.trainable_variables):
        average = history[0][number]
        for values in history[1:]:
            average = 0.5 * average + 0.5 * values[number]
        np.testing.assert_allclose(weight, average, rtol=1e-4, atol=1e-6)
    vae.fit(images, batch_size=16, verbose=0, callbacks=[keras.callbacks.SwapEMAWeights()])


@pytest.mark.parametrize("what", ["gate", "encoder", "decoder"])
def test_frozen_after_compile_stays_and_the_rest_trains(make_vae, images, what):
    vae = make_vae("hard_concrete", control=sparsity.Strength(5.0, ramp=(0, 2)), rate=1e-2)
    vae.fit(images, batch_size=32, verbose=0)
    part = vae.gated_layers[0].gate if what == "gate" else getattr(vae, what)
    part.trainable = False
    before = {w.path: np.array(w) for w in vae.weights if "/" in w.path}
    still = {w.path for w in part.weights}
    vae.fit(images, batch_size=32, verbose=0)
    learned = {w.path for w in vae.trainable_variables}
    assert learned
    for weight in vae.weights:
        moved = weight.path in before and not np.array_equal(before[weight.path], weight)
        if weight.path in still and weight.path.split("/")[-1] not in ("learning", "n_draws"):
            assert not moved, weight.path
        if weight.path in learned:
            assert moved, weight.path
    part.trainable = True
    vae.fit(images, batch_size=32, verbose=0)


def test_weights_unfrozen_after_compile_are_refused(make_vae, images):
    vae = make_vae("hard_concrete")
    vae.encoder.trainable = False
    vae.compile("adam")
    vae.fit(images, verbose=0)
    vae.encoder.trainable = True
    with pytest.raises(ValueError, match="call `compile` again") as caught:
        vae.fit(images, verbose=0)
    assert "\n" not in str(caught.value)


# Accumulation and loss scaling


def test_micro_batches_and_steps_draw_noise_of_their_own(make_vae, images):
    """One image eight times: what differs is the noise of z."""
    vae = make_vae(eager=True)
    vae.compile(optimizers.SGD(0.0, gradient_accumulation_steps=4), run_eagerly=True)
    x = np.repeat(images[:1], 8, axis=0)
    elbos = [vae.train_on_batch(x[:2], return_dict=True)["elbo"] for _ in range(8)]
    assert len(set(elbos)) == 8
    assert int(vae.n_batches) == 8 and int(vae.n_updates) == 2


def test_training_and_evaluation_draw_from_different_streams(make_vae, images):
    vae = make_vae(eager=True)
    vae.compile(optimizers.SGD(0.0), run_eagerly=True)
    trained = vae.train_on_batch(images[:2], return_dict=True)["elbo"]
    tested = vae.test_on_batch(images[:2], return_dict=True)["elbo"]
    assert trained != tested and float(np.mean(vae.elbo(images[:2]))) not in (trained, tested)


def test_accumulation_is_one_step_for_the_control(make_vae, images):
    vae = make_vae("hard_concrete", control=sparsity.Strength(5.0, ramp=(1, 2)))
    vae.compile(optimizers.Adam(1e-2, gradient_accumulation_steps=4), run_eagerly=True)
    learning = []
    for _ in range(8):
        vae.train_on_batch(images[:8])
        learning.append(int(float(vae.gated_layers[0].gate.learning)))
    assert learning == [0, 0, 0, 0, 1, 1, 1, 1] and int(vae.control.n_steps) == 2


def test_an_overflow_moves_nothing_and_no_count(make_vae, images, values):
    keras.config.set_dtype_policy("mixed_float16")
    vae = make_vae("hard_concrete", control=sparsity.Strength(5.0, ramp=(0, 2)))
    vae.compile(optimizers.LossScaleOptimizer(optimizers.Adam(1e-2), initial_scale=2.0**126))
    before = [np.array(w) for w in vae.trainable_variables]
    vae.train_on_batch(images[:16])
    assert_equal([np.array(w) for w in vae.trainable_variables], before)
    assert int(vae.control.n_steps) == int(vae.n_updates) == int(vae.optimizer.iterations) == 0
    assert int(vae.n_batches) == 1
    assert float(vae.optimizer.dynamic_scale) == 2.0**125


def test_float16_gradients_of_gates_are_unscaled(make_vae, images):
    """SGD shows the size of a gradient, which Adam hides."""
    found = {}
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        vae = make_vae(gates.AnnealedSigmoid(), control=sparsity.Strength(50.0, ramp=(0, 100)))
        before = gate_values(vae)
        vae.compile(optimizers.SGD(1e-3), run_eagerly=True)
        vae.train_on_batch(images)
        found[policy] = [a - b for a, b in zip(gate_values(vae), before, strict=True)]
    for a, b in zip(*found.values(), strict=True):
        assert np.abs(a).max() > 0
        np.testing.assert_allclose(a, b, atol=0.02 * np.abs(a).max())


# Two replicas

MIRRORED = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np, sparsevae as sv
images = np.random.default_rng(0).random((32, 8, 8, 1), np.float32)
one, two = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

def trained(strategy, gate):
    with strategy.scope():
        vae = sv.models.mlp_vae(
            (8, 8, 1), 2, gate=None if gate == "none" else gate, hidden=8,
            kernel_regularizer=keras.regularizers.L2(3.0),
            control=None if gate == "none" else sv.sparsity.Strength(500.0, ramp=(2, 3), freeze=6),
            likelihood=sv.objectives.Gaussian(1e6), objective=sv.objectives.BetaVAE(0.0),
        )
        vae.compile(keras.optimizers.SGD(1e-2))
    history = vae.fit(images, batch_size=16, epochs=4, shuffle=False, verbose=0).history
    vae.save(sys.argv[1])
    loaded = keras.saving.load_model(sys.argv[1])
    same = all(np.array_equal(a, b) for a, b in zip(vae.get_weights(), loaded.get_weights()))
    kernels = [float(np.sum(w)) for w in vae.trainable_variables]
    # Of the last batch a replica gets no image.
    odd = [vae.evaluate(images[:17], batch_size=16, verbose=0, return_dict=True)]
    odd += [{k: v[-1] for k, v in vae.fit(images[:17], batch_size=16, verbose=0).history.items()}]
    same &= all(np.isfinite(value) for logs in odd for value in logs.values())
    return {"same": same, "kernels": kernels, **{k: v[-1] for k, v in history.items()}}

print(json.dumps({gate: [trained(s, gate) for s in (one, two)] for gate in sys.argv[2:]}))
"""
MIRRORED_GATES = ["none", "continuous", "hard_concrete"]


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """Of each gate, logs and sums of weights on one device and on two replicas."""
    model = tmp_path_factory.mktemp("mirrored") / "model.keras"
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, str(model), *MIRRORED_GATES],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("gate", MIRRORED_GATES)
def test_two_replicas_train_as_one_device(gate, mirrored):
    """With a loss that hardly looks at z: each replica has noise of its own there."""
    one, two = mirrored[gate]
    assert one["same"] and two["same"]
    for name in one.keys() - {"same"}:
        np.testing.assert_allclose(two[name], one[name], rtol=2e-3, atol=1e-5, err_msg=name)
