import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sparsevae.data import FactorSpace

SPACE = FactorSpace(("shape", "scale", "angle"), (3, 2, 5))


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.data())
def test_index_and_factors_are_inverse(sizes, data):
    space = FactorSpace([f"factor{k}" for k in range(len(sizes))], sizes)
    indices = data.draw(st.lists(st.integers(0, len(space) - 1), max_size=20))
    indices = np.array(indices, dtype=np.int64)
    factors = space.factors(indices)
    assert factors.shape == (len(indices), len(sizes)) and factors.dtype == np.int64
    assert (factors >= 0).all() and (factors < sizes).all()
    np.testing.assert_array_equal(space.index(factors), indices)


def test_last_factor_runs_fastest():
    np.testing.assert_array_equal(
        SPACE.factors([0, 1, 5, 10]), np.diag([0, 1, 1, 1])[:, 1:][:, ::-1]
    )
    assert len(SPACE) == 30
    assert len(np.unique(SPACE.factors(np.arange(30)), axis=0)) == 30


def test_values_default_to_the_integers():
    assert SPACE.values == (range(3), range(2), range(5))
    assert FactorSpace(["size"], [2], [np.array([0.5, 1])]).values == ((0.5, 1.0),)


def test_equality_and_pickling():
    assert pickle.loads(pickle.dumps(SPACE)) == SPACE
    assert FactorSpace(["a"], [2]) != FactorSpace(["a"], [3])


def test_large_spaces_are_exact():
    space = FactorSpace(["a", "b"], [2**31, 2**31 - 1])
    last = np.array([len(space) - 1])
    np.testing.assert_array_equal(space.factors(last), [[2**31 - 1, 2**31 - 2]])
    np.testing.assert_array_equal(space.index(space.factors(last)), last)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_any_integer_dtype_is_accepted(dtype):
    factors = np.array([[2, 1, 4]], dtype)
    np.testing.assert_array_equal(SPACE.index(factors), [29])
    np.testing.assert_array_equal(SPACE.factors(np.array([29], dtype)), factors)


def test_sampling_is_uniform_and_independent():
    factors = SPACE.sample(30_000, np.random.default_rng(0))
    counts = np.bincount(SPACE.index(factors), minlength=30)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_sampling_repeats_with_the_seed_and_fixing_leaves_the_others():
    free = SPACE.sample(50, np.random.default_rng(3))
    np.testing.assert_array_equal(free, SPACE.sample(50, np.random.default_rng(3)))
    fixed = SPACE.sample(50, np.random.default_rng(3), fixed={"scale": 1})
    assert (fixed[:, 1] == 1).all()
    np.testing.assert_array_equal(fixed[:, [0, 2]], free[:, [0, 2]])


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (("shape", [3]), TypeError, "`names`.*'shape'"),
        (([], []), ValueError, "`names`"),
        ((["a", "a"], [1, 2]), ValueError, "`names` must be distinct"),
        ((["a"], [1, 2]), ValueError, "`sizes`"),
        ((["a"], [0]), ValueError, "`sizes`.*at least 1.*0"),
        ((["a"], [2.0]), TypeError, "`sizes`.*2.0"),
        ((["a"], [2], [[1, 2, 3]]), ValueError, "`values`"),
        ((["a", "b"], [2**32, 2**31]), ValueError, "`sizes`.*2\\*\\*63"),
    ],
)
def test_bad_spaces_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        FactorSpace(*arguments)


@pytest.mark.parametrize(
    ("factors", "error", "match"),
    [
        ([[0.0, 0, 0]], TypeError, "`factors`.*float64"),
        ([[True, True, True]], TypeError, "`factors`.*bool"),
        ([0, 0, 0], ValueError, "`factors`.*shape \\(3,\\)"),
        ([[0, 0]], ValueError, "`factors`.*shape, scale, angle.*\\(1, 2\\)"),
        ([[0, 0, 0], [0, 2, 0]], ValueError, "scale in 0 ... 1. Received: scale=2 in row 1"),
        ([[-1, 0, 0]], ValueError, "shape in 0 ... 2. Received: shape=-1"),
    ],
)
def test_bad_factors_are_refused(factors, error, match):
    with pytest.raises(error, match=match):
        SPACE.index(factors)


@pytest.mark.parametrize(
    ("indices", "error", "match"),
    [
        ([1.0], TypeError, "`indices`.*float64"),
        (3, ValueError, "`indices`.*shape \\(\\)"),
        ([[3]], ValueError, "`indices`.*\\(1, 1\\)"),
        ([0, -1], ValueError, "`indices`.*0 ... 29. Received: -1"),
        ([30], ValueError, "`indices`.*30"),
        (np.array([2**64 - 1], np.uint64), ValueError, "18446744073709551615"),
    ],
)
def test_bad_indices_are_refused(indices, error, match):
    with pytest.raises(error, match=match):
        SPACE.factors(indices)


@pytest.mark.parametrize(
    ("n", "rng", "fixed", "error", "match"),
    [
        (5, 0, None, TypeError, "`rng`.*Generator.*rng=0"),
        (5, np.random.RandomState(0), None, TypeError, "`rng`"),
        (0, None, None, ValueError, "`n`.*at least 1"),
        (2.0, None, None, TypeError, "`n`.*2.0"),
        (True, None, None, TypeError, "`n`.*True"),
        (5, None, {"scael": 0}, ValueError, "Did you mean 'scale'.*'scael'"),
        (5, None, {0: 0}, TypeError, "`fixed`.*string"),
        (5, None, {"scale": 2}, ValueError, "scale in 0 ... 1.*scale=2"),
        (5, None, {"scale": -1}, ValueError, "scale.*at least 0"),
        (5, None, {"scale": 1.0}, TypeError, "scale.*1.0"),
    ],
)
def test_bad_draws_are_refused(n, rng, fixed, error, match):
    rng = np.random.default_rng(0) if rng is None else rng
    with pytest.raises(error, match=match):
        SPACE.sample(n, rng, fixed)
