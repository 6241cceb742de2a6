"""MIG-sup, DCIMIG and JEMMIG: their formulas written out, and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from sparsevae.metrics import dcimig, jemmig, mig_sup
from sparsevae.metrics.information import bin_codes

GAPS = (mig_sup, dcimig, jemmig)
LN = np.log


def grid(*sizes):
    """Every combination of factor values once, `(n_samples, n_factors)`."""
    return np.indices(sizes).reshape(len(sizes), -1).T


def draw(seed, n_samples=300, latent_dim=4):
    """Codes that know something of two factors, and the factors."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.permutation(np.arange(n_samples) % size) for size in (3, 4)], axis=1)
    codes = rng.normal(size=(n_samples, latent_dim))
    codes[:, :2] += factors * rng.uniform(0, 2, size=2)
    return codes, factors


@pytest.mark.parametrize("n_bins", [2, 7, 20])
def test_formulas_written_out(n_bins):
    codes, factors = draw(0)
    bins = bin_codes(codes, n_bins)
    n_factors = factors.shape[1]
    information = np.array([[mutual_info_score(v, z) for v in factors.T] for z in bins.T])
    entropy = [mutual_info_score(v, v) for v in factors.T]

    shares = [sorted(row / entropy) for row in information]
    assert mig_sup(codes, factors, n_bins=n_bins) == pytest.approx(
        np.mean([row[-1] - row[-2] for row in shares]), abs=1e-12
    )

    gaps = np.zeros_like(information)
    for z, row in enumerate(information):
        gaps[z, row.argmax()] = sorted(row)[-1] - sorted(row)[-2]
    assert dcimig(codes, factors, n_bins=n_bins) == pytest.approx(
        gaps.max(axis=0).sum() / sum(entropy), abs=1e-12
    )

    terms = []
    for k in range(n_factors):
        best, second = np.argsort(information[:, k])[[-1, -2]]
        pairs = np.unique(np.stack([bins[:, best], factors[:, k]]), axis=1, return_counts=True)[1]
        joint = -(pairs / 300 * LN(pairs / 300)).sum()
        terms.append(joint - information[best, k] + information[second, k])
    assert jemmig(codes, factors, n_bins=n_bins) == pytest.approx(
        np.mean(1 - np.array(terms) / (np.array(entropy) + LN(n_bins))), abs=1e-12
    )


@pytest.mark.parametrize("score", GAPS)
def test_perfect_code_scores_one(score):
    factors = grid(3, 6, 4)
    assert score(factors * 0.7 - 1, factors) == pytest.approx(1, abs=1e-12)


def test_code_that_ignores_the_factors():
    factors = grid(3, 5, 4)
    codes, factors = factors[:, 2:], factors[:, :2]
    assert mig_sup(codes, factors) == pytest.approx(0, abs=1e-12)
    assert dcimig(codes, factors) == pytest.approx(0, abs=1e-12)
    expected = np.mean([1 - (LN(4) + LN(k)) / (LN(20) + LN(k)) for k in (3, 5)])
    assert jemmig(codes, factors) == pytest.approx(expected, abs=1e-12)
    # A latent that fills all bins evenly leaves nothing.
    assert jemmig(codes, factors, n_bins=4) == pytest.approx(0, abs=1e-12)


def test_only_jemmig_punishes_duplicates():
    factors = grid(3, 6)
    codes = np.tile(factors, 2)
    assert mig_sup(codes, factors) == pytest.approx(1, abs=1e-12)
    assert dcimig(codes, factors) == pytest.approx(1, abs=1e-12)
    expected = np.mean([1 - LN(k) / (LN(k) + LN(20)) for k in (3, 6)])
    assert jemmig(codes, factors) == pytest.approx(expected, abs=1e-12)


def test_latent_that_holds_two_factors():
    factors = grid(4, 2)
    codes = (2 * factors[:, 0] + factors[:, 1])[:, None]  # 8 values: both factors in full
    assert mig_sup(codes, factors) == pytest.approx(0, abs=1e-12)
    assert dcimig(codes, factors) == pytest.approx((LN(4) - LN(2)) / LN(8), abs=1e-12)
    # H(z, v) - I(z; v) = ln 8 - H(v); with one latent nobody else knows v.
    expected = np.mean([1 - (LN(8) - LN(k)) / (LN(k) + LN(20)) for k in (4, 2)])
    assert jemmig(codes, factors) == pytest.approx(expected, abs=1e-12)


def test_single_factor_has_no_second():
    factors = grid(4, 3)
    for score in (mig_sup, dcimig):
        assert score(factors[:, :1], factors[:, :1]) == pytest.approx(1, abs=1e-12)


def test_dead_latents_lower_mig_sup_alone():
    codes, factors = draw(1)
    joined = np.hstack([np.full((300, 2), 0.3), codes])
    assert mig_sup(joined, factors) == pytest.approx(mig_sup(codes, factors) * 4 / 6, abs=1e-12)
    assert dcimig(joined, factors) == dcimig(codes, factors)
    assert jemmig(joined, factors) == jemmig(codes, factors)


def test_dead_latent_is_no_better_than_one_that_knows_nothing():
    factors = grid(3, 4)
    codes = factors[:, 1:]
    joined = np.hstack([np.zeros((12, 1)), codes])
    assert jemmig(joined, factors[:, :1]) == jemmig(codes, factors[:, :1])


@pytest.mark.parametrize("score", GAPS)
def test_zero_where_nothing_varies(score):
    codes, factors = draw(0)
    assert score(np.full((300, 3), 0.1), factors) == 0
    assert score(codes, np.full((300, 2), 4)) == 0


@pytest.mark.parametrize("score", GAPS)
def test_one_valued_factors_are_left_out(score):
    codes, factors = draw(0)
    assert score(codes, np.insert(factors, 1, 5, axis=1)) == score(codes, factors)


@pytest.mark.parametrize("score", GAPS)
def test_two_samples(score):
    assert score([[0.0], [1.0]], [[0], [3]], n_bins=2) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("score", GAPS)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_bounds_and_invariances(score, seed, n_bins):
    codes, factors = draw(seed)
    value = score(codes, factors, n_bins=n_bins)
    assert 0 <= value <= 1 + 1e-12
    changed = -8 * codes[:, np.random.default_rng(seed).permutation(4)]
    assert score(changed, 9 - 2 * factors, n_bins=n_bins) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("score", GAPS)
def test_single_precision_hardly_matters(score):
    codes, factors = draw(2)
    assert score(codes.astype("f4"), factors) == pytest.approx(score(codes, factors), abs=0.01)


@pytest.mark.parametrize("score", GAPS)
@pytest.mark.parametrize(("n_bins", "error"), [(1, ValueError), (2.5, TypeError)])
def test_bad_n_bins_is_refused(score, n_bins, error):
    with pytest.raises(error, match="n_bins"):
        score(*draw(0), n_bins=n_bins)
