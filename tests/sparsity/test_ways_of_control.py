"""Controls under the ways in which Keras trains: updates, files, loops of one's own."""

import keras
import numpy as np
import pytest
import zoo
from keras import layers, ops
from small import (
    CONTROLS,
    EAGER,
    X,
    Y,
    assert_equal,
    kernels,
    masks,
    regression,
    sparse,
    state,
    steps,
    train,
)

import sparsevae as sv
from sparsevae import gates
from sparsevae.sparsity import MagnitudePruning, RigL, Strength, TargetDensity, TopK

optimizers = keras.optimizers
PAIRS = [(graph, [*CONTROLS][k % len(CONTROLS)]) for k, graph in enumerate(zoo.SMALL)]
ALL_PAIRS = [
    pytest.param(graph, control, marks=() if (graph, control) in PAIRS else pytest.mark.slow)
    for graph in zoo.ZOO
    for control in CONTROLS
]


@pytest.mark.parametrize(("graph", "control"), ALL_PAIRS)
def test_two_fits_on_every_graph_are_one_run(graph, control):
    model = zoo.ZOO[graph]()
    x, y = zoo.data(model)
    model = sv.sparsify(model, control=CONTROLS[control](8))
    model.compile(optimizers.Adam(0.01), "mse")
    for _ in range(2):
        history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    assert int(model.control.n_steps) == 8
    assert all(np.isfinite(values).all() for values in history.values())
    n = sum(np.prod(layer.gate.mask_shape) for layer in model.gated_layers)
    n_open = sum(mask.sum() for mask in masks(model))
    if control not in ("strength", "distortion"):
        assert n_open == np.floor(0.5 * n + 0.5)
    assert history["density"][-1] == pytest.approx(n_open / n)


def test_masks_move_by_updates_not_by_accumulated_batches():
    control = MagnitudePruning(0.5, 1, 2, 1)
    model = sparse(control, optimizer=optimizers.Adam(0.01, gradient_accumulation_steps=2))
    found = [(int(control.n_steps), sum(m.sum() for m in masks(model))) for _ in steps(model, 5)]
    assert found == [(0, 50), (1, 50), (1, 50), (2, 25), (2, 25)]


@pytest.mark.parametrize("name", ["top_k", pytest.param("target_density", marks=pytest.mark.slow)])
def test_several_steps_per_execution_and_jit_are_the_same_run(name):
    found = []
    for more in ({}, {"steps_per_execution": 2}, {"jit_compile": True}):
        model = sparse(CONTROLS[name](8), optimizer=optimizers.SGD(0.05), run_eagerly=False, **more)
        model.fit(np.tile(X, (8, 1)), np.tile(Y, (8, 1)), 16, shuffle=False, verbose=0)
        found.append([*kernels(model), *masks(model)])
        assert int(model.control.n_steps) == 8
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype_policy", ["mixed_float16"], indirect=True)
def test_a_step_that_overflowed_is_none(dtype_policy):
    control = TopK(0.5, 0, 2)
    model = sparse(control, optimizer=optimizers.SGD(1e-3))
    model.optimizer.dynamic_scale.assign(2.0**60)
    train(model, 1)
    assert dtype_policy == model.gated_layers[0].dtype_policy.name
    assert int(control.n_steps) == 0 and masks(model)[0].all()
    model.optimizer.dynamic_scale.assign(2.0)
    train(model, 2)
    assert int(control.n_steps) == 2
    assert [m.sum() for m in masks(model)] == [15, 10]


ALONG = {
    "average": lambda: optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    "clipping": lambda: optimizers.SGD(0.1, global_clipnorm=0.5),
    "decay": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "schedule": lambda: optimizers.Adam(optimizers.schedules.CosineDecay(0.01, 6)),
}


@pytest.mark.parametrize("way", ALONG)
@pytest.mark.parametrize("name", ["rigl", "target_density"])
def test_densities_are_exact_under_any_optimizer(name, way):
    model = sparse(CONTROLS[name](12), optimizer=ALONG[way]())
    train(model, 12)
    assert sum(m.sum() for m in masks(model)) == 25
    model.optimizer.finalize_variable_values(model.trainable_variables)  # as `fit` ends
    assert sum(m.sum() for m in masks(model)) == 25
    for kernel, mask in zip(kernels(model), masks(model), strict=True):
        assert not kernel[~mask].any()


@pytest.mark.parametrize("name", CONTROLS)
def test_a_file_of_mid_training_goes_on_as_if_unbroken(name, tmp_path):
    model = sparse(CONTROLS[name](12))
    train(model, 6)
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = sparse(CONTROLS[name](12))
    again.load_weights(tmp_path / "model.weights.h5")  # with those of the optimizer
    assert_equal(state(again), state(model))
    for each in (model, loaded, again):
        train(each, 6)
    assert_equal(state(loaded), state(model))
    assert_equal(state(again), state(model))
    for a, b in zip(masks(loaded), masks(model), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype_policy", ["mixed_float16"], indirect=True)
@pytest.mark.parametrize("explicit", [True, False])
def test_the_scale_of_the_loss_is_in_the_file(dtype_policy, explicit, tmp_path):
    """A scale of which the first steps overflow; built once, as by Keras."""
    adam = optimizers.Adam(0.01)
    given = optimizers.LossScaleOptimizer(adam, initial_scale=2.0**20) if explicit else adam
    model = sparse(RigL.over(0.5, 12), optimizer=given)
    train(model, 6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_equal(state(loaded), state(model))
    for each in (model, loaded):
        each.compile(each.optimizer, "mse", run_eagerly=EAGER)
        train(each, 6)
    assert dtype_policy == model.gated_layers[0].dtype_policy.name
    assert_equal(state(loaded), state(model))


def twins(second, n_second=8):
    """Two towers; names of the first one's layer and of the second's, a path alike if these are."""

    def tower(units, layer, name):
        inputs = keras.Input((6,))
        return keras.Model(inputs, layers.Dense(units, name=layer)(inputs), name=name)

    inputs = keras.Input((6,))
    both = [tower(8, "same", "one")(inputs), tower(n_second, second, "other")(inputs)]
    return keras.Model(inputs, layers.Dense(4, name="out")(layers.Concatenate()(both)))


@pytest.mark.parametrize("n_second", [8, 3])
def test_layers_of_one_path_each_follow_their_own_gradient(n_second, tmp_path):
    models = [
        sparse(RigL.over(0.5, 12), lambda name=name: twins(name, n_second))
        for name in ("same", "different")
    ]
    assert len({layer.kernel.path for layer in models[0].gated_layers}) == 2
    train(models[0], 6)
    models[0].save(tmp_path / "model.keras")
    models[0] = keras.saving.load_model(tmp_path / "model.keras")
    train(models[0], 6)
    train(models[1], 12)
    assert_equal(masks(models[0]), masks(models[1]))
    assert_equal(kernels(models[0]), kernels(models[1]))


class Breaks(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["rigl", "target_density"])
def test_a_run_that_broke_off_is_taken_up_by_backup_and_restore(name, tmp_path):
    x, y, options = np.tile(X, (2, 1)), np.tile(Y, (2, 1)), {"batch_size": 16, "verbose": 0}

    def fit(model, *callbacks):
        model.fit(x, y, epochs=4, shuffle=False, callbacks=list(callbacks), **options)

    unbroken = sparse(CONTROLS[name](8))
    fit(unbroken)
    backup = {"backup_dir": str(tmp_path / "backup"), "delete_checkpoint": False}
    with pytest.raises(KeyboardInterrupt):
        fit(sparse(CONTROLS[name](8)), keras.callbacks.BackupAndRestore(**backup), Breaks())
    resumed = sparse(CONTROLS[name](8))
    fit(resumed, keras.callbacks.BackupAndRestore(**backup))
    assert int(resumed.control.n_steps) == 8
    assert_equal(state(resumed), state(unbroken))


@pytest.mark.parametrize("name", ["top_k", "target_density", "distortion"])
def test_validation_and_prediction_change_nothing(name):
    model = sparse(CONTROLS[name](8))
    train(model, 4)
    before = [np.array(v) for v in model.weights]
    first = model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    assert_equal([np.array(v) for v in model.weights], before)
    assert model.evaluate(X, Y, verbose=0) == first
    output = ops.convert_to_numpy(model(X, training=False))
    np.testing.assert_allclose(first, np.mean((output - Y) ** 2), rtol=1e-5)


def test_controls_may_be_removed_and_replaced_between_steps():
    model = sparse(TopK(0.5, 0, 2))
    train(model, 3)
    kept = masks(model)
    model.control = None
    train(model, 2)
    assert_equal(masks(model), kept)
    model.control = MagnitudePruning(0.2, 0, 1, 1)
    train(model, 2)
    assert sum(m.sum() for m in masks(model)) == 10
    assert not any((now & ~old).any() for now, old in zip(masks(model), kept, strict=True))


def test_a_control_that_watches_gradients_needs_an_optimizer_that_keeps_them():
    model = sparse(TopK(0.5, 0, 2))
    train(model, 3)
    model.control = RigL(0.5, 0, 4, 1)
    with pytest.raises(ValueError, match=r"RigL needs .*call `compile` with a new optimizer"):
        train(model, 1)
    model.compile(optimizers.Adam(0.01), "mse", run_eagerly=EAGER)
    train(model, 4)
    assert sum(m.sum() for m in masks(model)) == 25
    model.control = TopK(0.5, 0, 0)  # it trains closed links too, by the same optimizer
    train(model, 1)
    stored = [layer.kernel for layer in model.gated_layers]
    before = [np.array(kernel) for kernel in stored]
    train(model, 1)
    triples = zip(map(np.array, stored), before, masks(model), strict=True)
    assert all((now != old)[~mask].any() for now, old, mask in triples)


def test_learned_gates_go_on_without_their_control():
    model = sparse(Strength(5.0, (0, 1)))
    train(model, 2)
    model.control = None
    assert all(float(layer.gate.learning) == 1 for layer in model.gated_layers)
    train(model, 2)
    model.control = TargetDensity(0.5, (0, 1), 3)
    train(model, 3)
    assert sum(m.sum() for m in masks(model)) == 25


class Raises(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            self.model.control.strength = 7.0


def test_a_setting_changed_in_a_callback_takes_effect():
    model = sparse(Strength(0.0, (0, 0)), optimizer=optimizers.SGD(0.0))
    model.fit(np.tile(X, (4, 1)), np.tile(Y, (4, 1)), 16, verbose=0, callbacks=[Raises()])
    assert model.gate_logs()["sparsity_strength"] == 7.0


def own_step(model):
    """A training step by hand."""
    if keras.backend.backend() == "jax":
        return jax_step(model)
    import tensorflow as tf

    model.begin_step()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(X, Y, model(X, training=True))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    model.optimizer.apply(gradients, model.trainable_variables)
    model.end_step(1.0)


def jax_step(model):
    import jax

    variables = [*model.variables, *model.optimizer.variables]
    values = {id(v): v.value for v in variables}

    def within(function, learned=None):
        """`function()`, and the values that all variables have after it."""
        now = dict(values) | ({} if learned is None else learned)
        pairs = [(v, now[id(v)]) for v in {id(v): v for v in variables}.values()]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            result = function()
        return result, {id(v): scope.get_current_value(v) for v in variables}

    _, values = within(model.begin_step)
    names = [id(v) for v in model.trainable_variables]

    def loss_of(learned):
        def loss():
            return model.compute_loss(X, Y, model(X, training=True))

        return within(loss, dict(zip(names, learned, strict=True)))

    gradients, values = jax.grad(loss_of, has_aux=True)([values[name] for name in names])
    _, values = within(lambda: model.optimizer.apply(gradients, model.trainable_variables))
    _, values = within(lambda: model.end_step(1.0))
    for variable in variables:
        variable.assign(values[id(variable)])


@pytest.mark.parametrize("name", ["top_k", "rigl", "target_density"])
def test_a_loop_of_ones_own_is_fit(name):
    expected, model = sparse(CONTROLS[name](6)), sparse(CONTROLS[name](6))
    train(expected, 6)
    for _ in range(6):
        own_step(model)
    assert int(model.control.n_steps) == 6
    assert_equal(masks(model), masks(expected))
    for a, b in zip(kernels(model), kernels(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_one_gate_function_for_two_kinds_of_gates_and_a_control_of_one():
    """A control that learns leaves alone the masks that are given."""
    given = gates.Fixed(np.eye(6, 5))
    model = sv.sparsify(
        regression((5,)),
        lambda layer: given if layer.units == 5 else "hard_concrete",
        control=TargetDensity(0.5, (0, 1), 3),
    )
    model.compile("adam", "mse", run_eagerly=EAGER)
    train(model, 3)
    first, second = masks(model)
    np.testing.assert_array_equal(first, np.eye(6, 5))
    assert second.sum() == 10
