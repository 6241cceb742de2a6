"""Exactly so many of the largest, against NumPy; how many each layer keeps."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import ops
from small import top

from sparsevae.sparsity.selection import largest, largest_near, shares

N = 9
FEW = settings(max_examples=30, deadline=None, derandomize=True, database=None)
FLOATS = st.floats(width=32, allow_nan=False, allow_subnormal=False)
TIES = st.sampled_from([-1.0, -0.0, 0.0, 1.0])
LISTS = st.one_of(*(st.lists(kind, min_size=N, max_size=N) for kind in (FLOATS, TIES)))
TINY = float(np.finfo("float32").tiny)


@given(LISTS, st.integers(0, N))
@example([TINY, -TINY, 0.0, -0.0, 3e38, -3e38, 1.0, np.inf, -np.inf], 4)
@example([0.0] * N, 5)
@example([-2.0] * N, N)
@FEW
def test_largest_against_numpy(scores, n):
    scores = np.array(scores, "float32").reshape(3, 3) + 0.0
    found = np.array(largest(ops.convert_to_tensor(scores), n))
    np.testing.assert_array_equal(found, top(scores, n))


@given(LISTS, st.integers(0, N), st.one_of(FLOATS, TIES))
@example([1.0, 1.001, 1.002, 1.1, 0.9, 0.999, 1.0, 2.0, -1.0], 4, 1.0)
@FEW
def test_a_threshold_known_nearly_or_not_at_all_changes_nothing(scores, n, threshold):
    scores = np.array(scores, "float32").reshape(3, 3) + 0.0
    found, new = largest_near(ops.convert_to_tensor(scores), n, threshold)
    np.testing.assert_array_equal(found, top(scores, n))
    again, _ = largest_near(ops.convert_to_tensor(scores), n, new)
    np.testing.assert_array_equal(again, top(scores, n))
    assert np.sum(scores > np.array(new)) <= n


def test_largest_of_many():
    scores = np.random.default_rng(0).normal(size=10_001).astype("float32")
    for n in (1, 5_000, 10_001):
        found = np.array(largest(ops.convert_to_tensor(scores), n))
        np.testing.assert_array_equal(found, top(scores, n))


SIZES = st.lists(st.integers(1, 500), min_size=1, max_size=6)
SHARES = st.floats(0.001, 1.0)


def rounded(share):
    return int(np.floor(share + 0.5 + 1e-9))


@given(SIZES, SHARES)
@settings(FEW, max_examples=200)
def test_shares_of_layers_sum_exactly_are_within_one_of_their_own_and_none_is_empty(sizes, density):
    counts = shares(sizes, density)
    total = rounded(density * sum(sizes))
    assert sum(counts) == max(total, len(sizes))
    assert all(1 <= n <= size for n, size in zip(counts, sizes, strict=True))
    if total >= 3 * len(sizes) and min(sizes) * density > 2:
        assert all(abs(n - density * s) <= 1 for n, s in zip(counts, sizes, strict=True))


def test_erk_by_its_closed_form():
    shapes = [(3, 3, 16, 32), (3, 3, 32, 64), (64, 10)]
    sizes = [16 * 32, 32 * 64, 640]
    factors = np.array([(3 + 3 + 16 + 32) / (9 * 512), (6 + 96) / (9 * 2048), 74 / 640])
    density = 0.1
    scale = density * sum(sizes) / (factors * sizes).sum()
    assert (scale * factors < 1).all()
    counts = shares(sizes, density, "erk", shapes)
    assert sum(counts) == rounded(density * sum(sizes))
    np.testing.assert_allclose(counts, scale * factors * sizes, atol=1)


def test_erk_leaves_a_layer_whole_that_would_be_over():
    shapes, sizes = [(2, 2), (100, 100)], [4, 10_000]
    counts = shares(sizes, 0.5, "erk", shapes)
    assert counts == [4, 5_002 - 4]


@pytest.mark.parametrize("scope", ["layer", "erk"])
def test_a_density_of_one_keeps_all(scope):
    assert shares([4, 6], 1.0, scope, [(2, 2), (2, 3)]) == [4, 6]
