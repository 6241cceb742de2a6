"""Models of half precision: folded, compacted, and compared in float32 throughout."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import sparsevae as sv
from sparsevae.sparsity.same_outputs import largest_difference, not_half

POLICIES = ("mixed_bfloat16", "mixed_float16")


def nested(*inner):
    """A model without an Input, which casts what it takes to its own precision."""
    return keras.Sequential(list(inner))


def functional(x):
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, layers.Dense(3)(inputs * 2.0))(x)


def at_each_time(x):
    inner = layers.TimeDistributed(nested(layers.Dense(5, "relu")))
    return layers.Flatten()(inner(layers.Reshape((2, 2))(x)))


MIDDLES = {  # by name: what lies between two dense layers
    "multiplied": lambda x: x * 2.0,
    "added": lambda x: x + ops.sigmoid(x),
    "function": ops.relu,
    "to single": lambda x: ops.cast(x, "float32") + 1.0,
    "to half": lambda x: ops.cast(ops.cast(x, "float32"), "bfloat16"),
    "nested": lambda x: nested(layers.Dense(5, "relu"))(x),
    "nested without weights": lambda x: nested(layers.ReLU())(x),
    "nested twice": lambda x: nested(nested(layers.Dense(5, "relu")), layers.Dense(3))(x),
    "nested functional": functional,
    "at each time": at_each_time,
}


def model(middle):
    """Unit 1 of the layer "first" is dead."""
    inputs = keras.Input((3,))
    first = layers.Dense(4, "sigmoid", name="first")
    made = keras.Model(inputs, layers.Dense(2)(MIDDLES[middle](first(inputs))))
    kernel = np.array(first.kernel)
    kernel[:, 1] = 0
    first.kernel.assign(kernel)
    return made


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.filterwarnings("ignore:nothing to remove")
def test_compacted(policy, middle, precision):
    precision(policy)
    made = model(middle)
    small = sv.compact(made)
    assert largest_difference(made, small) < 1e-5
    assert small.get_layer("first").dtype_policy.name == policy
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    for a, b in ((sv.harden(made)(x), made(x)), (small(x), made(x))):
        a, b = (ops.convert_to_numpy(ops.cast(y, "float32")) for y in (a, b))
        np.testing.assert_allclose(a, b, atol=0.05)


@pytest.mark.parametrize("middle", MIDDLES)
def test_the_copy_to_compare_is_of_no_half_precision_anywhere(middle, precision):
    precision("mixed_bfloat16")
    made = model(middle)
    precise = not_half(made)
    x = 1 + np.float32(2**-12) * np.arange(24, dtype="float32").reshape(8, 3)
    found = ops.convert_to_numpy(precise(x))
    assert found.dtype == "float32"
    precision("float32")
    single = model(middle)
    single.set_weights(made.get_weights())
    if middle != "to half":  # which is half precision in that model too
        np.testing.assert_allclose(found, single(x), rtol=1e-6, atol=1e-6)
    assert len(np.unique(found[:, 0])) == 8  # half precision gives these rows the same


@pytest.mark.parametrize(
    ("own", "later"), [("mixed_bfloat16", "float32"), ("float32", POLICIES[0])]
)
def test_models_keep_their_own_policy_whatever_the_global_one_is(own, later, precision):
    precision(own)
    made = keras.Sequential([nested(layers.Dense(5)), layers.Dense(2)])
    made.build((None, 3))
    precision(later)
    for dtype in (None, "mixed_float16"):
        folded = sv.harden(made, dtype)
        names = {model.dtype_policy.name for model in (folded, folded.layers[0])}
        assert names == {dtype or own}


def test_only_casts_to_half_precision_change_with_the_policy(precision):
    precision("mixed_bfloat16")
    inputs = keras.Input((3,))
    x = ops.cast(layers.Dense(2)(inputs), "bfloat16")
    made = keras.Model(inputs, [x, ops.cast(x, "int32")])
    dtypes = {
        dtype: [y.dtype for y in sv.harden(made, dtype).outputs] for dtype in (None, "float32")
    }
    assert dtypes == {None: ["bfloat16", "int32"], "float32": ["float32", "int32"]}
