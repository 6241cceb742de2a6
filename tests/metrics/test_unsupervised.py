"""Scores without factors: closed forms of Gaussians, SciPy and scikit-learn, degenerate cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from sklearn.metrics import mutual_info_score

from sparsevae.metrics import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)
from sparsevae.metrics.information import bin_codes

SCORES = (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    lambda codes: gaussian_wasserstein_correlation(codes, normalized=True),
    mutual_information_score,
)


def with_covariance(covariance, n_samples=200):
    """Codes whose sample covariance is exactly the one given."""
    covariance = np.asarray(covariance, float)
    noise = np.random.default_rng(0).normal(size=(n_samples, len(covariance)))
    orthonormal = np.linalg.qr(noise - noise.mean(axis=0))[0] * np.sqrt(n_samples - 1)
    return orthonormal @ np.linalg.cholesky(covariance).T


def random_covariance(seed, latent_dim=5):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(latent_dim, latent_dim)) * rng.uniform(0.1, 3, size=latent_dim)
    return root @ root.T + 0.1 * np.eye(latent_dim)


@pytest.mark.parametrize("r", [0, 0.3, -0.9, 0.9999])
def test_two_correlated_gaussians(r):
    codes = with_covariance([[1, r * 3], [r * 3, 9]]) + 5
    total = gaussian_total_correlation(codes)
    assert total == pytest.approx(-0.5 * np.log(1 - r**2), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_gaussian_scores_equal_textbook_formulas(seed):
    covariance = random_covariance(seed)
    codes, marginals = with_covariance(covariance), np.diag(np.diag(covariance))
    divergence = 0.5 * (np.linalg.slogdet(marginals)[1] - np.linalg.slogdet(covariance)[1])
    assert gaussian_total_correlation(codes) == pytest.approx(divergence, abs=1e-9)
    root = sqrtm(marginals)
    distance = np.trace(covariance + marginals - 2 * sqrtm(root @ covariance @ root))
    assert gaussian_wasserstein_correlation(codes) == pytest.approx(distance, abs=1e-9)
    assert gaussian_wasserstein_correlation(codes, normalized=True) == pytest.approx(
        distance / np.trace(covariance), abs=1e-9
    )


def test_uncorrelated_codes_score_zero():
    codes = with_covariance(np.diag([1, 4, 0.01]))
    assert gaussian_total_correlation(codes) == pytest.approx(0, abs=1e-12)
    assert gaussian_wasserstein_correlation(codes) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_latents_that_determine_each_other_cost_a_floor_each(n):
    """Correlations of ones: one eigenvalue n, the others 0."""
    floor = n * np.finfo(float).eps
    total = gaussian_total_correlation(np.tile(with_covariance([[1.0]]), n))
    assert total == pytest.approx(-0.5 * (np.log(n) + (n - 1) * np.log(floor)), abs=1e-6)


def test_latents_that_determine_each_other_stay_finite():
    codes = np.tile(with_covariance([[1.0]]), 2)
    # Covariance of ones, eigenvalues 2 and 0.
    distance = gaussian_wasserstein_correlation(codes)
    assert distance == pytest.approx(4 - 2 * np.sqrt(2), abs=1e-7)
    many = np.random.default_rng(0).normal(size=(10, 2)) @ np.ones((2, 30))
    assert all(np.isfinite(score(many)) for score in SCORES)


def test_mutual_information_equals_scikit_learn():
    codes = with_covariance(random_covariance(0))
    bins = bin_codes(codes, 20).T
    pairs = [mutual_info_score(a, b) for i, a in enumerate(bins) for b in bins[:i]]
    assert mutual_information_score(codes) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_mutual_information_of_grids():
    codes = np.indices((4, 5)).reshape(2, -1).T
    assert mutual_information_score(codes) == pytest.approx(0, abs=1e-12)
    twice = np.hstack([codes[:, :1], -codes[:, :1]])
    assert mutual_information_score(twice) == pytest.approx(np.log(4), abs=1e-12)
    assert mutual_information_score(twice, n_bins=2) == pytest.approx(np.log(2), abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9])
def test_dead_latents(score, constant):
    codes, dead = with_covariance(random_covariance(1, 3)), np.full((200, 1), constant)
    value = score(codes)
    if score is mutual_information_score:  # of 6 pairs 3 share nothing
        value *= 3 / 6
    assert score(np.hstack([dead, codes])) == pytest.approx(value, rel=1e-9)
    assert score(np.tile(dead, 3)) == 0


@pytest.mark.parametrize("score", SCORES)
def test_a_single_latent_and_two_samples(score):
    assert score(with_covariance([[2.0]])) == pytest.approx(0, abs=1e-9)
    assert np.isfinite(score([[0.0, 1.0], [2.0, -1.0]]))


@pytest.mark.parametrize("score", SCORES)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_and_sign_do_not_matter(score, seed):
    codes = with_covariance(random_covariance(seed))
    rng = np.random.default_rng(seed)
    changed = codes[:, rng.permutation(5)] * rng.choice([-1, 1], 5) + rng.integers(-3, 3, 5)
    assert score(codes) >= 0
    assert score(changed) == pytest.approx(score(codes), rel=1e-6, abs=1e-9)


def test_scale():
    codes, scale = with_covariance(random_covariance(0)), np.array([0.25, 0.5, 1, 2, 4])
    for score in (gaussian_total_correlation, mutual_information_score):
        assert score(codes * scale) == pytest.approx(score(codes), abs=1e-9)
    distance = gaussian_wasserstein_correlation(codes)
    assert gaussian_wasserstein_correlation(codes * 3) == pytest.approx(distance * 9, rel=1e-9)
    share = gaussian_wasserstein_correlation(codes, normalized=True)
    assert gaussian_wasserstein_correlation(codes * 3, normalized=True) == pytest.approx(share)


@pytest.mark.parametrize("score", SCORES)
def test_single_precision_hardly_matters(score):
    codes = with_covariance(random_covariance(0))
    assert score(codes.astype("f4")) == pytest.approx(score(codes), rel=0.02)


@pytest.mark.parametrize(("n_bins", "error"), [(1, ValueError), (2.5, TypeError)])
def test_bad_n_bins_is_refused(n_bins, error):
    with pytest.raises(error, match="n_bins"):
        mutual_information_score(with_covariance(np.eye(2)), n_bins=n_bins)
