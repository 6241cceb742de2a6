"""Groups with factor 1 and decay change nothing, whatever the optimizer and the way of training."""

import inspect

import keras
import pytest
from keras import optimizers as ko
from small_model import (
    GROUP,
    ON_JAX,
    OPTIMIZERS,
    X,
    Y,
    arrays,
    check_close,
    check_same,
    compiled,
    fit,
    grouped,
    reference,
    small_model,
    steps,
    stock,
)

from sparsevae.training import GroupedOptimizer

Schedule = ko.schedules.PolynomialDecay
WRAPPERS = {"LossScaleOptimizer", "MultiOptimizer", "Optimizer"}


def test_all_optimizers_of_keras_are_tested():
    members = inspect.getmembers(ko, inspect.isclass)
    found = {name for name, kind in members if issubclass(kind, ko.Optimizer)}
    assert found - WRAPPERS == set(OPTIMIZERS)


EAGERLY = ["Adam", "AdamW", "SGD"] if ON_JAX else [*OPTIMIZERS]  # slow on JAX
WAYS = [(name, False) for name in OPTIMIZERS] + [(name, True) for name in EAGERLY]


@pytest.mark.parametrize(("name", "eagerly"), WAYS)
def test_any_optimizer_makes_the_same_steps_with_groups(name, eagerly):
    # in the same mode where the mode makes a difference in Keras itself
    in_graph = not eagerly and name == "ScheduleFreeAdamW"
    plain = (
        compiled(stock(name), run_eagerly=eagerly) if ON_JAX else reference(stock(name), in_graph)
    )
    with_groups = compiled(grouped(stock(name)), run_eagerly=eagerly)
    start = arrays(plain.trainable_variables)
    numbers = range(2) if eagerly else range(4)
    steps(with_groups, *numbers)
    steps(plain, *numbers)
    check_close(with_groups.trainable_variables, plain.trainable_variables)
    for variable, before in zip(arrays(plain.trainable_variables), start, strict=True):
        assert abs(variable - before).max() > 1e-4


SETTINGS = {
    "average": lambda: ko.Adam(1e-2, use_ema=True, ema_momentum=0.7),
    "average_taken": lambda: ko.Adam(
        1e-2, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=3
    ),
    "accumulation": lambda: ko.AdamW(1e-2, weight_decay=5.0, gradient_accumulation_steps=2),
    "accumulation_average": lambda: ko.SGD(
        1e-2, momentum=0.9, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.7
    ),
    "clipnorm": lambda: ko.SGD(1e-1, clipnorm=0.1),
    "clipvalue": lambda: ko.SGD(1e-1, clipvalue=0.01),
    "global_clipnorm": lambda: ko.SGD(1e-1, global_clipnorm=0.1),
    "schedule": lambda: ko.AdamW(Schedule(1e-2, 3, 1e-5), weight_decay=5.0),
    "loss_scale": lambda: ko.LossScaleOptimizer(ko.Adam(1e-2)),
    "loss_scale_factor": lambda: ko.Adam(1e-2, loss_scale_factor=8.0),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_optimizer_hold_for_all_groups_together(name):
    plain, with_groups = reference(SETTINGS[name]()), compiled(grouped(SETTINGS[name]()))
    fit(plain)
    fit(with_groups)
    check_close(with_groups.trainable_variables, plain.trainable_variables)
    assert int(with_groups.optimizer.iterations) == int(plain.optimizer.iterations)


def test_gradient_that_is_not_finite_stops_all_groups_for_a_step():
    scaled = compiled(grouped(ko.LossScaleOptimizer(ko.Adam(1e-2))))
    start = arrays(scaled.trainable_variables)
    scaled.train_on_batch(X[:16] * float("inf"), Y[:16])
    inner = scaled.optimizer.inner_optimizer
    check_same(scaled.trainable_variables, start)
    assert int(inner.iterations) == int(inner.iterations_of(GROUP)) == 0


@pytest.mark.skipif(ON_JAX, reason="JAX always compiles")
def test_compiled_by_xla():
    plain = reference(stock("AdamW"))
    with_groups = compiled(grouped(stock("AdamW")), jit_compile=True)
    fit(plain)
    fit(with_groups)
    check_close(with_groups.trainable_variables, plain.trainable_variables)


@pytest.mark.skipif(ON_JAX, reason="the loop of steps is TensorFlow's")
def test_several_steps_per_execution():
    one_by_one = reference(stock("AdamW"))
    in_pairs = compiled(grouped(stock("AdamW")), steps_per_execution=2)
    fit(one_by_one)
    fit(in_pairs)
    check_close(in_pairs.trainable_variables, one_by_one.trainable_variables)
    assert int(in_pairs.optimizer.iterations_of(GROUP)) == 4


def test_sparse_gradients_of_an_embedding():
    def model():
        embedding = keras.layers.Embedding(
            5, 3, embeddings_initializer=keras.initializers.RandomNormal(seed=3)
        )
        last = keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(4))
        model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding, last])
        for variable in embedding.trainable_variables:
            variable.optimizer_group = GROUP
        return model

    rows = [[0, 1], [3, 0], [1, 1], [3, 4]]
    made = []
    for optimizer in (ko.Adam(1e-2), grouped(ko.Adam(1e-2))):
        made.append(compiled(optimizer, model()))
        for _ in range(3):
            made[-1].train_on_batch(keras.ops.array(rows), keras.ops.ones((4, 2, 1)))
    check_close(made[1].trainable_variables, made[0].trainable_variables)


def test_variables_of_no_group_only():
    plain = reference(ko.Adam(1e-2))
    unmarked = small_model()
    for variable in unmarked.layers[-1].trainable_variables:
        del variable.optimizer_group
    without = compiled(GroupedOptimizer(ko.Adam(1e-2)), unmarked)
    steps(plain, 0, 1)
    steps(without, 0, 1)
    check_close(without.trainable_variables, plain.trainable_variables)


@pytest.mark.parametrize("name", ["clipnorm", "average", "accumulation"])
def test_constraints_hold_and_are_the_variables_own_after_a_step(name):
    model = reference(grouped(SETTINGS[name]()))
    constraints = [variable.constraint for variable in model.trainable_variables]
    steps(model, 0, 1)
    assert [variable.constraint for variable in model.trainable_variables] == constraints
    kernel = arrays(model.trainable_variables)[2]
    assert ((kernel**2).sum(0) ** 0.5).max() <= 0.5 + 1e-6


def test_learning_rate_is_that_of_the_optimizer_given():
    base = ko.Adam(1e-2)
    optimizer = GroupedOptimizer(base, ())
    assert optimizer.learning_rate is base.learning_rate
    optimizer.learning_rate = 0.5
    assert float(base.learning_rate) == 0.5


class Reduced(keras.callbacks.ReduceLROnPlateau):
    """Reduces at the end of every epoch."""

    def __init__(self):
        super().__init__(monitor="loss", factor=0.5, patience=0, min_delta=1e9)


CALLBACKS = {
    "scheduler": lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch)),
    "plateau": Reduced,
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks_of_the_learning_rate_reach_groups(name):
    plain, with_groups = reference(ko.SGD(0.1)), compiled(grouped(ko.SGD(0.1)))
    for model in (plain, with_groups):
        fit(model, 2, callbacks=[CALLBACKS[name]()])
    check_close(with_groups.trainable_variables, plain.trainable_variables)
    assert float(with_groups.optimizer.learning_rate) < 0.1


def test_assigned_learning_rate_takes_effect_in_a_traced_step():
    model = compiled(grouped(ko.SGD(0.1)))
    steps(model, 0)
    model.optimizer.learning_rate = 0.0
    before = arrays(model.trainable_variables)
    steps(model, 1, 2)
    check_close(model.trainable_variables, before)


def test_a_name_will_do_for_the_optimizer():
    model = compiled(GroupedOptimizer("sgd", ()), small_model())
    assert isinstance(model.optimizer.base, ko.SGD)
