"""Interventional robustness: its formula written out, closed forms, and the degenerate cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsevae.metrics import irs


def grid(*sizes):
    """Every combination of factor values once, `(n_samples, n_factors)`."""
    return np.indices(sizes).reshape(len(sizes), -1).T


def draw(seed, n_samples=300):
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, [3, 40], size=(n_samples, 2))
    return rng.normal(size=(n_samples, 3)) + factors[:, [0, 1, 0]] * [2, 0.2, 0], factors


def histogram_bins(values):
    return np.digitize(values, np.histogram(values, 20)[1][:-1])


@pytest.mark.parametrize("quantile", [0.5, 0.99, 1.0])
def test_formula_written_out(quantile):
    codes, factors = draw(0)
    largest = [np.abs(z - z.mean()).max() for z in codes.T]
    matrix = np.empty((3, 2))
    for j, z in enumerate(codes.T):
        for k, v in enumerate(factors.T):
            groups = histogram_bins(v)  # 40 values share 20 bins
            held = [z[groups == g] for g in np.unique(groups)]
            moved = [np.quantile(np.abs(part - part.mean()), quantile) for part in held]
            matrix[j, k] = 1 - np.mean(moved) / largest[j]
    found = irs(codes, factors, quantile=quantile)
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-12)
    np.testing.assert_allclose(found.max_deviations, largest, atol=1e-12)
    np.testing.assert_allclose(found.disentanglement_scores, matrix.max(axis=1), atol=1e-12)
    np.testing.assert_array_equal(found.parents, matrix.argmax(axis=1))
    assert found.score == pytest.approx(np.average(matrix.max(axis=1), weights=largest), abs=1e-12)


@pytest.mark.parametrize("n_copies", [1, 2])
def test_perfect_and_duplicated_codes_score_one(n_copies):
    factors = grid(3, 6, 4)
    found = irs(np.tile(factors * 0.7 - 1, n_copies), factors, quantile=1.0)
    assert found.score == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(found.parents, np.tile(range(3), n_copies))
    np.testing.assert_allclose(found.matrix, np.tile(np.eye(3), (n_copies, 1)), atol=1e-12)


def test_code_that_ignores_the_factors_scores_zero():
    factors = grid(3, 4, 5)
    assert irs(factors[:, 2:], factors[:, :2], quantile=1.0).score == pytest.approx(0, abs=1e-12)


def test_sum_of_two_factors():
    # With either factor held, z still moves by 3 of its 6 units either way.
    factors = grid(7, 7)
    found = irs(factors.sum(axis=1, keepdims=True), factors, quantile=1.0)
    assert found.score == pytest.approx(0.5, abs=1e-12)


def test_values_that_share_a_bin_are_one_value():
    factors = grid(40)
    found = irs(factors, factors, quantile=1.0)  # pairs of values, each half a unit off its mean
    assert found.score == pytest.approx(1 - 0.5 / 19.5, abs=1e-12)


def test_entries_can_be_negative_and_left_out_factors_are_no_parents():
    codes = np.array([0, 0, 0, 1, 1, 1, 1, 0.0])[:, None]
    factors = np.array([[3, 0]] * 4 + [[3, 1]] * 4)
    found = irs(codes, factors, quantile=1.0)
    # Group means are 1/4 and 3/4, so the largest deviations are 3/4, against 1/2 overall.
    np.testing.assert_allclose(found.matrix, [[0, -0.5]])
    assert found.parents.tolist() == [1]
    assert found.score == pytest.approx(-0.5)


def test_one_valued_factors_are_left_out():
    codes, factors = draw(0)
    found = irs(codes, np.insert(factors, 0, 5, axis=1))
    assert found.score == irs(codes, factors).score
    assert (found.matrix[:, 0] == 0).all() and (found.parents > 0).all()


def test_no_factor_varies():
    found = irs(draw(0)[0], np.full((300, 2), 5))
    assert found.score == 0
    assert found.matrix.shape == (3, 2) and not found.matrix.any()
    assert (found.parents == -1).all() and (found.max_deviations > 0).all()


@pytest.mark.parametrize("constant", [0.0, 0.1, 0.3, 1e9])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_dead_latents_have_no_weight(constant, dtype):
    codes, factors = draw(0)
    codes, dead = codes.astype(dtype), np.full((300, 1), constant, dtype)
    alone, joined = irs(codes, factors), irs(np.hstack([dead, codes]), factors)
    assert joined.score == alone.score
    np.testing.assert_array_equal(joined.matrix[1:], alone.matrix)
    assert not joined.matrix[0].any() and joined.max_deviations[0] == 0
    np.testing.assert_array_equal(joined.parents, [-1, *alone.parents])
    assert irs(dead, factors).score == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1))
def test_bounds_and_invariances(seed, quantile):
    codes, factors = draw(seed)
    found = irs(codes, factors, quantile=quantile)
    assert np.abs(found.matrix).max() <= 1 and found.score <= 1
    order = np.random.default_rng(seed).permutation(3)
    changed = irs(3 - 5 * codes[:, order], factors, quantile=quantile)
    assert changed.score == pytest.approx(found.score, abs=1e-9)
    np.testing.assert_allclose(changed.matrix, found.matrix[order], atol=1e-9)


def test_scale_of_a_noise_latent_is_its_weight():
    factors = grid(20, 20)
    noise = np.random.default_rng(0).permutation(np.linspace(-1, 1, 400))
    scores = [irs(np.stack([factors[:, 0], noise * s], axis=1), factors).score for s in (1, 10, 99)]
    assert scores[0] > scores[1] > scores[2]


def test_two_samples_and_single_precision():
    assert irs([[0.0], [1.0]], [[0], [3]]).score == 1
    codes, factors = draw(1)
    assert irs(codes.astype("f4"), factors).score == pytest.approx(
        irs(codes, factors).score, abs=1e-6
    )


@pytest.mark.parametrize("quantile", [0, -0.1, 1.01, np.nan])
def test_bad_quantile_is_refused(quantile):
    with pytest.raises(ValueError, match="quantile"):
        irs(*draw(0), quantile=quantile)
