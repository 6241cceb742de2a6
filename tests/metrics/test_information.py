"""Binned codes, mutual information and entropies, beside NumPy, scikit-learn and SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from sparsevae.metrics.information import bin_codes, entropies, mutual_information_matrix


def histogram_bins(codes, n_bins):
    """Bins by the edges of `numpy.histogram`, latent by latent."""
    edges = [np.histogram(column, n_bins)[1][:-1] for column in codes.T]
    return np.stack([np.digitize(c, e) - 1 for c, e in zip(codes.T, edges, strict=True)], axis=1)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n_bins", [2, 3, 20, 256, 257, 700])
def test_bins_are_those_of_a_histogram(n_bins, dtype):
    rng = np.random.default_rng(n_bins)
    scale = [1e-30, 1e-3, 1, 1e5]
    codes = (rng.normal(size=(500, 4)) * scale + [0, 5, -0.3, 1e6]).astype(dtype)
    bins = bin_codes(codes, n_bins)
    np.testing.assert_array_equal(bins, histogram_bins(codes, n_bins))
    assert bins.max(axis=0).tolist() == [n_bins - 1] * 4


@given(
    st.integers(2, 60),
    st.sampled_from(["f4", "f8"]),
    st.floats(0.01, 100),
    st.floats(-100, 100),
    st.integers(2, 60),
)
def test_codes_on_edges_fall_where_a_histogram_puts_them(n_values, dtype, scale, shift, n_bins):
    codes = (np.arange(n_values)[:, None] * scale + shift).astype(dtype)
    np.testing.assert_array_equal(bin_codes(codes, n_bins), histogram_bins(codes, n_bins))


def test_all_values_of_a_constant_latent_share_a_bin():
    codes = np.full((50, 3), [0.1, 1e9, -1e-300])
    assert (np.ptp(bin_codes(codes, 20), axis=0) == 0).all()


def test_a_latent_that_varies_by_rounding_keeps_its_order():
    codes = np.where(np.arange(10) % 2, np.nextafter(1.0, 2), 1.0)[:, None]
    bins = bin_codes(codes, 20)[:, 0].astype(int)
    assert len(set(bins[::2])) == len(set(bins[1::2])) == 1
    assert 0 <= bins[0] < bins[1] == 19


def labels(n_samples):
    """Factors of every kind of label: dense, two-valued, with gaps, negative, huge."""
    rng = np.random.default_rng(3)
    few = rng.integers(0, 5, size=n_samples)
    kinds = [few, few % 2, 3 * few + 1, few - 2, few * 10**12, np.full(n_samples, 7)]
    return np.stack(kinds, axis=1)


@pytest.mark.parametrize("n_bins", [2, 20, 300])
def test_mutual_information_equals_scikit_learn(n_bins):
    factors = labels(400)
    codes = np.random.default_rng(0).normal(size=(400, 3)) + factors[:, :1]
    bins = bin_codes(codes, n_bins)
    expected = [[mutual_info_score(f, b) for f in factors.T] for b in bins.T]
    found = mutual_information_matrix(bins, factors, n_bins)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_entropies_equal_scipy():
    factors = labels(400)
    expected = [entropy(np.unique(f, return_counts=True)[1]) for f in factors.T]
    np.testing.assert_allclose(entropies(factors), expected, rtol=0, atol=1e-12)


def test_information_of_latents_among_themselves():
    bins = bin_codes(np.random.default_rng(0).normal(size=(300, 4)), 20)
    found = mutual_information_matrix(bins, bins, 20)
    np.testing.assert_allclose(found, found.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.diag(found), entropies(bins), rtol=0, atol=1e-12)


def test_a_dead_latent_has_no_information_exactly():
    factors = labels(333)
    bins = bin_codes(np.full((333, 2), 0.3), 20)
    assert (mutual_information_matrix(bins, factors, 20) == 0).all()
    assert (entropies(bins) == 0).all()
