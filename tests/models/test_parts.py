"""Objectives and controls as users write them: tracked, trained, saved, changed on the way."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sparsevae import gates, models, objectives, sparsity
from sparsevae.layers import GatedDense
from sparsevae.models.checkpoints import load_state, save_state
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("tests")
class Guesses(objectives.Objective):
    """A network of its own guesses the brightness of an image from z, and helps to code it."""

    loss_names = ("fit", "divergence", "guess")

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        layers = [keras.layers.Dense(units, "tanh"), keras.layers.Dense(1)]
        self.network = keras.Sequential(layers)  # not built before it is called

    def losses(self, context):
        brightness = tf.reduce_mean(context.batch.images, axis=(1, 2, 3))
        wrong = tf.square(self.network(context.terms.z)[:, 0] - brightness)
        return {
            "fit": -context.mean(context.terms.log_likelihood),
            "divergence": context.mean(context.terms.kl),
            "guess": context.mean(wrong),
        }

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("tests")
class Opponent(objectives.Objective):
    """A discriminator with an optimizer of its own, trained against the model."""

    loss_names = ("fit", "divergence", "fool", "spot")
    strength = Setting()

    def __init__(self, strength=1.0, **kwargs):
        super().__init__(**kwargs)
        self.strength = strength
        self.optimizer = keras.optimizers.Adam(1e-2, beta_1=0.5)

    def build(self, input_shape):
        self.network = keras.Sequential([keras.Input(input_shape["z"][1:]), keras.layers.Dense(1)])

    def losses(self, context):
        strength = self.value_of("strength", context.step)
        return {
            "fit": -context.mean(context.terms.log_likelihood),
            "divergence": context.mean(context.terms.kl),
            "fool": -strength * context.mean(self.network(context.terms.z)[:, 0]),
        }

    def own_losses(self, context):
        z = tf.stop_gradient(context.terms.z)
        return {"spot": context.mean(tf.nn.softplus(self.network(z)[:, 0]))}


@keras.saving.register_keras_serializable("tests")
class Target(sparsity.Control):
    """A price that rises while the model is denser than wanted: one multiplier."""

    rate = Setting()

    def __init__(self, density, rate=100.0, **kwargs):
        super().__init__(**kwargs)
        self.density, self.rate = density, rate

    def build(self, input_shape=None):
        super().build(input_shape)
        self.multiplier = self.add_weight(name="multiplier", initializer="zeros", trainable=False)

    def learning(self, step):
        return keras.ops.cast(keras.ops.greater_equal(step, 2), "float32")

    def progress(self, step):
        return self.learning(step)

    def penalty(self, layers):
        return self.multiplier * sum(layer.mean_cost() for layer in layers) / len(layers)

    def end_step(self, layers, updated, optimizer=None):
        density = sum(keras.ops.mean(layer.gate.open_probability()) for layer in layers)
        over = density / len(layers) - self.density
        learned = self.value_of("rate", self.n_steps) * over * self.learning(self.n_steps)
        self.multiplier.assign(keras.ops.maximum(0.0, self.multiplier + learned * updated))
        super().end_step(layers, updated, optimizer)

    def logs(self, step):
        return {"multiplier": self.multiplier, **super().logs(step)}

    def get_config(self):
        return {**super().get_config(), "density": self.density}


def fit(vae, images, first=0, last=1, *callbacks, **kwargs):
    return vae.fit(
        images,
        batch_size=32,
        initial_epoch=first,
        epochs=last,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **kwargs,
    ).history


def arrays(variables):
    return [np.array(v) for v in variables]


def moved(before, variables):
    return [not np.array_equal(a, b) for a, b in zip(before, variables, strict=True)]


PARTS = {
    "network": lambda: {"objective": Guesses(3)},
    "opponent": lambda: {"objective": Opponent(2.0)},
    "multiplier": lambda: {"control": Target(0.3)},
    "both": lambda: {"objective": Opponent(0.5), "control": Target(0.3)},
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_are_tracked_trained_logged_saved_and_resumed(
    make_vae, images, values, kind, tmp_path
):
    def make():
        parts = PARTS[kind]()
        vae = make_vae("hard_concrete", rate=1e-2, objective=parts.get("objective"))
        vae.control = parts.get("control", sparsity.Strength(5.0, ramp=(2, 4)))
        vae.compile(keras.optimizers.Adam(1e-2))
        return vae

    vae = make()
    own = arrays(vae.objective.trainable_variables)
    assert {id(v) for v in vae.objective.variables} <= {id(v) for v in vae.variables}
    history = fit(vae, images, 0, 3)
    assert set(vae.objective.loss_names) <= set(history)
    assert np.isfinite([history[name] for name in vae.objective.loss_names]).all()
    assert all(moved(own, vae.objective.trainable_variables))
    if "control" in PARTS[kind]():
        assert history["multiplier"][0] == 0 < history["multiplier"][-1]
        assert float(vae.control.multiplier) > 0
    vae.save(tmp_path / "model.keras")
    save_state(vae, tmp_path / "state.npz")
    from_keras, from_state = keras.saving.load_model(tmp_path / "model.keras"), make()
    load_state(from_state, tmp_path / "state.npz")
    for model in (vae, from_keras, from_state):
        fit(model, images, 3, 5)
    for model in (from_keras, from_state):
        for a, b in zip(values(model), values(vae), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_opponent_is_trained_by_its_own_loss_and_optimizer_only(make_vae, images):
    """And the model by the rest: with either loss switched off, that side stands still."""
    vae = make_vae(eager=True, objective=Opponent(0.0))
    plain = make_vae(eager=True)
    before = arrays(vae.objective.trainable_variables)
    for model in (vae, plain):
        model.train_on_batch(images[:16])
    networks = [model.encoder.weights + model.decoder.weights for model in (vae, plain)]
    for a, b in zip(*networks, strict=True):
        np.testing.assert_array_equal(a, b)
    after = vae.objective.trainable_variables
    steps = [np.abs(a - b).max() for a, b in zip(before, after, strict=True)]
    np.testing.assert_allclose(steps, 1e-2, rtol=0.02)  # its Adam's first step


@pytest.mark.parametrize("kind", [Guesses, Opponent])
def test_the_total_is_the_sum_of_the_named_losses_and_the_penalty(make_vae, images, kind):
    """Without the objective's own losses, which train nothing else."""
    kwargs = {"control": sparsity.Strength(5.0, ramp=(0, 0))}
    regularizer = keras.regularizers.L2(0.1)
    vae = make_vae("binary", objective=kind(), regularizer=regularizer, **kwargs)
    history = fit(vae, images, validation_data=images)
    for prefix in ("", "val_"):
        parts = [history[prefix + name][0] for name in (*kind.loss_names[:3], "penalty")]
        assert history[prefix + "penalty"][0] > 1
        np.testing.assert_allclose(history[prefix + "loss"][0], sum(parts), rtol=1e-5)


# Changed while the model trains


class Change(keras.callbacks.Callback):
    """Calls a function of the model before epoch 1, or before batch 1 of epoch 0."""

    def __init__(self, change, batch=False):
        super().__init__()
        self.change, self.batch = change, batch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and not self.batch:
            self.change(self.model)

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1 and self.batch:
            self.change(self.model)


@keras.saving.register_keras_serializable("tests")
class Weighted(objectives.BetaVAE):
    """An objective with a plain Python attribute."""

    weight = 1.0

    def losses(self, context):
        return {name: self.weight * loss for name, loss in super().losses(context).items()}


def set_beta(vae):
    vae.objective.beta = 1e4


def set_schedule(vae):
    vae.objective.beta = keras.optimizers.schedules.PolynomialDecay(1e4, 100, 1e4)


def set_objective(vae):
    vae.objective = objectives.BetaVAE(1e4)


def set_attribute(vae):
    vae.objective.weight = 1e4


def set_strength(vae):
    vae.control.strength = 1e6


def set_control(vae):
    vae.control = sparsity.Strength(1e6, ramp=(0, 0))


CHANGES = [set_beta, set_schedule, set_objective, set_attribute, set_strength, set_control]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_is_changed_between_epochs_takes_effect(make_vae, images, change):
    gate = {"image": gates.Binary("threshold")}
    control = sparsity.Strength(10.0, ramp=(0, 0))
    vae = make_vae(gate, objective=Weighted(1.0), control=control, rate=0.0)
    loss = fit(vae, images, 0, 2, Change(change), validation_data=images)
    assert loss["loss"][1] > 20 * loss["loss"][0] and loss["val_loss"][1] > 20 * loss["val_loss"][0]
    if change in (set_strength, set_control):
        assert loss["sparsity_strength"] == [10, 1e6]


@pytest.mark.parametrize("change", [set_beta, set_attribute, set_strength])
def test_what_is_changed_between_batches_takes_effect(make_vae, images, change):
    gate = {"image": gates.Binary("threshold")}
    control = sparsity.Strength(10.0, ramp=(0, 0))
    vae = make_vae(gate, objective=Weighted(1.0), control=control, rate=0.0)
    (before,) = fit(vae, images)["loss"]
    (after,) = fit(vae, images, 0, 1, Change(change, batch=True))["loss"]
    assert after > 20 * before


def test_a_number_changed_by_a_callback_is_not_traced_anew(make_vae, images):
    vae = make_vae(rate=0.0)
    fit(vae, images)
    function = vae.train_function
    fit(vae, images, 0, 2, Change(set_beta))
    assert vae.train_function is function


@pytest.mark.parametrize("every", [None, 2])
def test_beta_as_a_schedule_follows_the_updates(make_vae, images, tmp_path, every):
    """Of which there is one for every two batches where gradients are accumulated."""
    warm_up = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 8.0)
    vae = make_vae(objective=objectives.BetaVAE(warm_up))
    vae.compile(keras.optimizers.SGD(0.0, gradient_accumulation_steps=every))
    shares = []
    for _ in range(6):
        logs = vae.train_on_batch(images[:8], return_dict=True)
        shares.append(logs["kl_loss"] / logs["kl"])
    expected = [0, 2, 4, 6, 8, 8] if every is None else [0, 0, 2, 2, 4, 4]
    np.testing.assert_allclose(shares, expected, rtol=1e-5)
    vae.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.objective.beta, keras.optimizers.schedules.PolynomialDecay)


def test_an_objective_with_weights_needs_a_new_compile(make_vae, images):
    vae = make_vae()
    fit(vae, images)
    vae.objective = Guesses()
    with pytest.raises(ValueError, match="call `compile` again"):
        fit(vae, images)
    vae.compile("adam")
    assert "guess" in fit(vae, images)
    own = {id(variable) for variable in vae.objective.variables}
    assert own <= {id(variable) for variable in vae.variables}
    vae.objective = objectives.BetaVAE(1.0)
    assert not own & {id(variable) for variable in vae.variables}


# Refused


class Unsaved(objectives.BetaVAE):
    def __init__(self, power=2, **kwargs):
        super().__init__(**kwargs)
        self.power = power


class Unmade(objectives.Objective):
    loss_names = ("loss_of_mine",)

    def __init__(self, table, **kwargs):
        super().__init__(**kwargs)
        self.table = table

    def losses(self, context):
        return {}

    def get_config(self):
        return {**super().get_config(), "table": self.table}


class Collides(objectives.BetaVAE):
    loss_names = ("elbo", "kl_loss")


class Nameless(objectives.BetaVAE):
    loss_names = ()


REFUSED = {
    "function": (lambda: len, TypeError, "a function could not be saved"),
    "class": (lambda: objectives.BetaVAE, TypeError, "`objective`"),
    "lost argument": (Unsaved, ValueError, "without power"),
    "no JSON": (lambda: Unmade(object()), ValueError, "can be saved"),
    "name of a log": (Collides, ValueError, "`loss_names` of Collides"),
    "no names": (Nameless, ValueError, "`loss_names`"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_an_objective_that_cannot_be_saved_or_logged_is_refused_at_once(make_vae, kind):
    make, error, message = REFUSED[kind]
    with pytest.raises(error, match=message) as caught:
        make_vae(objective=make())
    assert "\n" not in str(caught.value)


def test_losses_of_other_names_are_refused(make_vae, images):
    class Other(objectives.BetaVAE):
        loss_names = ("mine", "yours")

    with pytest.raises(ValueError, match=r"`losses` of Other must give.*mine, yours"):
        make_vae(objective=Other(), eager=True).train_on_batch(images[:4])


@pytest.mark.parametrize("control", [5, "strength", sparsity.Strength])
def test_what_is_no_control_is_refused(make_vae, control):
    vae = make_vae()
    with pytest.raises(TypeError, match="`control` must be a control"):
        vae.control = control


# Uses of one layer


@pytest.mark.parametrize("eager", [True, False])
def test_a_layer_used_twice_in_one_step_has_one_mask(images, eager):
    """In one network, in two networks, and on two images of one pair of weights."""
    layer = GatedDense(
        64, use_bias=False, gate=gates.HardConcrete(seed=0), kernel_initializer="identity"
    )
    x = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(x)
    difference = keras.layers.Subtract()([layer(flat), layer(flat)])
    encoder = keras.Model(x, [difference, keras.layers.Dense(64)(flat)])
    z = keras.Input((64,))
    decoder = keras.Model(z, keras.layers.Reshape((8, 8, 1))(layer(z)))
    seen = []

    @keras.saving.register_keras_serializable("tests", name=f"Sees{eager}")
    class Sees(objectives.BetaVAE):
        def losses(self, context):
            both = context.decoder(context.terms.z, training=context.training)
            same = tf.reduce_max(tf.abs(context.decoded - both))
            mean = tf.reduce_max(tf.abs(context.terms.posterior.mean()))
            tf.py_function(lambda *found: seen.append([float(f) for f in found]), [same, mean], [])
            return super().losses(context)

    vae = models.SparseVAE(encoder, decoder, objective=Sees())
    vae.compile(keras.optimizers.SGD(1e-4), run_eagerly=eager)
    vae.fit(images, batch_size=32, verbose=0)
    np.testing.assert_array_equal(seen, np.zeros((2, 2)))
    assert int(layer.gate.n_draws) == 2


def test_a_plain_keras_model_draws_once_a_call_and_anew_each_step():
    layer = GatedDense(4, use_bias=False, gate=gates.HardConcrete(seed=0, initial_density=0.5))
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Subtract()([layer(x), layer(x)]))
    ones = np.ones((1, 4), "float32")
    assert not np.asarray(model(ones, training=True)).any()
    assert int(layer.gate.n_draws) == 1
    one = keras.Model(x, layer(x))
    assert not np.array_equal(one(ones, training=True), one(ones, training=True))
