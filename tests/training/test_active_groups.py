"""Groups that start late, stop, decay, or learn at a rate of their own; by given gradients."""

import keras
import numpy as np
import pytest
from keras import optimizers as ko
from small_model import (
    GROUP,
    ON_JAX,
    OPTIMIZERS,
    arrays,
    check_close,
    check_same,
    compiled,
    grouped,
    small_model,
    steps,
    stock,
)

from sparsevae.training import Group, GroupedOptimizer, assign_group

FIRST, SECOND = slice(0, 2), slice(2, 4)
RNG = np.random.default_rng(3)
GRADIENTS = [RNG.normal(size=(2, 3)).astype("float32") for _ in range(8)]


def two_variables():
    """One of no group, one of the group."""
    start = np.linspace(-1, 1, 3, dtype="float32")
    made = [keras.Variable(start, name="first"), keras.Variable(start + 1, name="second")]
    assign_group(made[1:], GROUP)
    return made


def after(optimizer, gradients=GRADIENTS, variables=None, each=lambda number: None):
    """The variables after an update by each of the gradients."""
    variables = two_variables() if variables is None else variables
    for number, gradient in enumerate(gradients):
        each(number)
        rows = [keras.ops.convert_to_tensor(row) for row in gradient[-len(variables) :]]
        optimizer.apply(rows, variables)
    return arrays(variables)


def starting_at(optimizer, step):
    """For `each`: the group is inactive until that step."""
    return lambda number: optimizer.set_active(GROUP, float(number >= step))


EAGERLY = [(name, not ON_JAX) for name in OPTIMIZERS]  # on JAX compiling is what is quicker
IN_GRAPH = [] if ON_JAX else [("AdamW", False), ("SGD", False)]


@pytest.mark.parametrize(("name", "eagerly"), EAGERLY + IN_GRAPH)
def test_inactive_group_stands_still_whatever_momentum_it_has(name, eagerly):
    model = compiled(grouped(stock(name)), run_eagerly=eagerly)
    optimizer = model.optimizer
    steps(model, 0, 1)
    optimizer.set_active(GROUP, 0)
    rule = optimizer._rules[GROUP]
    still = [*model.trainable_variables[SECOND], *rule.variables]
    stood, moved = arrays(still), arrays(model.trainable_variables[FIRST])
    assert any(array.any() for array in arrays(rule.variables)[2:]) or len(rule.variables) == 2
    steps(model, 2, 3)
    check_same(still, stood)
    for variable, before in zip(arrays(model.trainable_variables[FIRST]), moved, strict=True):
        assert (variable != before).any()
    assert int(optimizer.iterations_of(GROUP)) == 2 and int(optimizer.iterations) == 4
    optimizer.set_active(GROUP, 1)
    steps(model, 0)
    assert (arrays(model.trainable_variables)[3] != stood[1]).any()


NO_GRADIENT_TO_GROUPS = {
    "adam": lambda: ko.Adam(1e-2),
    "adamw": lambda: ko.AdamW(1e-2, weight_decay=5.0),
    "average": lambda: ko.AdamW(1e-2, use_ema=True, ema_momentum=0.7),
    "accumulation": lambda: ko.SGD(1e-2, momentum=0.9, gradient_accumulation_steps=2),
    "loss_scale": lambda: ko.LossScaleOptimizer(ko.Adam(1e-2)),
}


@pytest.mark.parametrize("name", NO_GRADIENT_TO_GROUPS)
def test_the_rest_moves_as_if_an_inactive_group_were_constant(name):
    inactive, constant = small_model(), small_model()
    for model, active in ((inactive, 0), (constant, 1)):
        model.layers[-1].trainable = model is inactive
        optimizer = compiled(grouped(NO_GRADIENT_TO_GROUPS[name]()), model).optimizer
        getattr(optimizer, "inner_optimizer", optimizer).set_active(GROUP, active)
    start = arrays(inactive.trainable_variables[SECOND])
    steps(inactive, 0, 1, 2)
    steps(constant, 0, 1, 2)
    check_same(inactive.layers[-1].weights, start)
    check = check_close if ON_JAX else check_same  # JAX compiles one step of both
    check(inactive.trainable_variables[FIRST], constant.trainable_variables)


def test_group_that_starts_late_makes_the_steps_of_a_fresh_optimizer():
    optimizer = grouped(ko.Adam(1e-2))
    found = after(optimizer, each=starting_at(optimizer, 3))
    assert int(optimizer.iterations_of(GROUP)) == 5 and int(optimizer.iterations) == 8
    fresh = after(ko.Adam(1e-2), GRADIENTS[3:], two_variables()[1:])
    check_close(found, [after(ko.Adam(1e-2))[0], *fresh])


def test_group_that_pauses_goes_on_where_it_stopped():
    optimizer = grouped(ko.AdamW(1e-2, weight_decay=5.0))
    paused = after(optimizer, each=lambda k: optimizer.set_active(GROUP, float(k not in (2, 3, 4))))
    without = after(
        ko.AdamW(1e-2, weight_decay=5.0), GRADIENTS[:2] + GRADIENTS[5:], two_variables()[1:]
    )
    check_close(paused[1:], without)


def test_groups_are_active_one_by_one():
    variables = [keras.Variable(np.ones(3, "float32")) for _ in range(3)]
    assign_group(variables[1:2], "one")
    assign_group(variables[2:], "other")
    optimizer = GroupedOptimizer(ko.SGD(0.1), [Group("one"), Group("other")])
    optimizer.set_active("one", 0)
    optimizer.apply([keras.ops.ones(3)] * 3, variables)
    assert [float(variable[0]) for variable in variables] == pytest.approx([0.9, 1.0, 0.9])
    assert int(optimizer.iterations_of("one")) == 0 and int(optimizer.iterations_of("other")) == 1


def test_accumulation_counts_updates_of_the_group_not_steps():
    optimizer = grouped(ko.Adam(1e-2, gradient_accumulation_steps=2))
    after(optimizer)
    assert int(optimizer.iterations_of(GROUP)) == 4


# Weight decay


def test_group_without_decay_is_left_alone_by_it():
    found = after(grouped(ko.AdamW(1e-2, weight_decay=5.0), [Group(GROUP)]))
    check_close(found, [after(ko.AdamW(1e-2, weight_decay=5.0))[0], after(ko.Adam(1e-2))[1]])


@pytest.mark.parametrize("on_base", [True, False], ids=["base", "grouped"])
@pytest.mark.parametrize("excluded", ["first", "second"])
@pytest.mark.parametrize("by", ["var_list", "var_names"])
def test_variables_excluded_from_weight_decay(by, excluded, on_base):
    base, variables = ko.AdamW(1e-2, weight_decay=5.0), two_variables()
    wanted = [variable for variable in variables if variable.name == excluded]
    optimizer = grouped(base)
    chosen = {"var_list": wanted, "var_names": [excluded]}[by]
    (base if on_base else optimizer).exclude_from_weight_decay(**{by: chosen})
    decayed, spared = after(ko.AdamW(1e-2, weight_decay=5.0)), after(ko.Adam(1e-2))
    expected = [spared[0], decayed[1]] if excluded == "first" else [decayed[0], spared[1]]
    check_close(after(optimizer, variables=variables), expected)


# Learning rates


@pytest.mark.parametrize("factor", [0.1, 3.0])
@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_factor_multiplies_the_learning_rate_of_the_group(name, factor):
    kind = getattr(ko, name)
    group = Group(GROUP, learning_rate_factor=factor)
    found = after(grouped(kind(1e-2), [group]))
    check_close(found, [after(kind(1e-2))[0], after(kind(factor * 1e-2))[1]])


def test_schedule_does_not_lag_for_a_group_that_starts_late():
    schedule = ko.schedules.PiecewiseConstantDecay([3], [1.0, 0.25])
    optimizer = grouped(ko.SGD(schedule))
    found = after(optimizer, each=starting_at(optimizer, 5))
    check_close(found[1:], after(ko.SGD(0.25), GRADIENTS[5:], two_variables()[1:]))


def test_factor_multiplies_a_schedule():
    schedule = ko.schedules.PolynomialDecay(1e-2, 6, 1e-4)
    tenfold = ko.schedules.PolynomialDecay(1e-1, 6, 1e-3)
    found = after(grouped(ko.Adam(schedule), [Group(GROUP, learning_rate_factor=10.0)]))
    check_close(found, [after(ko.Adam(schedule))[0], after(ko.Adam(tenfold))[1]])


def test_optimizer_of_the_groups_own_keeps_its_learning_rate():
    optimizer = grouped(ko.SGD(0.1), [Group(GROUP, optimizer=ko.Adam(1e-2, beta_1=0.5))])
    found = after(optimizer, each=lambda k: setattr(optimizer, "learning_rate", 0.1 / (1 + k)))
    check_close(found[1], after(ko.Adam(1e-2, beta_1=0.5))[1])
    assert (found[0] != after(ko.SGD(0.1))[0]).any()


def test_schedule_of_the_groups_own_optimizer_counts_the_updates_of_the_group():
    schedule = ko.schedules.PiecewiseConstantDecay([1], [1.0, 0.25])
    optimizer = grouped(ko.SGD(0.1), [Group(GROUP, optimizer=ko.SGD(schedule))])
    found = after(optimizer, each=starting_at(optimizer, 4))
    check_close(found[1:], after(ko.SGD(schedule), GRADIENTS[4:], two_variables()[1:]))


def test_factor_multiplies_the_learning_rate_of_the_groups_own_optimizer():
    group = Group(GROUP, learning_rate_factor=3.0, optimizer=ko.SGD(0.1))
    check_close(after(grouped(ko.Adam(1e-2), [group]))[1], after(ko.SGD(0.3))[1])
