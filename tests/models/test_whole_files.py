"""Seeds, frozen parts, optimizers of a part's own: whatever is saved goes on exactly."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sparsevae import models, objectives, sparsity
from sparsevae.models.checkpoints import load_state, save_state
from sparsevae.sparsity import gated_layers

X = (np.random.default_rng(0).random((64, 8, 8, 1)) > 0.5).astype("float32")


@keras.saving.register_keras_serializable("whole_files")
class Critic(objectives.Objective):
    """A network with Dropout and an optimizer of its own, if one is given."""

    loss_names = ("fit", "divergence", "fool", "spot")

    def __init__(self, own=None, dtype_of_head=None, **kwargs):
        super().__init__(**kwargs)
        self.own, self.dtype_of_head = own, dtype_of_head
        self.optimizer = own and keras.optimizers.get(own)

    def build(self, input_shape):
        self.head = keras.Sequential(
            [
                keras.Input(input_shape["z"][1:]),
                keras.layers.Dropout(0.3, seed=5),
                keras.layers.Dense(
                    1, kernel_initializer=keras.initializers.Ones(), dtype=self.dtype_of_head
                ),
            ]
        )

    def losses(self, context):
        return {
            "fit": -context.mean(context.terms.log_likelihood),
            "divergence": context.mean(context.terms.kl),
            "fool": tf.reduce_mean(self.head(context.terms.z, training=context.training)),
        }

    def own_losses(self, context):
        z = tf.stop_gradient(context.terms.z)
        return {"spot": -tf.reduce_mean(self.head(z, training=context.training))}

    def get_config(self):
        config = {"own": self.own, "dtype_of_head": self.dtype_of_head}
        return {**super().get_config(), **config}


def sgd(**settings):
    return keras.optimizers.serialize(keras.optimizers.SGD(**settings))


def make(seed=0, **kwargs):
    return models.mlp_vae((8, 8, 1), 2, hidden=8, seed=seed, **kwargs)


def fit(vae, first=0, last=1, **kwargs):
    return vae.fit(
        X, batch_size=16, initial_epoch=first, epochs=last, shuffle=False, verbose=0, **kwargs
    )


def arrays(variables):
    return [np.array(v) for v in variables]


def moved(before, after):
    return max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))


def gated_with_critic():
    vae = make(objective=Critic(sgd(learning_rate=0.1)), gate="hard_concrete")
    vae.compile(keras.optimizers.Adam(1e-2))
    return vae


@pytest.fixture(scope="module")
def unbroken():
    """Variables after two epochs without a break."""
    whole = gated_with_critic()
    fit(whole, 0, 2)
    return arrays(whole.variables)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder of what one model saved after its first epoch, in each way."""
    folder = tmp_path_factory.mktemp("half")
    half = gated_with_critic()
    fit(half, 0, 1)
    half.save(folder / "a.keras")
    half.save_weights(folder / "a.weights.h5")
    save_state(half, folder / "a.npz")
    return folder


@pytest.mark.parametrize("how", ["keras", "weights", "state"])
def test_seeds_of_an_objective_go_on(unbroken, files, how):
    if how == "keras":
        half = keras.saving.load_model(files / "a.keras")
    else:
        half = gated_with_critic()
        if how == "weights":
            half.load_weights(files / "a.weights.h5")
        else:
            load_state(half, files / "a.npz")
    fit(half, 1, 2)
    assert moved(unbroken, arrays(half.variables)) == 0


@pytest.mark.parametrize("frozen", ["encoder", "decoder", "gate"])
def test_what_was_frozen_after_compile_is_loaded_with_its_optimizer(tmp_path, frozen):
    whole = make(gate="hard_concrete")
    whole.compile(keras.optimizers.Adam(1e-2))
    fit(whole, 0, 1)
    part = gated_layers(whole.encoder)[0].gate if frozen == "gate" else getattr(whole, frozen)
    part.trainable = False
    fit(whole, 1, 2)
    whole.save(tmp_path / "a.keras")
    half = keras.saving.load_model(tmp_path / "a.keras")
    assert int(half.optimizer.iterations) == 8
    fit(whole, 2, 3)
    fit(half, 2, 3)
    assert moved(arrays(whole.variables), arrays(half.variables)) == 0


def head_moves(vae, **kwargs):
    before = arrays(vae.objective.trainable_variables)
    fit(vae, **kwargs)
    return moved(before, arrays(vae.objective.trainable_variables))


def with_critic(**settings):
    vae = make(objective=Critic(sgd(**settings)))
    vae.compile(keras.optimizers.SGD(0.0))
    return vae


def test_an_optimizer_of_ones_own_clips_and_decays():
    plain = head_moves(with_critic(learning_rate=0.1))
    assert plain > 1e-3
    for clip in ("clipnorm", "clipvalue", "global_clipnorm"):
        assert head_moves(with_critic(learning_rate=0.1, **{clip: 1e-6})) < 1e-5
    vae = with_critic(learning_rate=0.1, weight_decay=10.0, clipnorm=1e-9)
    fit(vae)
    kernel = vae.objective.trainable_variables[0]
    np.testing.assert_allclose(kernel, 0, atol=1e-6)  # each step takes all of it


def test_its_learning_rate_may_be_changed_any_time(tmp_path):
    vae = with_critic(learning_rate=0.1)
    assert head_moves(vae) > 1e-3
    vae.objective.optimizer.learning_rate = 0.0
    assert head_moves(vae) == 0
    vae.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert head_moves(loaded) == 0
    loaded.objective.optimizer.learning_rate = 0.1
    assert head_moves(loaded) > 1e-3


def test_another_optimizer_of_an_objective_needs_compile():
    vae = with_critic(learning_rate=0.1)
    fit(vae)
    vae.objective.optimizer = keras.optimizers.SGD(0.0)
    with pytest.raises(ValueError, match="`optimizer` of the objective was replaced: call `compil"):
        fit(vae)
    vae.compile(keras.optimizers.SGD(0.0))
    assert head_moves(vae) == 0
    vae.objective.optimizer = None
    vae.compile(keras.optimizers.SGD(0.1))
    assert head_moves(vae) > 1e-3


@pytest.mark.parametrize(
    ("optimizer", "error", "match"),
    [
        (keras.optimizers.SGD(use_ema=True), ValueError, "`use_ema` of a group's own optimizer"),
        (
            keras.optimizers.SGD(gradient_accumulation_steps=2),
            ValueError,
            "`gradient_accumulation_steps` of a group's own",
        ),
        (keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), TypeError, "wraps no other"),
    ],
)
def test_what_cannot_train_a_part_is_refused(optimizer, error, match):
    objective = Critic()
    objective.optimizer = optimizer
    with pytest.raises(error, match=match):
        make(objective=objective)


def test_without_its_control_a_model_learns_gates():
    vae = make(gate="hard_concrete", control=sparsity.Strength(5.0, (100, 200)))
    vae.compile(keras.optimizers.Adam(1e-2))
    variables = [layer.gate.trainable_variables[0] for layer in vae.gated_layers]
    before = arrays(variables)
    fit(vae)
    assert moved(before, arrays(variables)) == 0
    vae.control = None
    fit(vae)
    assert moved(before, arrays(variables)) > 0
    assert all(float(layer.gate.begun) for layer in vae.gated_layers)


def test_optimizers_that_trained_something_else_are_refused():
    first, second = make(), make()
    adam = keras.optimizers.Adam()
    first.compile(adam)
    with pytest.raises(ValueError, match="has trained other variables: make a new one, Adam"):
        second.compile(adam)
    first.objective = Critic(sgd(learning_rate=0.1))
    with pytest.raises(ValueError, match="`optimizer` was built for other weights: give a new"):
        first.compile(first.optimizer)
    with pytest.raises(ValueError, match="`optimizer` must be a Keras optimizer"):
        first.compile(None)


def test_the_same_optimizer_again_keeps_the_moments_of_gates():
    vae = make(gate="hard_concrete")
    adam = keras.optimizers.Adam(1e-2)
    vae.compile(adam)
    fit(vae)
    before = arrays(vae.optimizer.variables)
    vae.compile(adam)
    assert moved(before, arrays(vae.optimizer.variables)) == 0
    assert int(vae.optimizer.iterations_of("gates")) == 4


# Losses


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_losses_may_come_in_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    vae = make(objective=Critic(sgd(learning_rate=0.1), dtype_of_head=policy))
    vae.compile(keras.optimizers.Adam(1e-3))
    history = fit(vae).history
    assert np.isfinite(history["fool"]).all()


@keras.saving.register_keras_serializable("whole_files")
class Odd(objectives.Objective):
    """Gives what it is told to."""

    loss_names = ("a", "b")
    gives = None

    def losses(self, context):
        return type(self).gives(context)


@pytest.mark.parametrize(
    ("gives", "match"),
    [
        (lambda context: None, "`losses` of Odd must give a dict .*Received: a NoneType"),
        (lambda context: [context.terms.kl], "Received: a list"),
        (lambda context: {"a": context.terms.kl}, r"must give scalars.*a of shape \(16,\)"),
    ],
)
def test_losses_that_are_none_are_named(monkeypatch, gives, match):
    monkeypatch.setattr(Odd, "gives", staticmethod(gives))
    vae = make(objective=Odd())
    vae.compile("adam")
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        fit(vae)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [2, np.float64(2.0)])
def test_losses_may_be_plain_numbers(monkeypatch, value):
    gives = staticmethod(lambda context: {"a": -context.mean(context.terms.elbo), "b": value})
    monkeypatch.setattr(Odd, "gives", gives)
    vae = make(objective=Odd())
    vae.compile("adam")
    assert fit(vae).history["b"] == [2.0]


@pytest.mark.parametrize(
    ("field", "value"),
    [("uses", frozenset({"masks"})), ("uses", "weight"), ("needs", frozenset({"labels"}))],
)
def test_fields_that_do_not_exist_are_refused(monkeypatch, field, value):
    monkeypatch.setattr(Odd, field, value)
    with pytest.raises(ValueError, match=f"`{field}` of Odd must be a set of some of"):
        make(objective=Odd())


# Files and small things


def test_export_works_after_fit_and_before(tmp_path):
    for number, trained in enumerate((False, True)):
        vae = make()
        vae.compile("adam")
        if trained:
            fit(vae)
        vae.export(tmp_path / str(number), verbose=False)
        loaded = tf.saved_model.load(tmp_path / str(number))
        np.testing.assert_allclose(loaded.serve(X[:3]), vae(X[:3]), atol=1e-5)


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5"])
def test_a_format_that_could_not_be_loaded_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"`filepath` must end in \.keras.*save_weights"):
        make().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "validation_data"])
def test_an_empty_data_set_is_refused(method):
    vae = make()
    vae.compile("adam")
    empty = tf.data.Dataset.from_tensor_slices(X).batch(8).take(0)
    calls = {
        "fit": lambda: vae.fit(empty, verbose=0),
        "evaluate": lambda: vae.evaluate(empty, verbose=0),
        "predict": lambda: vae.predict(empty, verbose=0),
        "validation_data": lambda: vae.fit(X, validation_data=empty, verbose=0),
    }
    with pytest.raises(ValueError, match=r"must have at least one batch. Received: an empty data"):
        calls[method]()


@pytest.mark.parametrize("value", [0, -1, 2.5, True])
def test_batch_sizes_that_are_none_are_refused(value):
    vae = make()
    vae.compile("adam")
    for call in (vae.fit, vae.evaluate, vae.predict):
        with pytest.raises((ValueError, TypeError), match="`batch_size` must be an integer"):
            call(X, batch_size=value, verbose=0)


def test_variables_are_images_too():
    vae = make()
    np.testing.assert_array_equal(vae.codes(tf.Variable(X)), vae.codes(X))


def test_what_is_hardly_beyond_1_is_told(capsys):
    with pytest.raises(ValueError, match=r"values from 0 to 1\.0000001"):
        make().codes(X * np.float32(1.0000001))


@pytest.mark.parametrize("ramp", [5, "ab", (1,), (2, 1), (None, 3), True])
def test_ramps_that_are_none_are_refused(ramp):
    with pytest.raises(ValueError, match="`ramp` must be two steps"):
        sparsity.Strength(1.0, ramp)


def test_seeds_that_are_none_are_refused():
    for seed in (None, 1.5, "a", 2**40):
        with pytest.raises((TypeError, ValueError), match="`seed`"):
            models.SparseVAE(*make_networks(), seed=seed)


def make_networks():
    vae = make()
    return vae.encoder, vae.decoder
