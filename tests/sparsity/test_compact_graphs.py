"""Graphs that once were compacted wrongly, not at all, or less than they can be."""

import keras
import numpy as np
import pytest
from compacted import check_compact
from keras import layers, ops

import sparsevae as sv

Input, Model = keras.Input, keras.Model


def cut(layer, columns=(), rows=()):
    """Closes links of a layer with a kernel `(..., in_channels, out_channels)`."""
    kernel, *others = layer.get_weights()
    kernel[..., list(columns)] = 0
    kernel[..., list(rows), :] = 0
    layer.set_weights([kernel, *others])


def behind(make, columns=(1,), units=6, n_inputs=4, activation=None):
    """A dense layer "a" with closed columns, what `make` puts behind it, two outputs."""
    given = Input((n_inputs,))
    start = {"bias_initializer": "ones", "activation": activation}
    x = layers.Dense(units, name="a", **start)(given)
    model = Model(given, layers.Dense(2)(make(x)))
    cut(model.get_layer("a"), columns)
    return model


def shared():
    """A constant that is read in the second use of a layer only."""
    first, second = Input((2,)), Input((2,))
    f, g = layers.Dense(2, "sigmoid", name="a"), layers.Dense(2, name="g")
    ends = layers.Dense(1), layers.Dense(1)
    model = Model([first, second], [e(g(f(x))) for e, x in zip(ends, (first, second), strict=True)])
    g.set_weights([np.array([[1, 1], [0, 1.0]]), np.zeros(2)])
    cut(f, columns=[1])
    cut(ends[1], rows=[1])
    return model


@keras.saving.register_keras_serializable("tests")
class Sample(layers.Layer):
    """Draws as the VAE of Keras's examples does."""

    def __init__(self, seed=3, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, given):
        mean, log_var = given
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + noise * ops.exp(0.5 * log_var)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def sampled(x):
    return Sample()([layers.Dense(2, name="mean")(x), layers.Dense(2, name="log_var")(x)])


def sampled_from_constants():
    model = behind(sampled)
    for name in ("mean", "log_var"):
        cut(model.get_layer(name), [0, 1])
    return model


def tokens(dtype, n_words):
    given = Input((5,), dtype=dtype)
    x = layers.Flatten()(layers.Embedding(n_words, 4)(given))
    model = Model(given, layers.Dense(2)(layers.Dense(6, name="a")(x)))
    cut(model.get_layer("a"), [1])
    return model


def looked_up():
    given = Input((1,), dtype="int64")
    x = layers.IntegerLookup(vocabulary=[3, 5], output_mode="one_hot")(given)
    model = Model(given, layers.Dense(2)(layers.Dense(6, name="a")(x)))
    cut(model.get_layer("a"), [1])
    return model


def masked():
    given = Input((6, 4))
    x = layers.LSTM(5)(layers.BatchNormalization()(layers.Masking()(given)))
    model = Model(given, layers.Dense(2)(layers.Dense(4, name="a")(x)))
    cut(model.get_layer("a"), [1])
    return model


def normalized():
    given = Input((4,))
    known = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0])
    model = Model(given, layers.Dense(2)(known(layers.Dense(3, "relu")(given))))
    cut(model.layers[-1], rows=[1])
    return model


def of_fixed_batch():
    given = Input(batch_shape=(2, 3, 4))
    x = layers.LSTM(3, stateful=True)(given)
    model = Model(given, layers.Dense(2)(layers.Dense(5, name="a")(x)))
    cut(model.get_layer("a"), [1])
    return model


def of_nested_structures():
    a, b, c = Input((4,)), Input((4,)), Input((4,))
    inner = Model({"a": [a, b], "b": c}, a + 2 * b + 3 * c)
    given = Input((4,))
    x = inner({"a": [given, layers.ReLU()(given)], "b": given})
    model = Model(given, layers.Dense(2)(layers.Dense(3, name="a")(x)))
    cut(model.get_layer("a"), [1])
    return model


def overflowing():
    keras.utils.set_random_seed(0)
    given = Input((8,))
    start = keras.initializers.RandomNormal(stddev=1.0)
    x = layers.Dense(6, "exponential", kernel_initializer=start, name="a")(given)
    model = Model(given, layers.Dense(2)(x))
    cut(model.layers[-1], rows=[1])
    return model


def u_net(n_poolings):
    x = given = Input((None, None, 3))
    skips = []
    for number in range(n_poolings):
        x = layers.Conv2D(4, 3, padding="same", activation="relu", name=f"down_{number}")(x)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    for skip in reversed(skips):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
        x = layers.Conv2D(4, 3, padding="same")(x)
    model = Model(given, layers.Conv2D(2, 1)(x))
    cut(model.layers[-1], rows=[1])
    return model


def valid_windows():
    x = given = Input((None, None, 3))
    for _ in range(3):
        x = layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    model = Model(given, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    cut(model.layers[-1], rows=[1])
    return model


GRAPHS = {  # and parameters left, where it is known
    "shared": (shared, None),
    "dropout as in training": (
        lambda: behind(lambda x: layers.Dropout(0.5, seed=1)(x, training=True)), None,
    ),
    "batch statistics": (
        lambda: behind(lambda x: layers.BatchNormalization()(x, training=True)), None,
    ),
    "sampled": (lambda: behind(sampled), None),
    "sampled from constants": (sampled_from_constants, None),
    "overflowing": (overflowing, 8 * 5 + 5 + 5 * 2 + 2),
    "floats as tokens": (lambda: tokens("float32", 7), 28 + 20 * 5 + 5 + 5 * 2 + 2),
    "one token": (lambda: tokens("int32", 1), None),
    "looked up": (looked_up, None),
    "masked": (masked, None),
    "normalized": (normalized, None),
    "batch of two": (of_fixed_batch, None),
    "nested structures": (of_nested_structures, None),
    "U-Net": (lambda: u_net(3), None),
    "valid windows of any size": (valid_windows, None),
    "operations": (
        lambda: behind(lambda x: ops.clip(ops.concatenate([x, ops.relu6(x) * 2.0], -1), 0, 6)),
        5 * 5 + 10 * 2 + 2,
    ),
    "softmax as an operation": (
        lambda: behind(lambda x: ops.softmax(layers.Dense(3)(x))), 5 * 5 + 5 * 3 + 3 + 3 * 2 + 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.filterwarnings("ignore:nothing to remove", "ignore:When providing `inputs` as a dict")
def test_outputs_stay(name):
    make, n_parameters = GRAPHS[name]
    model = make()
    small = check_compact(model)
    assert small.count_params() <= model.count_params()
    if n_parameters is not None:
        assert small.count_params() == n_parameters


def test_seeds_and_statistics_of_the_model_stay():
    model = behind(lambda x: layers.BatchNormalization()(sampled(x), training=True))
    before = [np.array(v) for v in model.variables]
    sv.compact(model)
    for one, other in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_draws_that_cannot_be_repeated_are_refused():
    @keras.saving.register_keras_serializable("tests")
    class Unseeded(layers.Layer):
        def call(self, x):
            return x + keras.random.normal(ops.shape(x))

    with pytest.raises(ValueError, match=r"the same outputs again.*SeedGenerator"):
        sv.compact(behind(lambda x: Unseeded()(layers.Dense(3)(x))))


# What can go


def test_a_channel_constant_in_one_tensor_and_unneeded_in_another_goes():
    given = Input((3,))
    a, b = layers.Dense(4, "sigmoid", name="a")(given), layers.Dense(4, name="b")(given)
    y = layers.Add()([a, b])
    model = Model(given, [layers.Dense(2, name="o")(y), layers.Dense(2)(a)])
    cut(model.get_layer("a"), [1])
    cut(model.get_layer("o"), rows=[1])
    small = check_compact(model)
    assert small.get_layer("a").units == small.get_layer("b").units == 3


def test_channels_of_a_closed_depthwise_window_go():
    given = Input((6, 6, 3))
    x = layers.DepthwiseConv2D(3, name="d")(layers.Conv2D(6, 1, name="a")(given))
    model = Model(given, layers.Conv2D(2, 1)(x))
    cut(model.get_layer("d"), rows=[0, 1, 2])
    assert check_compact(model).get_layer("a").filters == 3


def test_channels_that_a_batch_normalization_multiplies_by_zero_go():
    given = Input((6, 6, 3))
    x = layers.BatchNormalization(name="n")(layers.Conv2D(8, 3, name="c")(given))
    model = Model(given, layers.Conv2D(2, 1)(layers.ReLU()(x)))
    gamma, beta, *others = model.get_layer("n").get_weights()
    gamma[:4] = 0
    model.get_layer("n").set_weights([gamma, beta + 1, *others])
    assert check_compact(model).get_layer("c").filters == 4


def test_closed_channels_of_images_of_any_size_go():
    x = given = Input((None, None, 3))
    for number in range(3):
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"c{number}")(x)
    sparse = sv.sparsify(
        Model(given, layers.Conv2D(1, 1)(x)),
        where=["c0", "c1", "c2"],
        control=sv.sparsity.FixedMask(granularity="channels"),
    )
    for layer in sparse.gated_layers:
        layer.gate.open.assign(np.arange(8)[None] < 4)
    small = check_compact(sparse)
    assert [small.get_layer(f"c{number}").filters for number in range(3)] == [4, 4, 4]


def test_equal_columns_of_an_embedding_go():
    given = Input((5,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(7, 8, name="e")(given))
    model = Model(given, layers.Dense(2)(x))
    (vectors,) = model.get_layer("e").get_weights()
    vectors[:, :3], vectors[:, 3] = 0, 2
    model.get_layer("e").set_weights([vectors])
    assert check_compact(model).get_layer("e").output_dim == 4


# Names and inputs


def test_outputs_of_nested_models_keep_their_names():
    head = keras.Sequential([Input((6,)), layers.Dense(2, name="inner")], name="head")
    given = Input((4,))
    model = Model(given, head(layers.Dense(6, name="a")(given)))
    cut(model.get_layer("a"), [1])
    small = check_compact(model)
    assert small.output_names == model.output_names == ["head"]


def test_optional_inputs_stay_optional():
    given, other = Input((4,)), Input((4,), optional=True, name="other")
    model = Model([given, other], layers.Dense(2)(layers.Dense(6, name="a")(given)))
    cut(model.get_layer("a"), [1])
    small = check_compact(model)
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(small([x, None]), model([x, None]), atol=1e-5)


def test_constants_in_biases_of_half_precision_are_rounded():
    given = Input((4,))
    half = {"dtype": "bfloat16"}
    x = layers.Dense(6, name="a", bias_initializer=keras.initializers.Constant(0.3), **half)(given)
    x = layers.Add(**half)([x, layers.Activation("sigmoid", **half)(x)])
    model = Model(given, layers.Dense(2, **half)(x))
    cut(model.get_layer("a"), [1, 2])
    assert sv.compact(model).get_layer("a").units == 4
