"""Unified scores: beside the scores they generalize, and graphs taken apart by SciPy."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from sparsevae.metrics import (
    dci_from_importance,
    merge_thresholds,
    mig,
    modularity,
    precision_curve,
    sap,
    sap_matrix,
    unified_scores,
)
from sparsevae.metrics.information import bin_codes, mutual_information_matrix

PERFECT = np.diag([0.9, 0.5, 0.7])


def draw(seed, n_samples=300):
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, [3, 4, 5], size=(n_samples, 3))
    return rng.normal(size=(n_samples, 4)) + factors[:, [0, 1, 2, 0]], factors


def random_matrix(seed):
    """Relations of 1 to 7 latents with 1 to 5 factors; zeros and equal entries are likely."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 12, size=(rng.integers(1, 8), rng.integers(1, 6))) / 4


def components(matrix, threshold):
    """Component of each latent and then each factor, linked by entries that reach a threshold."""
    latent_dim, n_factors = matrix.shape
    graph = np.zeros((latent_dim + n_factors, latent_dim + n_factors), bool)
    graph[:latent_dim, latent_dim:] = (matrix >= threshold) & (matrix > 0)
    return connected_components(graph, directed=False)[1]


def test_each_aggregation_on_its_own_matrix_is_its_score():
    codes, factors = draw(0)
    information = mutual_information_matrix(bin_codes(codes, 20), factors, 20)
    of_information = unified_scores(information, factors)
    assert of_information.mig == pytest.approx(mig(codes, factors), abs=1e-12)
    assert of_information.modularity == pytest.approx(modularity(codes, factors), abs=1e-12)
    split = codes[:200], factors[:200], codes[200:], factors[200:]
    of_accuracy = unified_scores(sap_matrix(*split), factors[:200])
    assert of_accuracy.sap == pytest.approx(sap(*split), abs=1e-12)
    of_dci, found = dci_from_importance(information), of_information
    assert (found.disentanglement, found.completeness) == (
        of_dci.disentanglement,
        of_dci.completeness,
    )


def test_parts_make_up_the_whole():
    matrix, factors = np.random.default_rng(0).uniform(size=(4, 3)), draw(0)[1]
    found = unified_scores(matrix, factors)
    assert found.mig == pytest.approx(found.mig_per_factor.mean())
    assert found.sap == pytest.approx(found.sap_per_factor.mean())
    assert found.modularity == pytest.approx(found.modularity_per_code.mean())
    rows, columns = matrix.sum(axis=1), matrix.sum(axis=0)
    assert found.disentanglement == pytest.approx(
        np.average(found.disentanglement_per_code, weights=rows)
    )
    assert found.completeness == pytest.approx(
        np.average(found.completeness_per_factor, weights=columns)
    )


def test_perfect_code():
    found = unified_scores(PERFECT, draw(0)[1])
    assert found.disentanglement == pytest.approx(1, abs=1e-8)
    assert found.completeness == pytest.approx(1, abs=1e-8)
    assert found.modularity == 1
    assert found.sap == pytest.approx(0.7)
    assert found.max_precision == 3
    # 1 group from 0.9, 2 from 0.7, 3 from 0.5 down to 0, joined by straight lines.
    assert found.area_precision == pytest.approx(1.5 * 0.2 + 2.5 * 0.2 + 3 * 0.5)


def test_matrix_of_equal_entries_is_one_group():
    found = unified_scores(np.ones((4, 3)), draw(0)[1])
    assert (found.max_precision, found.area_precision) == (1, 0)
    assert found.disentanglement == pytest.approx(0, abs=1e-9)
    assert found.mig == found.sap == found.modularity == 0


def test_matrix_of_zeros_scores_zero():
    for value in dataclasses.astuple(unified_scores(np.zeros((4, 3)), draw(0)[1])):
        np.testing.assert_allclose(value, 0, atol=1e-12)


def test_one_valued_factors_are_left_out():
    factors, matrix = draw(0)[1], np.random.default_rng(0).uniform(size=(4, 3))
    expected = unified_scores(matrix, factors)
    found = unified_scores(np.insert(matrix, 1, 0.8, axis=1), np.insert(factors, 1, 6, axis=1))
    for name, value in dataclasses.asdict(expected).items():
        value = np.insert(value, 1, 0) if name.endswith("per_factor") else value
        np.testing.assert_array_equal(getattr(found, name), value)
    nothing = unified_scores(matrix, np.full((10, 3), 6))
    assert not any(np.any(value) for value in dataclasses.astuple(nothing))
    assert nothing.modularity_per_code.shape == (4,) and nothing.mig_per_factor.shape == (3,)


def test_one_latent_and_one_factor():
    factors = draw(0)[1]
    found = unified_scores([[0.2, 0.6, 0.0]], factors)
    assert found.sap == pytest.approx(0.8 / 3)
    found = unified_scores([[0.2], [0.0]], factors[:, :1])
    assert found.disentanglement == 1
    np.testing.assert_array_equal(found.modularity_per_code, [1, 0])


@given(st.integers(0, 2**32 - 1))
def test_precision_counts_components(seed):
    matrix = random_matrix(seed)
    thresholds, counts = precision_curve(matrix)
    np.testing.assert_array_equal(thresholds, np.sort(matrix, axis=None)[::-1])
    for threshold, count in zip(thresholds, counts, strict=True):
        sizes = np.bincount(components(matrix, threshold))
        assert count == (sizes > 1).sum()


@given(st.integers(0, 2**32 - 1))
def test_factors_merge_where_they_are_first_connected(seed):
    matrix = random_matrix(seed)
    n_factors = matrix.shape[1]
    expected = np.zeros((n_factors, n_factors))
    for threshold in np.unique(matrix[matrix > 0]):  # rising: the largest one stays
        group = components(matrix, threshold)[-n_factors:]
        expected[group[:, None] == group] = threshold
    np.fill_diagonal(expected, np.inf)
    np.testing.assert_array_equal(merge_thresholds(matrix), expected)


def test_factors_of_a_perfect_code_never_merge():
    np.testing.assert_array_equal(merge_thresholds(PERFECT), np.where(np.eye(3), np.inf, 0))
    merges = merge_thresholds([[0.9, 0.3, 0], [0, 0.8, 0.1], [0, 0, 0.7]])
    np.testing.assert_array_equal(merges[0], [np.inf, 0.3, 0.1])


@given(st.integers(0, 2**32 - 1))
def test_order_of_latents_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    matrix, factors = rng.uniform(size=(5, 3)), draw(seed)[1]
    order = rng.permutation(5)
    found, expected = unified_scores(matrix[order], factors), unified_scores(matrix, factors)
    for name, value in dataclasses.asdict(expected).items():
        value = value[order] if name.endswith("per_code") else value
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-12)


@pytest.mark.parametrize(
    "matrix", [[1.0, 2.0], np.zeros((0, 3)), [[-0.1, 1, 1]], [[np.nan, 1, 1]], [[np.inf, 1, 1]]]
)
def test_bad_matrices_are_refused(matrix):
    for score in (lambda m: unified_scores(m, draw(0)[1]), precision_curve, merge_thresholds):
        with pytest.raises(ValueError, match="`matrix`"):
            score(matrix)


def test_factors_of_another_number_are_refused():
    with pytest.raises(ValueError, match=r"`factors`.*\(300, 3\)"):
        unified_scores(np.ones((4, 2)), draw(0)[1])
