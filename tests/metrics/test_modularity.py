"""Modularity: closed forms, and what its definition grants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from sparsevae.metrics import modularity
from sparsevae.metrics.information import bin_codes
from sparsevae.metrics.scores.modularity import modularity_per_code


def grid(*sizes):
    """Every combination of factor values once, `(n_samples, n_factors)`."""
    return np.indices(sizes).reshape(len(sizes), -1).T


def draw(seed, n_samples=300):
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, [3, 4, 5], size=(n_samples, 3))
    return rng.normal(size=(n_samples, 4)) + factors[:, [0, 1, 2, 0]], factors


def test_formula_written_out():
    codes, factors = draw(0)
    scores = []
    for z in bin_codes(codes, 20).T:
        m = np.array([mutual_info_score(v, z) for v in factors.T])
        template = np.where(m == m.max(), m, 0)  # the paper's: all information on one factor
        scores.append(1 - ((m - template) ** 2).sum() / (m.max() ** 2 * (len(m) - 1)))
    assert modularity(codes, factors) == pytest.approx(np.mean(scores), abs=1e-12)


def test_perfect_and_duplicated_codes_score_one():
    factors = grid(3, 6, 4)
    assert modularity(factors * 0.7 - 1, factors) == pytest.approx(1, abs=1e-12)
    assert modularity(np.tile(factors, 2), factors) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("n_others", [1, 2, 3])
def test_latent_that_knows_two_factors_equally(n_others):
    factors = grid(3, 3, *[2] * (n_others - 1))
    codes = (3 * factors[:, 0] + factors[:, 1])[:, None]
    assert modularity(codes, factors) == pytest.approx(1 - 1 / n_others, abs=1e-12)


def test_rotated_code_scores_below_the_perfect_one():
    factors = grid(8, 8)
    assert modularity(factors @ [[1, 1], [1, -1]], factors) == pytest.approx(0, abs=1e-12)


def test_dead_latents_count_zero():
    codes, factors = draw(0)
    joined = np.hstack([codes, np.full((300, 2), 0.1)])
    assert modularity(joined, factors) == pytest.approx(modularity(codes, factors) * 4 / 6)
    assert modularity(joined[:, 4:], factors) == 0


def test_one_valued_factors_are_left_out():
    codes, factors = draw(0)
    assert modularity(codes, np.insert(factors, 1, 5, axis=1)) == modularity(codes, factors)
    assert modularity(codes, np.ones((300, 2))) == 0


def test_with_a_single_factor_a_latent_that_knows_it_is_modular():
    codes, factors = draw(0)
    assert modularity(codes, factors[:, :1]) == 1
    assert modularity(np.hstack([codes, np.zeros((300, 4))]), factors[:, :1]) == 0.5


def test_two_samples():
    assert modularity([[0.0], [1.0]], [[0, 1], [3, 1]]) == 1
    assert modularity([[0.0], [1.0]], [[0, 1], [3, 2]]) == pytest.approx(0)


def test_modularity_of_a_given_matrix():
    matrix = np.array([[2, 1, 0], [0, 0, 0], [3, 3, 3]])
    np.testing.assert_allclose(modularity_per_code(matrix), [1 - 1 / 8, 0, 0], atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_bounds_and_invariances(seed, n_bins):
    codes, factors = draw(seed)
    value = modularity(codes, factors, n_bins=n_bins)
    assert 0 <= value <= 1
    changed = -8 * codes[:, np.random.default_rng(seed).permutation(4)]
    assert modularity(changed, 9 - factors, n_bins=n_bins) == pytest.approx(value, abs=1e-12)


def test_single_precision_hardly_matters():
    codes, factors = draw(2)
    value = modularity(codes, factors)
    assert modularity(codes.astype("f4"), factors) == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize(("n_bins", "error"), [(1, ValueError), (2.5, TypeError)])
def test_bad_n_bins_is_refused(n_bins, error):
    with pytest.raises(error, match="n_bins"):
        modularity(*draw(0), n_bins=n_bins)
