"""Settings of parts in a traced step, in files, and what the model must trace anew."""

import json
import math
from fractions import Fraction

import keras
import numpy as np
import pytest
from keras.optimizers.schedules import ExponentialDecay, PolynomialDecay
from small_model import ON_JAX, arrays, check_same

from sparsevae.training import Part, Setting


@keras.saving.register_keras_serializable("training_tests")
class Weighting(Part):
    """A part with two settings, a plain attribute, a layer and a weight."""

    weight = Setting(unit="nats")
    offset = Setting(minimum=-1.0)

    def __init__(self, weight=1.0, offset=0.0, kind="plain", **kwargs):
        super().__init__(**kwargs)
        self.weight, self.offset, self.kind = weight, offset, kind
        self.net = keras.layers.Dense(2)

    def build(self, input_shape=None):
        self.net.build((None, 3))
        self.total = self.add_weight(name="total", shape=(), initializer="ones", trainable=False)
        self.built = True

    def value(self, step):
        """What a step computes."""
        return self.value_of("weight", step) * 10 + self.value_of("offset", step)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


class Traced:
    """`part.value` as a traced step computes it, which counts how often it is traced."""

    def __init__(self, part):
        self.part, self.n_traces = part, 0
        if ON_JAX:
            import jax

            self.step = jax.jit(self.of_values)
        else:
            import tensorflow as tf

            self.step = tf.function(self.of_step)

    def of_step(self, step):
        self.n_traces += 1
        return self.part.value(step)

    def of_values(self, step, values):
        pairs = list(zip(self.part.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            return self.of_step(step)

    def __call__(self, step):
        values = ([variable.value for variable in self.part.variables],) if ON_JAX else ()
        return float(self.step(keras.ops.convert_to_tensor(step, "int32"), *values))


NUMBERS = [0, 3, 0.25, np.float32(0.25), np.int64(3), np.array(0.25), Fraction(1, 4)]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_real_numbers_and_arrays_of_one_are_taken(number):
    part = Weighting(number)
    assert type(part.weight) is float and part.weight == float(number)


def test_tensor_and_variable_are_taken():
    for number in (keras.ops.convert_to_tensor(0.25), keras.Variable(0.25)):
        assert Weighting(number).weight == 0.25


REFUSED = [math.nan, math.inf, -math.inf, -1e-6, "1", np.str_("1"), None, True, np.True_, 1j, [1.0]]
REFUSED += [np.ones(1), np.array("one"), np.complex64(1), 1e39, 10**400]


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:20])
def test_all_else_is_refused_and_leaves_the_setting_as_it_was(value):
    for before in (0.5, PolynomialDecay(1.0, 10)):
        part = Weighting(before)
        n_changes = part.n_changes
        with pytest.raises(ValueError, match=r"`weight` must be .* at least 0 \(nats\).*Received"):
            part.weight = value
        assert part.weight is before or part.weight == before
        assert part.n_changes == n_changes


def test_least_value_is_included_and_below_it_is_refused():
    part = Weighting(offset=-1)
    with pytest.raises(ValueError, match="`offset` must be a finite number of at least -1"):
        part.offset = -1.1
    assert part.offset == -1.0


def test_settings_are_listed_with_those_of_parents():
    class Child(Weighting):
        more = Setting()

    assert list(Child.settings()) == ["weight", "offset", "more"]
    assert Child.settings()["offset"].minimum == -1.0


def test_setting_that_was_never_given_is_an_attribute_error():
    class Empty(Part):
        weight = Setting()

    with pytest.raises(AttributeError, match="weight"):
        _ = Empty().weight


# In a traced step


def test_assigned_number_takes_effect_without_tracing_anew():
    part = Weighting(1.0, 0.5)
    traced = Traced(part)
    for weight in (1.0, 2.0, 0.0):
        part.weight = weight
        assert traced(0) == pytest.approx(10 * weight + 0.5)
    part.offset = -1.0
    assert traced(5) == pytest.approx(-1.0)
    assert traced.n_traces == 1


def test_schedule_is_of_the_step():
    schedule = PolynomialDecay(1.0, 10, 0.0)
    part = Weighting(schedule)
    traced = Traced(part)
    for step in (0, 5, 10, 20):
        assert traced(step) == pytest.approx(10 * max(0, 1 - step / 10), abs=1e-6)
    assert traced.n_traces == 1 and part.weight is schedule


def test_number_then_schedule_then_number_each_take_effect_once_traced():
    part = Weighting(2.0)
    counts, values = [], []
    for value in (2.0, PolynomialDecay(1.0, 10, 0.0), 3.0, 4.0):
        part.weight = value
        counts.append(part.n_changes)
        values.append(Traced(part)(5))
    assert values == pytest.approx([20.0, 5.0, 30.0, 40.0])
    assert np.diff(counts).tolist() == [1, 1, 0]


# What is traced anew


def test_changes_counts_plain_public_attributes_that_change():
    part = Weighting()
    layer, count = part.net, part.n_changes
    for name, value, more in [
        ("kind", "other", 1),
        ("kind", "".join(["oth", "er"]), 0),  # equal, though another object
        ("rate", 0.5, 1),
        ("rate", 1 / 2, 0),
        ("rate", 1, 1),
        ("rate", 1.0, 1),  # of another type, so perhaps of another dtype
        ("net", layer, 0),
        ("net", keras.layers.Dense(2), 1),
        ("_hidden", 3, 0),
        ("_hidden", 4, 0),
        ("weight", 7.0, 0),
        ("offset", 7, 0),
        ("weight", PolynomialDecay(1.0, 10), 1),
        ("weight", PolynomialDecay(1.0, 10), 1),  # another object
        ("weight", 1.0, 1),
    ]:
        setattr(part, name, value)
        count += more
        assert part.n_changes == count, (name, value)


def test_changes_are_those_of_one_part():
    one, other = Weighting(), Weighting()
    before = other.n_changes
    one.kind = "other"
    assert other.n_changes == before


# Configs and files


@pytest.mark.parametrize(
    "weight", [0.5, 3, ExponentialDecay(1.0, 5, 0.5)], ids=["0.5", "3", "decay"]
)
def test_config_as_json_makes_an_equal_part(weight):
    part = Weighting(weight, offset=-0.5, kind="other", name="mine")
    config = json.dumps(keras.saving.serialize_keras_object(part))
    again = keras.saving.deserialize_keras_object(json.loads(config))
    assert json.dumps(keras.saving.serialize_keras_object(again)) == config
    assert (again.name, again.kind, again.dtype) == ("mine", "other", "float32")
    assert Traced(again)(3) == Traced(part)(3)


@keras.saving.register_keras_serializable("training_tests")
class Holder(keras.Model):
    """A model that has a part."""

    def __init__(self, part, **kwargs):
        super().__init__(**kwargs)
        self.part = part

    def build(self, input_shape=None):
        if not self.part.built:  # it arrives built on load
            self.part.build()
        self.built = True

    def build_from_config(self, config):
        self.build()

    def call(self, x):
        return self.part.net(x)

    def get_config(self):
        return {"part": keras.saving.serialize_keras_object(self.part)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["part"]))


def test_weights_and_layers_of_a_part_are_the_models_own_and_in_its_file(tmp_path):
    model = Holder(Weighting(0.5, kind="other"))
    x = np.ones((2, 3), "float32")
    model(x)
    part = model.part
    assert {id(weight) for weight in part.net.weights} <= {id(w) for w in model.trainable_weights}
    assert any(weight is part.total for weight in model.non_trainable_weights)
    assert len(model.weights) == 5  # kernel, bias, total, and two settings
    part.total.assign(7.0)
    part.weight = 0.75
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    check_same(loaded.part.weights, part.weights)
    check_same([loaded(x)], [model(x)])
    assert loaded.part.weight == 0.75 and loaded.part.kind == "other"


def test_file_without_variables_leaves_those_of_a_part_as_new():
    part = Weighting(0.5)
    part.build()
    before = arrays(part.weights)
    part.load_own_variables({})
    check_same(part.weights, before)
