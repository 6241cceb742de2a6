"""Arguments of `compile` and of a model in use."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checked_model import BAD, BYTES, SHAPE, X, assert_refused

from sparsevae.models.arguments import check_compile, check_input, check_latents, check_seed
from sparsevae.models.grouping import grouped

# Arguments


@pytest.mark.parametrize("name", ["loss", "loss_weights", "metrics", "weighted_metrics"])
@pytest.mark.parametrize("value", ["mse", ["mae"], keras.losses.MeanSquaredError(), {"a": X}])
def test_compile_refuses_what_the_objective_decides(name, value):
    assert_refused(lambda: check_compile(**{name: value}), match=f"`{name}` must be None")


def test_compile_takes_nothing_of_these():
    check_compile()
    check_compile(None, None, None, None)


def test_compile_keeps_the_settings_of_a_loss_scale():
    adam = keras.optimizers.Adam(0.1)
    given = keras.optimizers.LossScaleOptimizer(adam, initial_scale=8.0, dynamic_growth_steps=3)
    made = grouped(given, None)
    assert isinstance(made, keras.optimizers.LossScaleOptimizer)
    assert made.inner_optimizer.base is adam
    assert (made.initial_scale, made.dynamic_growth_steps) == (8.0, 3)
    assert grouped(made, None) is made


GOOD_LATENTS = [np.zeros((2, 3)), np.zeros((1, 3), "f2"), [[1, 2, 3]], tf.zeros((2, 3), tf.float64)]


@pytest.mark.parametrize("z", GOOD_LATENTS, ids=lambda z: type(z).__name__)
def test_latents_become_float32(z):
    z = check_latents(z, 3)
    assert z.dtype == tf.float32 and z.shape[1] == 3


@pytest.mark.parametrize(
    ("z", "match"),
    [
        (np.zeros((2, 4)), r"`z` must have the shape \(n, 3\)"),
        (np.zeros(3), r"\(n, 3\).*\(3,\)"),
        (np.zeros((0, 3)), "at least 1"),
        (np.full((2, 3), np.nan), "finite.*6 of 6"),
        (np.full((2, 3), 1e300), "finite"),
        (tf.constant([[np.inf, 0, 0]]), "1 of 3"),
        (np.zeros((2, 3), bool), "real numbers.*bool"),
        (np.zeros((2, 3), complex), "real numbers.*complex"),
        ([["a", "b", "c"]], "real numbers"),
        ([[1.0], [2.0, 3.0]], "one dense array"),
        (None, "one dense array"),
        ("z", "one dense array"),
        (3.0, "one dense array"),
    ],
    ids=str,
)
def test_bad_latents_are_refused(z, match):
    assert_refused(lambda: check_latents(z, 3), match=match)


def test_symbolic_tensors_go_unchecked_by_value():
    @tf.function
    def inside(x, z):
        assert check_input(x, SHAPE) is x
        return check_latents(z, 3)

    assert inside(tf.constant(X), tf.zeros((2, 3), tf.float64)).dtype == tf.float32
    image, z = keras.Input(SHAPE), keras.Input((3,))
    assert check_input(image, SHAPE) is image and check_latents(z, 3) is z
    assert_refused(lambda: check_input(keras.Input((5, 5, 1)), SHAPE), match=r"\(n, 4, 4, 1\)")
    assert_refused(lambda: check_latents(keras.Input((4,)), 3), match=r"\(n, 3\)")


def test_input_of_a_model_in_use():
    assert check_input(BYTES, SHAPE) is BYTES
    tensor = tf.constant(X)
    assert check_input(tensor, SHAPE) is tensor
    assert check_input(X[:0], SHAPE, minimum=0).shape == (0, *SHAPE)
    assert check_input(X.tolist(), SHAPE).shape == X.shape


@pytest.mark.parametrize("kind", [k for k, (x, _) in BAD.items() if not isinstance(x, dict)])
def test_bad_input_of_a_model_in_use_is_refused(kind):
    x, match = BAD[kind]
    match = "one dense array" if kind in ("file name", "number", "None", "set") else match
    assert_refused(lambda: check_input(x, SHAPE), match=match)


def test_seeds():
    assert [check_seed(s) for s in (0, -3, np.int64(7), 2**31 - 1)] == [0, -3, 7, 2**31 - 1]
    for seed in (0.5, "1", None, True, 2**31, -(2**31) - 1):
        assert_refused(lambda s=seed: check_seed(s), match="`seed` must be")
