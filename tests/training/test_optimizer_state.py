"""Moving averages, configs and files of grouped optimizers, and what they refuse."""

import json

import keras
import numpy as np
import pytest
from keras import optimizers as ko
from small_model import (
    GROUP,
    ON_JAX,
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
)

from sparsevae.training import Group, GroupedOptimizer, assign_group
from sparsevae.training.groups import group_of

# Moving averages


class Averaged(keras.callbacks.Callback):
    """The weights that an evaluation finds, and those left after it."""

    def on_test_begin(self, logs=None):
        self.during = arrays(self.model.weights)

    def on_test_end(self, logs=None):
        self.after = arrays(self.model.weights)


def averaging():
    return ko.Adam(1e-1, use_ema=True, ema_momentum=0.5)


def averages(gradients, variable):
    """The values of a variable under Adam, averaged by hand."""
    optimizer, average = ko.Adam(1e-1), None
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        value = arrays([variable])[0]
        average = value if average is None else 0.5 * average + 0.5 * value
    return average


def test_each_variable_is_given_its_own_average_and_the_others_stay():
    gradients = np.random.default_rng(0).normal(size=(4, 2, 3)).astype("float32")
    variables = [keras.Variable(np.ones(3, "float32")) for _ in range(2)]
    assign_group(variables[1:], GROUP)
    optimizer = grouped(averaging())
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(row) for row in gradient], variables)
    trained = arrays(variables)
    optimizer.finalize_variable_values(variables[1:])
    expected = averages(gradients[:, 1], keras.Variable(np.ones(3, "float32")))
    check_close(variables, [trained[0], expected])
    assert abs(expected - trained[1]).max() > 1e-3


def test_without_averages_nothing_is_set():
    model = steps(compiled(grouped(ko.SGD(0.1))), 0)
    before = arrays(model.weights)
    model.optimizer.finalize_variable_values(model.trainable_variables)
    check_same(model.weights, before)


def test_swapped_averages_are_those_of_the_stock_optimizer():
    found = []
    for model in (reference(averaging()), compiled(grouped(averaging()))):
        found.append(Averaged())
        swap = keras.callbacks.SwapEMAWeights()
        fit(model, 2, validation_data=(X, Y), callbacks=[swap, found[-1]])
        check_close(model.weights, found[-1].during)  # the end of `fit`
    check_close(found[1].during, found[0].during)


@pytest.mark.skipif(ON_JAX, reason="JAX's trainer wants all variables the optimizer was built for")
def test_variables_frozen_after_build_stay_and_the_others_get_their_own_average():
    model = compiled(grouped(averaging()))
    model.optimizer.build(model.trainable_variables)
    model.layers[1].trainable = False
    start, watched = arrays(model.layers[1].weights), Averaged()
    swap = keras.callbacks.SwapEMAWeights()
    fit(model, validation_data=(X, Y), callbacks=[swap, watched])
    assert all(
        (abs(new - old) < 1e-6).all() for new, old in zip(watched.after, start, strict=False)
    )

    alone = reference(averaging())
    alone.layers[1].trainable = False
    fit(alone)
    check_close(model.weights, alone.weights)


def test_constraint_leaves_an_inactive_group_alone_whatever_else_is_kept():
    for settings in ({"use_ema": True}, {"gradient_accumulation_steps": 2}):
        model = reference(grouped(ko.SGD(0.1, **settings)))
        model.optimizer.set_active(GROUP, 0)
        start = arrays(model.layers[-1].weights)
        steps(model, 0, 1)
        check_same(model.layers[-1].weights, start)


# Configs and files

MADE = {
    "adam": lambda: ko.Adam(1e-2),
    "adamw_average": lambda: ko.AdamW(1e-2, weight_decay=1.0, use_ema=True),
    "sgd_accumulation": lambda: ko.SGD(1e-2, momentum=0.9, gradient_accumulation_steps=2),
    "loss_scale": lambda: ko.LossScaleOptimizer(ko.Adam(1e-2)),
    "schedule": lambda: ko.Adam(ko.schedules.PolynomialDecay(1e-2, 6)),
}


@pytest.mark.parametrize("name", MADE)
def test_saved_in_the_middle_training_goes_on_as_if_unbroken(name, tmp_path):
    model = compiled(grouped(MADE[name]()), small_model(marked_by_layer=True))
    steps(model, 0, 1, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    check_same(loaded.optimizer.variables, model.optimizer.variables)
    steps(model, 3, 0, 1)
    steps(loaded, 3, 0, 1)
    check_same(loaded.weights, model.weights)
    check_same(loaded.optimizer.variables, model.optimizer.variables)


def three_groups(optimizer=None):
    """The layer `second` by parts, one trained by the base, two by an Adam of their own."""
    groups = [
        Group("kernel", optimizer=ko.Adam(1e-3)),
        Group(
            "bias", 3.0, decay=True, optimizer=ko.Adam(ko.schedules.ExponentialDecay(0.1, 9, 0.5))
        ),
        Group(GROUP, learning_rate_factor=0.5),
    ]
    return GroupedOptimizer(optimizer or ko.Adam(1e-2, use_ema=True), groups)


@keras.saving.register_keras_serializable("training_tests")
class InParts(keras.layers.Dense):
    def build(self, input_shape):
        super().build(input_shape)
        assign_group([self.kernel], "kernel")
        assign_group([self.bias], "bias")


def test_state_of_all_groups_is_saved_and_which_are_active(tmp_path):
    inputs = keras.Input((4,))
    hidden = InParts(3)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    assign_group(model.layers[-1].trainable_variables[:0], GROUP)  # a group may be empty
    compiled(three_groups(), model).optimizer.set_active("kernel", 0)
    steps(model, 0, 1)
    assert int(model.optimizer.iterations_of("bias")) == 2
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    check_same(loaded.optimizer.variables, model.optimizer.variables)
    start = arrays([loaded.layers[1].kernel])
    steps(loaded, 2)
    check_same([loaded.layers[1].kernel], start)


@pytest.mark.parametrize("name", [name for name in MADE if name != "loss_scale"])
def test_config_makes_an_equal_optimizer(name):
    config = json.dumps(three_groups(MADE[name]()).get_config())
    again = GroupedOptimizer.from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    assert type(again.base) is type(MADE[name]()) and list(again.groups) == [
        "kernel",
        "bias",
        GROUP,
    ]
    assert again.groups["bias"].learning_rate_factor == 3.0 and again.groups["bias"].decay
    assert (again.use_ema, again.gradient_accumulation_steps) == (
        again.base.use_ema,
        again.base.gradient_accumulation_steps,
    )


@pytest.mark.parametrize("name", MADE)
def test_variables_are_one_list_of_all_state_without_duplicates(name):
    optimizer, plain = grouped(MADE[name]()), MADE[name]()
    variables = small_model().trainable_variables
    optimizer.build(variables)
    plain.build(variables)
    found = optimizer.variables
    assert len({id(variable) for variable in found}) == len(found)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    rule = inner._rules[GROUP]
    own = 1 + sum(variable.shape == () for variable in rule.variables)  # active, count, rate
    assert len(found) == len(plain.variables) + own


# What is refused


@pytest.mark.parametrize("factor", [0, -1.0, float("nan"), float("inf")])
def test_factor_must_be_finite_and_above_0(factor):
    with pytest.raises(ValueError, match="learning_rate_factor"):
        Group(GROUP, learning_rate_factor=factor)


@pytest.mark.skipif(ON_JAX, reason="the exact step that follows is the same code")
def test_groups_of_an_ordinary_model_are_those_of_its_file(tmp_path):
    """The layers do not say themselves which group they are of."""
    slow = (Group(GROUP, learning_rate_factor=1e-3),)
    whole, half = (compiled(grouped(ko.Adam(1e-1), slow)) for _ in range(2))
    fit(whole, 2)
    fit(half)
    half.save(tmp_path / "a.keras")
    half = keras.saving.load_model(tmp_path / "a.keras")
    fit(half)
    check_same(half.weights, whole.weights)
    check_same(half.optimizer.variables, whole.optimizer.variables)


def test_of_two_variables_of_one_path_each_keeps_its_group():
    def variables():
        made = [keras.Variable(np.ones(2), name="w") for _ in range(3)]
        for variable in made:
            variable._path = "layer/w"
        return made

    first, second = variables(), variables()
    assign_group(first[1:2], GROUP)
    optimizer = GroupedOptimizer("sgd", [Group(GROUP)])
    optimizer.build(first)
    config = json.loads(json.dumps(optimizer.get_config()))
    GroupedOptimizer.from_config(config).build(second)
    assert [group_of(variable) for variable in second] == [None, GROUP, None]
    old = {**config, "marked": {"layer/w": GROUP}}  # as files had it
    third = variables()
    GroupedOptimizer.from_config(old).build(third)
    assert [group_of(variable) for variable in third] == [GROUP] * 3


def own(**settings):
    return compiled(grouped(ko.SGD(0.0), [Group(GROUP, optimizer=ko.SGD(**settings))]))


def moved_by_own(model):
    before = arrays(model.trainable_variables[2:])
    fit(model)
    return max(
        np.abs(a - b).max()
        for a, b in zip(before, arrays(model.trainable_variables[2:]), strict=True)
    )


def test_a_groups_own_optimizer_clips_and_its_rate_may_be_changed():
    model = own(learning_rate=0.1)
    assert moved_by_own(model) > 1e-3
    for clip in ("clipnorm", "clipvalue", "global_clipnorm"):
        clipped = own(learning_rate=1e-3, **{clip: 1e-6})
        clipped.layers[-1].kernel_constraint = clipped.layers[-1].kernel.constraint = None
        assert moved_by_own(clipped) < 1e-6
    model.optimizer.groups[GROUP].optimizer.learning_rate = 0.0
    assert moved_by_own(model) < 1e-6  # its constraint rounds


@pytest.mark.parametrize(
    ("variables", "name"), [([keras.layers.Dense(1)], "a"), ([], 3), ([keras.Variable(0.0)], 3)]
)
def test_what_cannot_be_in_a_group_is_refused(variables, name):
    with pytest.raises(TypeError, match="`assign_group` takes variables"):
        assign_group(variables, name)


class Forgetful(ko.SGD):
    """An optimizer whose config lacks an argument."""

    def __init__(self, extra=1.0, **kwargs):
        super().__init__(**kwargs)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: GroupedOptimizer("adam", ["slow"]), "`groups` must be a list of Group"),
        (lambda: GroupedOptimizer(None), "`base` must be a Keras optimizer"),
        (lambda: GroupedOptimizer(Forgetful()), "`get_config` of the optimizer Forgetful .*extra"),
        (lambda: Group("a", "x"), "`learning_rate_factor` must be a finite float"),
    ],
)
def test_what_makes_no_optimizer_is_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()


def test_variable_of_an_unknown_group_is_refused_with_the_nearest_name():
    variable = keras.Variable(0.0)
    assign_group([variable], "secnd")
    with pytest.raises(ValueError, match=r"group 'secnd', and this optimizer has 'second'"):
        grouped(ko.Adam()).build([variable])


@pytest.mark.parametrize("kind", [ko.LossScaleOptimizer, GroupedOptimizer])
def test_base_must_not_be_a_wrapper(kind):
    with pytest.raises(TypeError, match=f"base={kind.__name__}"):
        GroupedOptimizer(kind(ko.Adam()))


@pytest.mark.parametrize("call", ["set_active", "iterations_of"])
def test_unknown_group_is_refused_by_name(call):
    more = (1,) if call == "set_active" else ()
    with pytest.raises(ValueError, match="`name` must be one of 'second'"):
        getattr(grouped(ko.Adam()), call)("third", *more)


def test_groups_of_one_name_and_what_is_no_optimizer_are_refused():
    with pytest.raises(ValueError, match="`groups` must have distinct names"):
        GroupedOptimizer("adam", [Group("g"), Group("g", 2.0)])
    with pytest.raises(TypeError, match="`optimizer` of a group"):
        Group("g", optimizer="adam")
