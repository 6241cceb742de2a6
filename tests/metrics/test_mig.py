"""MIG: closed forms, and what its definition grants; the rule for active latents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsevae.metrics import active_latents, mig


def grid(*sizes):
    """Every combination of factor values once, `(n_samples, n_factors)`."""
    return np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(
        -1, len(sizes)
    )


def noise(seed, n_samples=300, latent_dim=4):
    return np.random.default_rng(seed).normal(size=(n_samples, latent_dim))


def draw(seed, n_samples=300, sizes=(3, 4)):
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.arange(n_samples) % size) for size in sizes], axis=1)


def test_perfect_code_scores_one():
    factors = grid(3, 6, 4)
    assert mig(factors * 0.7 - 1, factors) == pytest.approx(1, abs=1e-12)


def test_code_that_ignores_the_factors_scores_zero():
    factors = grid(3, 4, 5)
    assert mig(factors[:, 2:], factors[:, :2]) == pytest.approx(0, abs=1e-12)


def test_duplicated_code_scores_zero():
    factors = grid(3, 6)
    assert mig(np.tile(factors, 2), factors) == pytest.approx(0, abs=1e-12)


def test_rotated_code_scores_below_the_perfect_one():
    factors = grid(8, 8)
    rotated = factors @ np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    assert mig(rotated, factors) < 0.1


def test_closed_form_of_a_code_that_merges_values():
    factors = grid(4, 3)  # latent 0 tells {0, 1} from {2, 3}: ln 2 of ln 4 nats; latent 1 nothing
    codes = np.stack([factors[:, 0] // 2, factors[:, 1]], axis=1)
    assert mig(codes, factors) == pytest.approx((np.log(2) / np.log(4) + 1) / 2, abs=1e-12)


def test_more_values_than_bins_keep_a_perfect_code_below_one():
    factors = grid(40)
    assert mig(factors, factors, n_bins=20) == pytest.approx(np.log(20) / np.log(40), abs=1e-12)


def test_single_latent_has_a_runner_up_that_knows_nothing():
    factors = grid(4, 3)
    assert mig(factors[:, :1], factors) == pytest.approx(0.5, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_bounds(seed, n_bins):
    factors = draw(seed)
    codes = noise(seed) + factors[:, :1]
    assert 0 <= mig(codes, factors, n_bins=n_bins) <= 1 + 1e-12


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_order_and_scale_of_latents_do_not_matter(seed, scale):
    codes, factors = noise(seed), draw(seed)
    codes[:, 1] += factors[:, 0]
    order = np.random.default_rng(seed).permutation(4)
    assert mig(codes[:, order], factors) == mig(codes, factors)
    assert mig(codes * 2.0 ** round(np.log2(scale)), factors) == mig(codes, factors)


@given(st.integers(0, 2**32 - 1))
def test_sign_of_latents_and_names_of_values_do_not_matter(seed):
    codes, factors = noise(seed), draw(seed)
    assert mig(-codes, factors) == pytest.approx(mig(codes, factors), abs=1e-12)
    assert mig(codes, 7 * (5 - factors)) == pytest.approx(mig(codes, factors), abs=1e-12)


@given(st.sampled_from([0.0, 0.1, 1e9, -1e-300, 0.3]), st.sampled_from(["f4", "f8"]))
def test_dead_latents_do_not_matter(constant, dtype):
    codes, factors = noise(0).astype(dtype), draw(0)
    dead = np.full((300, 3), constant, dtype)
    assert mig(np.hstack([codes, dead]), factors) == mig(codes, factors)
    assert mig(dead, factors) == 0


def test_one_valued_factors_are_left_out():
    codes, factors = noise(0), draw(0)
    assert mig(codes, np.hstack([factors, np.full((300, 1), 3)])) == mig(codes, factors)
    assert mig(codes, np.ones((300, 2))) == 0


def test_latent_that_varies_by_rounding_only_is_binned():
    codes = noise(0)
    codes[:, 2] = 1.0
    codes[::2, 2] = np.nextafter(1.0, 2)
    assert 0 <= mig(codes, draw(0)) <= 1


@pytest.mark.parametrize("dtype", ["f2", "f4", "i8"])
def test_dtype_of_codes_hardly_matters(dtype):
    codes, factors = np.round(noise(1) * 50), draw(1)
    assert mig(codes.astype(dtype), factors) == pytest.approx(mig(codes, factors), abs=0.01)


@pytest.mark.parametrize("dtype", ["u1", "i4", "f2", "f4", "f8"])
def test_dtype_of_factors_does_not_matter(dtype):
    codes, factors = noise(1), draw(1)
    assert mig(codes, factors.astype(dtype)) == mig(codes, factors)


def bad(array, value):
    array = array.astype(float)
    array[7, 1] = value
    return array


@pytest.mark.parametrize(
    ("codes", "factors", "error", "match"),
    [
        (noise(0)[:, 0], draw(0), ValueError, "`codes`.*shape"),
        (noise(0)[:, :0], draw(0), ValueError, "`codes`.*at least"),
        (noise(0)[:0], draw(0)[:0], ValueError, "`codes`.*at least"),
        (bad(noise(0), np.nan), draw(0), ValueError, r"`codes`.*finite.*\[1\]"),
        (bad(noise(0), -np.inf), draw(0), ValueError, r"`codes`.*finite.*\[1\]"),
        (1e308 * np.sign(noise(0)) * 1.5, draw(0), ValueError, "`codes`.*finite range"),
        (noise(0).astype(complex), draw(0), TypeError, "`codes`.*complex"),
        (noise(0).astype(str), draw(0), TypeError, "`codes`"),
        (noise(0), draw(0)[:, 0], ValueError, "`factors`.*shape"),
        (noise(0), draw(0)[:, :0], ValueError, "`factors`.*non-empty"),
        (noise(0), draw(0)[:-1], ValueError, "same number of samples.*300.*299"),
        (noise(0), bad(draw(0), -1), ValueError, "`factors`.*-1.0 in factor 1"),
        (noise(0), bad(draw(0), 0.5), ValueError, "`factors`.*0.5 in factor 1"),
        (noise(0), bad(draw(0), np.nan), ValueError, "`factors`.*nan in factor 1"),
        (noise(0), draw(0).astype(str), TypeError, "`factors`"),
    ],
)
def test_bad_arrays_are_refused_by_name(codes, factors, error, match):
    with pytest.raises(error, match=match):
        mig(codes, factors)


@pytest.mark.parametrize(("n_bins", "error"), [(1, ValueError), (0, ValueError), (2.5, TypeError)])
def test_bad_n_bins_is_refused(n_bins, error):
    with pytest.raises(error, match="n_bins"):
        mig(noise(0), draw(0), n_bins=n_bins)


def test_active_latents_have_at_least_the_threshold():
    wave = np.tile([-1.0, 1.0], 500)[:, None] * np.sqrt(999 / 1000)  # sample std exactly 1
    codes = wave * [0.04999, 0.05001, 1.0, 0.0] + 3
    np.testing.assert_array_equal(active_latents(codes), [False, True, True, False])
    np.testing.assert_array_equal(active_latents(codes, 0.5), [False, False, True, False])
    assert active_latents(codes, 0).all()


@pytest.mark.parametrize("threshold", [-0.1, np.nan])
def test_active_latents_refuse_a_bad_threshold(threshold):
    with pytest.raises(ValueError, match="threshold"):
        active_latents(noise(0), threshold)


def test_active_latents_refuse_a_single_sample():
    with pytest.raises(ValueError, match="n_samples of at least 2"):
        active_latents(noise(0)[:1])
