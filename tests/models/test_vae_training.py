import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from sparsevae import gates, objectives, sparsity

ALL_OPEN = gates.Binary("threshold")  # its mask is exactly 1 until a score falls below 0
ALL_ONES = {
    name: gates.Fixed(np.ones(shape))
    for name, shape in (("mean", (64, 3)), ("log_var", (64, 3)), ("image", (3, 64)))
}
PHASES = {"ramp": (3, 5), "freeze": 8}
LOSSES = ("loss", "elbo", "reconstruction", "kl", "penalty", "reconstruction_loss", "kl_loss")


def weights(vae):
    """Kernels and biases, in order of creation."""
    return [np.array(w) for w in vae.trainable_variables if w.name in ("kernel", "bias")]


def gate_parameters(vae):
    return [np.array(layer.gate.trainable_variables[0]) for layer in vae.gated_layers]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


# Logs and loss


@pytest.fixture(scope="module")
def trained(make_vae, images):
    """A gated VAE and its history: 4 epochs of 2 steps, one epoch in each phase."""
    vae = make_vae(
        "hard_concrete",
        objective=objectives.BetaVAE(3.0),
        control=sparsity.Strength(20.0, ramp=(2, 4), freeze=6),
        regularizer=keras.regularizers.L1(0.01),
        rate=1e-2,
    )
    history = vae.fit(images, batch_size=32, epochs=4, shuffle=False, verbose=0)
    return vae, {name: np.array(values) for name, values in history.history.items()}


def test_logs_are_complete(trained):
    vae, logs = trained
    wanted = {*LOSSES, "active_latents"}
    wanted |= {"density", "undecided", "sparsity_strength", "learning"}
    wanted |= {f"density/{layer.name}" for layer in vae.gated_layers}
    assert set(logs) == wanted
    assert all(np.isfinite(values).all() for values in logs.values())


def test_loss_is_objective_plus_penalty(trained):
    _, logs = trained
    np.testing.assert_allclose(logs["elbo"], -(logs["reconstruction"] + logs["kl"]), rtol=1e-5)
    expected = logs["reconstruction"] + 3 * logs["kl"] + logs["penalty"]
    np.testing.assert_allclose(logs["loss"], expected, rtol=1e-5)


def test_phases_in_the_logs(trained):
    vae, logs = trained
    np.testing.assert_array_equal(logs["learning"], [0, 1, 1, 0])
    np.testing.assert_array_equal(logs["sparsity_strength"], [0, 20, 20, 0])
    layer_weights = [np.prod(layer.gate.mask_shape) for layer in vae.gated_layers]
    by_layer = [logs[f"density/{layer.name}"] for layer in vae.gated_layers]
    mean = np.average(by_layer, axis=0, weights=layer_weights)
    np.testing.assert_allclose(logs["density"], mean, rtol=1e-5)
    assert logs["active_latents"].min() >= 0 and logs["active_latents"].max() <= 3


def test_the_penalty_is_strength_times_density_plus_regularizers(make_vae, images):
    vae = make_vae(
        gates.HardConcrete(),
        eager=True,
        control=sparsity.Strength(20.0, ramp=(0, 0)),
        regularizer=keras.regularizers.L2(0.1),
    )
    density = np.mean([np.mean(layer.gate.open_probability()) for layer in vae.gated_layers])
    expected = 20 * density + 0.1 * sum((w**2).sum() for w in weights(vae) if w.ndim > 1)
    logs = vae.train_on_batch(images, return_dict=True)
    np.testing.assert_allclose(logs["penalty"], expected, rtol=1e-5)


def test_a_plain_vae_logs_no_gates(make_vae, images):
    logs = make_vae(eager=True).fit(images, verbose=0).history
    assert set(logs) == {*LOSSES, "active_latents"}
    assert logs["penalty"] == [0.0]


def test_compiling_again_leaves_the_control_where_it_is(make_vae, images):
    """Its phases are the model's, not the optimizer's."""
    vae = make_vae("binary", eager=True, control=sparsity.Strength(1.0, ramp=(1, 1), freeze=3))
    assert vae.fit(images, batch_size=32, verbose=0).history["learning"] == [1.0]
    vae.compile("adam", run_eagerly=True)
    assert vae.fit(images, batch_size=64, verbose=0).history["learning"] == [1.0]
    vae.compile("adam", run_eagerly=True)
    assert vae.fit(images, batch_size=64, verbose=0).history["learning"] == [0.0]


# Limits


@pytest.fixture(scope="module")
def plain(make_vae, images):
    vae = make_vae(eager=True)
    vae.fit(images, batch_size=16, epochs=2, shuffle=False, verbose=0)
    return vae


@pytest.mark.parametrize(
    ("gate", "control"),
    [
        (ALL_OPEN, None),
        (ALL_OPEN, sparsity.Strength(0.0, ramp=(0, 4))),
        (ALL_OPEN, sparsity.Strength(0.0, ramp=(2, 4), freeze=6)),
        (gates.Continuous(), sparsity.Strength(50.0, ramp=(100, 200))),
        (ALL_ONES, None),
    ],
    ids=["no control", "strength 0", "0 in phases", "still open", "fixed"],
)
def test_open_gates_make_the_plain_vae(make_vae, images, plain, gate, control):
    vae = make_vae(gate, eager=True, control=control)
    vae.fit(images, batch_size=16, epochs=2, shuffle=False, verbose=0)
    assert_equal(weights(vae), weights(plain))
    np.testing.assert_array_equal(vae.codes(images), plain.codes(images))


def test_closed_links_are_without_effect(make_vae, images):
    """Fixed masks: the kernel behind a zero neither acts nor learns."""
    links = np.ones((3, 64))
    links[1] = 0
    masks = {"mean": np.ones((64, 3)), "log_var": np.ones((64, 3)), "image": links}
    vae = make_vae({name: gates.Fixed(mask) for name, mask in masks.items()}, eager=True)
    before = np.array(vae.decoder.get_layer("image").kernel)
    vae.fit(images, batch_size=16, verbose=0)
    after = np.array(vae.decoder.get_layer("image").kernel)
    np.testing.assert_array_equal(after[1], before[1])
    assert not np.array_equal(after[0], before[0])
    one, other = (vae.decode([[0.3, z, 0.1]]).mean() for z in (-5.0, 5.0))
    np.testing.assert_array_equal(one, other)


# Phases


@pytest.mark.parametrize("gate", ["hard_concrete", "binary", "annealed_sigmoid", "continuous"])
def test_gates_move_only_while_they_learn(make_vae, images, gate):
    """Not by a bit in the open and freeze phases, whatever momentum Adam has gathered."""
    control = sparsity.Strength(50.0, **PHASES)
    vae = make_vae(gate, eager=True, control=control, rate=1e-2)
    gates_after, weights_after = [gate_parameters(vae)], [weights(vae)]
    for _ in range(11):
        vae.train_on_batch(images[:16])
        gates_after.append(gate_parameters(vae))
        weights_after.append(weights(vae))

    def moved(pair):
        return [not np.array_equal(a, b) for a, b in zip(*pair, strict=True)]

    for step, pair in enumerate(itertools.pairwise(gates_after)):
        learning = 3 <= step < 8
        assert set(moved(pair)) == {learning}, f"step {step}"
    for pair in itertools.pairwise(weights_after):
        assert all(moved(pair))


def test_the_gates_optimizer_starts_when_they_do(make_vae, images):
    vae = make_vae(
        gates.AnnealedSigmoid(learning_rate_multiplier=1.0),
        eager=True,
        control=sparsity.Strength(50.0, **PHASES),
    )
    before = gate_parameters(vae)
    for _ in range(4):
        vae.train_on_batch(images[:16])
    assert int(vae.optimizer.iterations_of("gates")) == 1
    steps = [np.abs(a - b).max() for a, b in zip(gate_parameters(vae), before, strict=True)]
    np.testing.assert_allclose(steps, 1e-3, rtol=0.01)  # Adam's first step is its rate


def test_training_is_noise_free_in_the_open_phase(make_vae, images):
    """Two gates' seeds, one run: without noise in the masks only z is drawn."""
    control = sparsity.Strength(50.0, ramp=(100, 200))
    vaes = [make_vae("hard_concrete", eager=True, control=control) for _ in range(2)]
    for layer in vaes[1].gated_layers:
        layer.gate.n_draws.assign(7)
    for vae in vaes:
        vae.fit(images, batch_size=32, shuffle=False, verbose=0)
    assert_equal(weights(vaes[0]), weights(vaes[1]))


# Precision and ways of running


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_gates_and_codes_float32(make_vae, images, policy):
    keras.config.set_dtype_policy(policy)
    vae = make_vae("hard_concrete", control=sparsity.Strength(5.0, ramp=(1, 2)))
    logs = vae.fit(images, batch_size=16, epochs=2, verbose=0).history
    assert int(vae.optimizer.iterations) == 8
    assert np.isfinite(logs["loss"]).all() and logs["learning"] == [1.0, 1.0]
    assert vae.decoder.get_layer("image").compute_dtype == policy.removeprefix("mixed_")
    for layer in vae.gated_layers:
        assert {weight.dtype for weight in layer.gate.trainable_variables} == {"float32"}
        assert layer.gate.mask(training=True).dtype == tf.float32
        assert layer.kernel.dtype == "float32"
    assert vae.codes(images).dtype == np.float32
    assert vae.encode(images).dtype == tf.float32
    assert vae.elbo(images).dtype == tf.float32


def as_dataset(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(32)


FEEDS = {
    "uint8": lambda images: images,
    "float64": lambda images: images / 255,
    "tensor": tf.constant,
    "tf.data uint8": as_dataset,
    "tf.data float32": lambda images: as_dataset((images / 255).astype("float32")),
    "tf.data of tuples": lambda images: as_dataset(images).map(lambda x: (x,)),
    "tf.data of dicts": lambda images: as_dataset(images).map(lambda x: {"image": x}),
}


@pytest.mark.parametrize("feed", FEEDS)
def test_fit_takes_images_in_any_form(make_vae, images, feed):
    def train(x):
        vae = make_vae(eager=True)
        batch_size = {} if isinstance(x, tf.data.Dataset) else {"batch_size": 32}
        vae.fit(x, shuffle=False, verbose=0, **batch_size)
        return weights(vae)

    expected = train((images / 255).astype("float32"))
    for a, b in zip(train(FEEDS[feed](images)), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_fit_takes_one_callback_or_several(make_vae, images):
    class Steps(keras.callbacks.Callback):
        n = 0

        def on_train_batch_end(self, batch, logs=None):
            self.n += 1

    watchers = [Steps() for _ in range(3)]
    vae = make_vae(eager=True)
    vae.fit(images, batch_size=32, verbose=0, callbacks=watchers[0])
    vae.fit(images, batch_size=32, verbose=0, callbacks=watchers[1:])
    assert [watcher.n for watcher in watchers] == [2, 2, 2]


@pytest.fixture(scope="module")
def in_graph(make_vae, images):
    """Weights and gates after 8 steps of the compiled function, over all phases."""
    control = sparsity.Strength(20.0, **PHASES)

    def train(seed=0, steps=8, **kwargs):
        vae = make_vae("hard_concrete", control=control, rate=1e-2, seed=seed, **kwargs)
        batches = tf.data.Dataset.from_tensor_slices(images).batch(16).repeat()
        vae.fit(batches, steps_per_epoch=steps, verbose=0)
        return vae

    return train, train()


def test_same_seed_same_weights_to_the_bit(in_graph, values):
    train, vae = in_graph
    keras.random.normal((3,))  # whatever was run before
    assert_equal(values(train()), values(vae))


def test_another_seed_gives_other_weights(in_graph, make_vae):
    _, vae = in_graph
    for a, b in zip(weights(vae), weights(make_vae("hard_concrete", seed=1)), strict=True):
        assert not np.array_equal(a, b)


def test_steps_per_execution_changes_nothing(in_graph, values):
    train, vae = in_graph
    assert_equal(values(train(compile={"steps_per_execution": 4})), values(vae))


def test_eager_is_the_same_to_rounding(in_graph):
    train, vae = in_graph
    other = train(eager=True)
    pairs = [*zip(weights(other), weights(vae), strict=True)]
    pairs += zip(gate_parameters(other), gate_parameters(vae), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_jit_compile_trains(make_vae, images):
    """XLA draws other numbers from the same seed, so its run is another one."""
    control = sparsity.Strength(20.0, **PHASES)
    vae = make_vae({"image": "hard_concrete"}, control=control, compile={"jit_compile": True})
    vae.fit(images, batch_size=8, verbose=0)
    assert int(vae.optimizer.iterations) == 8 and int(vae.optimizer.iterations_of("gates")) == 5
    assert all(np.isfinite(w).all() for w in weights(vae) + gate_parameters(vae))


def test_evaluate_repeats_and_leaves_the_model_alone(in_graph, images, values):
    _, vae = in_graph
    before = values(vae)
    first, again = (
        vae.evaluate(images, batch_size=16, verbose=0, return_dict=True) for _ in range(2)
    )
    assert first == again
    assert set(first) == {*LOSSES, "active_latents"}
    assert first["penalty"] == 0  # frozen
    assert_equal(values(vae), before)


def test_evaluate_draws_anew_for_each_batch(make_vae, images):
    """A set of one image in four batches: equal draws would make the mean that of one batch."""
    vae = make_vae(eager=True)
    x = np.repeat(images[:1], 8, axis=0)
    one = vae.evaluate(x[:2], batch_size=2, verbose=0, return_dict=True)["elbo"]
    four = vae.evaluate(x, batch_size=2, verbose=0, return_dict=True)["elbo"]
    assert one != four


def test_density_falls_as_strength_grows(make_vae, images):
    def density(strength):
        control = sparsity.Strength(strength, ramp=(20, 60), freeze=110)
        vae = make_vae("hard_concrete", control=control, rate=3e-3)
        batches = tf.data.Dataset.from_tensor_slices(images).batch(16).repeat()
        return vae.fit(batches, steps_per_epoch=120, verbose=0).history["density"][-1]

    low, middle, high = (density(strength) for strength in (0.0, 30.0, 3000.0))
    assert 1 >= low > middle > high >= 0
    assert low > 0.9 and high < 0.1
