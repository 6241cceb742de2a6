"""Compaction: the same outputs in fewer channels, whatever the graph and the masks."""

import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import zoo
from compacted import check_compact, outputs, widths
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

import sparsevae as sv
from sparsevae import gates, sparsity
from sparsevae.layers import GatedConv2D, GatedConv2DTranspose, GatedDense
from sparsevae.sparsity.liveness import Scaled
from sparsevae.sparsity.same_outputs import inputs_for, largest_difference

sys.path.insert(0, str(Path(__file__).with_name("liveness")))
from random_models import Drawn

SLOW = dict.fromkeys(zoo.LARGE, pytest.mark.slow)
EACH = pytest.mark.parametrize(
    "graph", [pytest.param(name, marks=SLOW.get(name, ())) for name in zoo.ZOO]
)
FEW = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def trained(model, rng):
    """Gives a model weights, biases and statistics as training does."""
    for weight in model.weights:
        if weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(rng.normal(size=weight.shape))
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def masked(graph, granularity, density, seed):
    """A model of the zoo with a random mask."""
    rng = np.random.default_rng(seed)
    control = sparsity.FixedMask(granularity=granularity)
    model = sv.sparsify(trained(zoo.ZOO[graph](), rng), control=control)
    for layer in model.gated_layers:
        layer.gate.open.assign(rng.random(layer.gate.open.shape) < density)
    return model


def fixed(*shape, closed=()):
    """A gate that is open but for the links `(input, output)` of `closed`."""
    mask = np.ones(shape, bool)
    for link in closed:
        mask[link] = False
    return gates.Fixed(mask)


@EACH
@pytest.mark.parametrize(
    ("granularity", "density"), [("links", 0.0), ("links", 0.2), ("channels", 0.5)]
)
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_every_graph(graph, granularity, density, tmp_path):
    model = masked(graph, granularity, density, seed=int(100 * density))
    small = check_compact(model)
    assert small.count_params() <= sv.harden(model).count_params()
    small.save(tmp_path / "small.keras")
    loaded = keras.saving.load_model(tmp_path / "small.keras")
    for x in inputs_for(small, 4):
        np.testing.assert_array_equal(outputs(loaded, x), outputs(small, x))
    again = sv.compact(small)  # there is nothing left to remove
    assert again.count_params() == small.count_params()


@EACH
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="writes a SavedModel")
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_saved_models_of_every_graph(graph, tmp_path):
    import tensorflow as tf

    small = sv.compact(masked(graph, "channels", 0.5, seed=1))
    small.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    for x in inputs_for(small, 4):
        found = np.concatenate([np.ravel(y) for y in tf.nest.flatten(loaded.serve(x))])
        expected = outputs(small, x)
        np.testing.assert_allclose(found, expected, atol=1e-5 * (1 + np.abs(expected).max()))


@given(seed=st.integers(0, 10**6), n_layers=st.integers(2, 8), use_bias=st.booleans())
@FEW
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_graphs_drawn_at_random(seed, n_layers, use_bias):
    check_compact(Drawn(seed, n_layers, use_bias).model)


@pytest.fixture
def double_precision():
    """Everything that is made is float64."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras's dense layers give float32 on JAX"
)
@pytest.mark.filterwarnings("ignore:nothing to remove")
@pytest.mark.usefixtures("double_precision")
def test_in_double_precision_only_rounding_is_left():
    for seed in range(20):
        model = Drawn(seed, 5, use_bias=True).model
        assert largest_difference(sv.harden(model), sv.compact(model)) < 1e-12


def test_a_dead_channel_goes_into_the_next_bias():
    model = keras.Sequential(
        [
            keras.Input((2,)),
            GatedDense(3, activation="tanh", gate=fixed(2, 3, closed=[(0, 1), (1, 1)])),
            GatedDense(2, gate=fixed(3, 2, closed=[(0, 0)])),
        ]
    )
    trained(model, np.random.default_rng(0))
    small = check_compact(model)
    first, second = (layer for layer in small.layers if layer.weights)
    assert first.kernel.shape == (2, 2) and second.kernel.shape == (2, 2)
    old = [layer.get_weights() for layer in sv.harden(model).layers]
    expected = old[1][1] + np.tanh(old[0][1][1]) * old[1][0][1]
    np.testing.assert_allclose(second.get_weights()[1], expected, rtol=1e-6)


def test_a_layer_without_a_bias_gets_one_for_what_was_constant():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            GatedConv2D(2, 3, gate=fixed(1, 2, closed=[(0, 1)]), activation="sigmoid"),
            layers.Conv2D(3, 2, use_bias=False),
        ]
    )
    small = check_compact(model)
    assert widths(small) == [1, 3] and small.layers[-1].use_bias


def image_model(layer, activation, bias):
    """Two of four channels are constant in front of `layer`."""
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            GatedConv2D(
                4, 3, activation=activation, gate=fixed(1, 4, closed=[(0, 1), (0, 3)]), name="first"
            ),
            layer,
        ]
    )
    model.layers[0].bias.assign(bias)
    return model


@pytest.mark.parametrize(
    ("layer", "n_left"),
    [
        (lambda: layers.Conv2D(2, 2), 2),
        (lambda: layers.Conv2D(2, 1, strides=2, padding="same"), 2),
        (lambda: layers.Conv2D(2, 3, padding="same"), 3),
        (lambda: layers.Conv2DTranspose(2, 4, strides=2, padding="same"), 3),
        (lambda: layers.Conv2DTranspose(2, 1), 2),
        (lambda: layers.SeparableConv2D(2, 3), 2),
        (lambda: layers.SeparableConv2D(2, 3, padding="same"), 4),
        (lambda: layers.Dense(2), 2),
    ],
    ids=["valid", "one", "same", "up", "up_one", "separable", "separable_same", "dense"],
)
def test_constants_that_reach_over_a_border_leave_one_for_all(layer, n_left):
    """Where the border makes no difference they go into the bias, and all of them where 0."""
    model = image_model(layer(), "sigmoid", [0.1, -0.4, 0.3, 0.8])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if n_left == 4 else "error", UserWarning)
        small = check_compact(model)
    assert small.get_layer("first").filters == n_left
    model = image_model(layer(), "relu", [0.1, -0.4, 0.3, -0.8])
    assert check_compact(model).get_layer("first").filters == 2


@pytest.mark.parametrize("bias_axes", [None, "d"])
@pytest.mark.parametrize(
    ("equation", "shape"), [("abc,cd->abd", (3, None)), ("abc,dc->adb", (None, 3))]
)
def test_constants_in_front_of_an_einsum(equation, shape, bias_axes):
    inputs = keras.Input((3, 2))
    gate = fixed(2, 4, closed=[(0, 1), (1, 1)])
    x = GatedDense(4, gate=gate, activation="sigmoid", name="first")(inputs)
    shape = tuple(5 if size is None else size for size in shape)
    x = layers.EinsumDense(equation, shape, bias_axes=bias_axes)(x)
    model = trained(keras.Model(inputs, x), np.random.default_rng(0))
    assert check_compact(model).get_layer("first").units == 3


def test_a_channel_that_lives_through_a_skip_only_stays():
    inputs = keras.Input((3,))
    a = layers.Dense(4, name="a")(inputs)
    closed = [(k, 1) for k in range(3)]
    b = GatedDense(4, gate=fixed(3, 4, closed=closed), name="b")(inputs)
    c = GatedDense(2, gate=fixed(4, 2, closed=[(2, 0), (2, 1)]), name="c")(layers.Add()([a, b]))
    small = check_compact(keras.Model(inputs, c))
    assert [small.get_layer(name).units for name in "abc"] == [3, 3, 2]


def test_a_tensor_joined_with_itself():
    inputs = keras.Input((3,))
    x = layers.Dense(3, activation="tanh")(inputs)
    twice = layers.Concatenate()([x, x])
    gate = fixed(6, 2, closed=[(1, 0), (1, 1), (4, 0), (4, 1), (0, 0), (0, 1)])
    small = check_compact(keras.Model(inputs, GatedDense(2, gate=gate)(twice)))
    assert widths(small) == [2, 2]  # channel 0 is read in the second half


def test_constants_that_differ_between_two_uses_of_a_layer_stay():
    first, second = keras.Input((2,)), keras.Input((2,))
    closed = [(0, 0), (1, 0)]
    a, b = (GatedDense(3, gate=fixed(2, 3, closed=closed), name=name) for name in "ab")
    shared = layers.Dense(2, name="shared")
    model = keras.Model([first, second], [shared(a(first)), shared(b(second))])
    a.bias.assign([1.0, 0.0, 0.0])
    b.bias.assign([2.0, 0.0, 0.0])
    with pytest.warns(UserWarning, match="nothing to remove"):
        sv.compact(model)
    b.bias.assign([1.0, 0.0, 0.0])
    assert [check_compact(model).get_layer(name).units for name in "ab"] == [2, 2]


def test_groups_that_normalize_together_go_together():
    inputs = keras.Input((4, 4, 2))
    closed = [(k, j) for k in range(2) for j in (0, 1, 2)]
    x = GatedConv2D(6, 3, gate=fixed(2, 6, closed=closed), use_bias=False, name="first")(inputs)
    x = layers.GroupNormalization(3, name="norm")(x)
    small = check_compact(keras.Model(inputs, layers.Conv2D(2, 2)(x)))
    assert small.get_layer("first").filters == 4 and small.get_layer("norm").groups == 2


def test_channels_of_flattened_images_are_rows_of_the_kernel():
    inputs = keras.Input((6, 6, 1))
    x = GatedConv2D(4, 3, gate=fixed(1, 4, closed=[(0, 2)]), activation="tanh")(inputs)
    x = GatedDense(48, gate=fixed(64, 48), name="wide")(layers.Flatten()(x))
    x = layers.Reshape((4, 4, 3))(x)
    up = GatedConv2DTranspose(1, 2, gate=fixed(3, 1, closed=[(1, 0)]))(x)
    small = check_compact(keras.Model(inputs, up))
    assert small.get_layer("wide").kernel.shape == (3 * 16, 2 * 16)


@pytest.mark.parametrize(("multiple", "width"), [(1, 3), (2, 4), (4, 4), (8, 8)])
def test_widths_are_multiples(multiple, width):
    inputs = keras.Input((2,))
    closed = [(k, j) for k in range(2) for j in range(5)]
    x = GatedDense(8, gate=fixed(2, 8, closed=closed), activation="relu", name="x")(inputs)
    model = trained(keras.Model(inputs, layers.Dense(3)(x)), np.random.default_rng(0))
    if width == 8:
        with pytest.warns(UserWarning, match="nothing to remove"):
            small = sv.compact(model, multiple_of=multiple)
    else:
        small = check_compact(model, multiple_of=multiple)
    assert small.get_layer("x").units == width


@keras.saving.register_keras_serializable("test_compact")
class Tilted(layers.Layer):
    """A number for each channel."""

    def build(self, input_shape):
        self.tilt = self.add_weight(name="tilt", shape=(input_shape[-1],), initializer="normal")

    def call(self, inputs):
        return inputs * self.tilt


def with_a_layer_of_ones_own():
    inputs = keras.Input((2,))
    x = GatedDense(4, gate=fixed(2, 4, closed=[(0, 1), (1, 1)]), name="first")(inputs)
    x = Tilted(name="own")(x)
    return keras.Model(inputs, layers.Dense(3, name="last")(x))


def test_a_layer_without_a_rule_keeps_its_channels_and_is_named():
    model = with_a_layer_of_ones_own()
    with pytest.warns(UserWarning, match="nothing to remove"):
        small = sv.compact(model)
    assert sparsity.compare(model, small, batch_sizes=()).without_rule == ("own",)


def test_a_rule_for_a_layer_of_ones_own():
    class PerChannel(Scaled):
        def axes(self, call):
            return [len(call.input_shapes[0]) - 1]

    from sparsevae.sparsity.liveness import rule

    sparsity.register_liveness(Tilted, PerChannel())
    try:
        small = check_compact(with_a_layer_of_ones_own())
    finally:
        del rule._RULES[Tilted]
    assert small.get_layer("own").tilt.shape == (3,)


def test_arrays_in_operations_keep_what_they_meet():
    inputs = keras.Input((2,))
    x = GatedDense(3, gate=fixed(2, 3, closed=[(0, 0), (1, 0)]))(inputs)
    x = ops.multiply(x, np.array([1.0, 2.0, 3.0], "float32"))
    with pytest.warns(UserWarning, match="nothing to remove"):
        sv.compact(keras.Model(inputs, layers.Dense(2)(x)))


def test_weights_of_zero_are_closed_links():
    """So what another tool has pruned is compacted too."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(2)])
    kernel, bias = model.layers[1].get_weights()
    kernel[2] = 0.0
    model.layers[1].set_weights([kernel, bias])
    assert widths(check_compact(model)) == [3, 2]


def test_axes_of_any_length_are_taken_and_constants_stay_there():
    inputs = keras.Input((None, 3))
    closed = [(k, 1) for k in range(3)] + [(k, 2) for k in range(3)]
    x = GatedDense(4, gate=fixed(3, 4, closed=closed), name="x")(inputs)
    model = keras.Model(inputs, GatedDense(2, gate=fixed(4, 2, closed=[(1, 0), (1, 1)]))(x))
    assert check_compact(model).get_layer("x").units == 2  # 0 is 0 at any length
    model.get_layer("x").bias.assign([0, 0, 1, 0])
    assert check_compact(model).get_layer("x").units == 3


def test_a_model_with_nothing_to_remove_is_returned():
    model = zoo.dense(3, 2)
    with pytest.warns(UserWarning, match="nothing to remove from 'sequential.*no channel is dead"):
        assert sv.compact(model) is model


def with_a_lambda():
    inputs = keras.Input((3,))
    return keras.Model(
        inputs, layers.Dense(2)(layers.Lambda(lambda x: 2 * x, name="twice")(inputs))
    )


MISUSE = {
    "lambda": (with_a_lambda, ValueError, "Layer 'twice' cannot be copied"),
    "no model": (lambda: 3, TypeError, "`model` must be a Keras model. Received: 3"),
    "subclassed": (
        zoo.Subclassed,
        ValueError,
        "must be functional or a Sequential .*Subclassed",
    ),
    "not built": (lambda: keras.Sequential([layers.Dense(2)]), ValueError, "that is built"),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_is_one_line(name):
    make, error, message = MISUSE[name]
    with pytest.raises(error, match=message) as caught:
        sv.compact(make())
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="`multiple_of` must be an integer of at least 1"):
        sv.compact(zoo.dense(2), multiple_of=0)


def test_what_would_change_outputs_is_refused(monkeypatch):
    model = masked("encoder_decoder", "channels", 0.5, seed=0)
    monkeypatch.setattr("sparsevae.sparsity.compacting.largest_difference", lambda *_: 2e-5)
    with pytest.raises(ValueError, match="must not change outputs, and would have by 2e-05"):
        sv.compact(model)
    monkeypatch.setattr("sparsevae.sparsity.compacting.largest_difference", lambda *_: np.nan)
    with pytest.raises(ValueError, match="would have by nan"):
        sv.compact(model)


def test_differences_are_seen_wherever_they_are():
    model = zoo.dense(4, 2)
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    assert largest_difference(model, other) == 0
    kernel = other.layers[0].get_weights()[0]
    for change, least in ((1e-3, 1e-5), (np.nan, np.nan)):
        changed = kernel.copy()
        changed[0, 0] += change
        other.layers[0].set_weights([changed, other.layers[0].get_weights()[1]])
        found = largest_difference(model, other)
        assert np.isnan(found) if np.isnan(least) else found > least


def test_comparison_of_a_model_and_its_compacted_one():
    model = masked("residual", "channels", 0.0, seed=0)
    small = sv.compact(model)
    found = sparsity.compare(model, small, batch_sizes=(1, 4))
    assert list(found.totals.index) == [
        "parameters",
        "flops",
        "bytes",
        "ms, batch 1",
        "ms, batch 4",
    ]
    assert found.totals.before["parameters"] == sv.harden(model).count_params()
    assert found.totals.after["bytes"] == 4 * small.count_params()
    stem = found.channels.set_index("layer").loc["stem"]
    assert (stem.before, stem.after) == (4, 1) and found.largest_difference < 1e-5
    assert "ratio" in str(found) and "largest difference of outputs" in str(found)
    with pytest.raises(ValueError, match="`small` must have the inputs and outputs of `model`"):
        sparsity.compare(model, zoo.dense(2))
