"""Given masks: stored bit by bit, refused unless they are masks."""

import json

import keras
import numpy as np
import pytest
from all_gates import array
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparsevae.gates import Fixed

masks = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(masks)
def test_config_round_trip_is_exact(mask):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(Fixed(mask))))
    gate = keras.saving.deserialize_keras_object(config)
    gate.build(mask.shape)
    np.testing.assert_array_equal(array(gate.mask()), mask)
    np.testing.assert_array_equal(array(gate.fresh(1)._given), mask)


@pytest.mark.parametrize("dtype", [bool, int, "uint8", "float64"])
def test_any_dtype_of_zeros_and_ones(dtype):
    mask = np.array([[1, 0, 1], [0, 0, 1]], dtype)
    gate = Fixed(mask)
    gate.build((2, 3))
    for values in (gate.mask(), gate.mask(training=True), gate.open_probability(), gate.support()):
        np.testing.assert_array_equal(array(values), mask)
    assert not gate.trainable_variables


@pytest.mark.parametrize(
    "mask",
    [
        np.ones(3),
        np.ones((2, 3, 4)),
        np.ones((0, 3)),
        np.full((2, 3), 0.5),
        np.full((2, 3), -1),
        np.full((2, 3), np.nan),
    ],
)
def test_wrong_shapes_and_values_are_refused(mask):
    with pytest.raises(ValueError, match="`mask`"):
        Fixed(mask)


def test_a_layer_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 2\)"):
        Fixed(np.ones((2, 3))).build((3, 2))
