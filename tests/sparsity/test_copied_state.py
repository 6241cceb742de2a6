"""Layers that stay keep all that they know: statistics, vocabularies, states, names."""

import keras
import numpy as np
import pytest
from keras import layers

import sparsevae as sv
from sparsevae import gates

EAGER = keras.backend.backend() == "tensorflow"
RNG = np.random.default_rng(0)


@keras.saving.register_keras_serializable("copied_state")
class Own(layers.Layer):
    """A layer whose config Keras makes by itself, without its name."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(4)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, inputs):
        return self.dense(inputs)


@keras.saving.register_keras_serializable("copied_state")
class Table(layers.Layer):
    """A layer that keeps what it knows in no variable, and in files as an asset."""

    factor = 1.0

    def call(self, inputs):
        return inputs * self.factor

    def save_own_variables(self, store):
        store["factor"] = np.array(self.factor)

    def load_own_variables(self, store):
        self.factor = float(store["factor"])


def normalization():
    known = layers.Normalization(name="known")
    x = (RNG.normal(size=(32, 6)) * 3 + 2).astype("float32")
    known.adapt(x)
    return known, keras.Input((6,)), x


def integers(output_mode="one_hot"):
    known = layers.IntegerLookup(output_mode=output_mode, name="known")
    known.adapt(np.array([[3], [5], [7], [7]]))
    return known, keras.Input((1,), dtype="int64"), np.array([[3], [7], [4]])


def counts():
    return integers("count")


def weighed_counts():
    return integers("tf_idf")


def buckets():
    known = layers.Discretization(num_bins=4, output_mode="one_hot", name="known")
    x = RNG.normal(size=(50, 1)).astype("float32")
    known.adapt(x)
    return known, keras.Input((1,)), x[:9]


def table():
    known = Table(name="known")
    known.factor = 3.0
    return known, keras.Input((6,)), RNG.normal(size=(5, 6)).astype("float32")


def own():
    return Own(name="known"), keras.Input((6,)), RNG.normal(size=(5, 6)).astype("float32")


def flat(known, inputs, outputs):
    return keras.Model(inputs, outputs(known(inputs)))


def nested(known, inputs, outputs):
    inner = keras.Sequential([keras.Input(inputs.shape[1:], dtype=inputs.dtype), known])
    return keras.Model(inputs, outputs(inner(inputs)))


KNOWING = (normalization, integers, counts, weighed_counts, buckets, table, own)


@pytest.mark.filterwarnings("ignore:[^$]*Explicitly requested dtype int64")  # JAX
@pytest.mark.parametrize("make", KNOWING, ids=lambda make: make.__name__)
@pytest.mark.parametrize("graph", [flat, nested], ids=lambda graph: graph.__name__)
def test_what_a_layer_knows_is_in_all_copies(make, graph, tmp_path):
    known, inputs, x = make()
    model = graph(known, inputs, layers.Dense(2, name="head"))
    expected = np.array(model(x))
    sparse = sv.sparsify(model, gates.Pruned())
    sparse.save(tmp_path / "model.keras")
    for copy in (sparse, keras.models.load_model(tmp_path / "model.keras"), sv.harden(sparse)):
        np.testing.assert_array_equal(np.array(copy(x)), expected)
    np.testing.assert_array_equal(np.array(model(x)), expected)


@pytest.mark.skipif(not EAGER, reason="strings are TensorFlow's")
@pytest.mark.parametrize("kind", [layers.StringLookup, layers.TextVectorization])
def test_vocabularies_of_strings(kind):
    known = kind(output_mode="multi_hot")
    known.adapt(keras.ops.convert_to_tensor([["a b"], ["c"], ["a b"]]))
    inputs = keras.Input((1,), dtype="string")
    model = keras.Model(inputs, layers.Dense(2)(known(inputs)))
    x = keras.ops.convert_to_tensor([["a b"], ["c"], ["d"]])
    sparse = sv.sparsify(model, gates.Pruned())
    for copy in (sparse, sv.harden(sparse)):
        np.testing.assert_array_equal(np.array(copy(x)), np.array(model(x)))


def test_statistics_survive_where_channels_are_removed():
    known, inputs, x = normalization()
    hidden = layers.Dense(4, "relu", name="hidden")(known(inputs))
    sparse = sv.sparsify(keras.Model(inputs, layers.Dense(2)(hidden)), gates.Pruned())
    open_ = np.ones((6, 4), bool)
    open_[:, 1] = False
    sparse.get_layer("hidden").gate.open.assign(open_)
    small = sv.compact(sparse)
    assert small.get_layer("hidden").units == 3
    np.testing.assert_allclose(np.array(small(x)), np.array(sparse(x)), rtol=0, atol=1e-6)


def test_state_between_batches_is_in_the_copies():
    inputs = keras.Input(batch_shape=(2, 3, 4))
    model = keras.Model(inputs, layers.Dense(2)(layers.LSTM(3, stateful=True)(inputs)))
    x = RNG.normal(size=(2, 3, 4)).astype("float32")
    model(x)
    sparse = sv.sparsify(model, gates.Pruned())
    hard = sv.harden(sparse)
    expected = np.array(model(x))
    for copy in (sparse, hard):
        np.testing.assert_array_equal(np.array(copy(x)), expected)


@keras.saving.register_keras_serializable("copied_state")
class Plus(layers.Layer):
    def call(self, inputs, more=None):
        return inputs if more is None else inputs + more


def test_optional_inputs_stay_so():
    first, second = keras.Input((4,)), keras.Input((4,), optional=True)
    model = keras.Model([first, second], layers.Dense(2)(Plus()(first, second)))
    sparse = sv.sparsify(model, gates.Pruned())
    x = np.ones((2, 4), "float32")
    for copy in (sparse, sv.harden(sparse)):
        np.testing.assert_array_equal(np.array(copy([x, None])), np.array(model([x, None])))


@pytest.mark.parametrize("sequential", [True, False])
def test_sparse_inputs_stay_so(sequential):
    inputs = keras.Input((6,), sparse=True)
    parts = [inputs, layers.Dense(2)]
    model = keras.Sequential(parts) if sequential else keras.Model(inputs, parts[1](inputs))
    sparse = sv.sparsify(model, gates.Pruned())
    assert sparse.inputs[0].sparse and sv.harden(sparse).inputs[0].sparse


def test_names_stay_where_a_config_has_none():
    model = keras.Sequential([keras.Input((6,)), Own(name="mine"), layers.Dense(2, name="head")])
    sparse = sv.sparsify(model, gates.Pruned())
    assert [layer.name for layer in sv.harden(sparse).layers][-2:] == ["mine", "head"]
