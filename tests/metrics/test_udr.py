"""UDR: its formula written out with SciPy and scikit-learn, closed forms, dead latents."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_reference import CASES, reference
from scipy.stats import spearmanr, special_ortho_group
from sklearn.linear_model import Lasso

from sparsevae.metrics import udr

METHODS = ("lasso", "spearman")


def sources(seed=0, n_samples=200, latent_dim=3):
    return np.random.default_rng(seed).normal(size=(n_samples, latent_dim))


def models(seed):
    """Codes of four models of three sizes that see the same three sources."""
    rng = np.random.default_rng(seed)
    sizes = (3, 3, 4, 2)
    return [sources(seed) @ rng.normal(size=(3, k)) + rng.normal(size=(200, k)) for k in sizes]


def spearman(first, second):
    """SciPy's rank correlations, one pair of latents at a time; 0 with a constant latent."""
    result = np.zeros((first.shape[1], second.shape[1]))
    for i, a in enumerate(first.T):
        for j, b in enumerate(second.T):
            if np.ptp(a) and np.ptp(b):
                result[i, j] = abs(spearmanr(a, b).statistic)
    return result


def lasso(first, second):
    """scikit-learn's Lasso without a Gram matrix."""

    def scaled(x):
        return (x - x.mean(axis=0)) / x.std(axis=0)

    return np.abs(Lasso(alpha=0.1, tol=1e-10).fit(scaled(first), scaled(second)).coef_).T


def agreement(strength):
    def one_side(rows):
        return np.mean([max(row) ** 2 / sum(row) if sum(row) else 0.0 for row in rows])

    return (one_side(strength) + one_side(strength.T)) / 2


@pytest.mark.parametrize(("method", "oracle"), [("lasso", lasso), ("spearman", spearman)])
def test_formula_written_out(method, oracle):
    codes = models(0)
    found = udr(codes, method=method)
    pairwise = np.zeros((4, 4))
    for i in range(4):
        for j in range(4):
            if i != j:
                pairwise[i, j] = agreement(oracle(codes[i], codes[j]))
    np.testing.assert_allclose(found.pairwise, pairwise, atol=1e-3 if method == "lasso" else 1e-9)
    scores = [np.median(np.delete(found.pairwise[:, j], j)) for j in range(4)]
    np.testing.assert_array_equal(found.model_scores, scores)


@pytest.mark.parametrize("case", CASES)
def test_where_constant_latents_spoil_the_reference(case):
    arrays = reference(case)[1]
    codes = [c * (kl > 0.01) for c, kl in zip(arrays["udr_reps"], arrays["udr_kl"], strict=True)]
    found = udr(codes, method="spearman").pairwise
    for i, j in ((0, 1), (0, 2), (1, 2)):
        expected = agreement(spearman(codes[i], codes[j]))
        assert found[i, j] == pytest.approx(expected, abs=1e-9)
        assert found[j, i] == pytest.approx(expected, abs=1e-9)


def test_models_that_agree_latent_by_latent():
    codes = np.linalg.qr(sources() - sources().mean(axis=0))[0]  # uncorrelated exactly
    found = udr([codes, -3 * codes[:, [2, 0, 1]] + 1])
    np.testing.assert_allclose(found.model_scores, 0.9, atol=1e-4)  # the penalty takes 0.1
    assert found.pairwise.diagonal().tolist() == [0, 0]
    ranked = udr([np.indices((5, 5)).reshape(2, -1).T] * 3, method="spearman")
    np.testing.assert_allclose(ranked.model_scores, 1, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_the_odd_model_out_scores_least(method):
    shared, other = sources(1), sources(2) @ special_ortho_group.rvs(3, random_state=0)
    found = udr([shared, shared[:, ::-1] ** 3, np.tanh(-shared), other], method=method)
    assert found.model_scores[3] < 0.3 < found.model_scores[:3].min()


@pytest.mark.parametrize("method", METHODS)
def test_rotation_lowers_agreement(method):
    straight, turned = sources(), sources() @ special_ortho_group.rvs(3, random_state=1)
    together = udr([straight, 2 * straight], method=method).model_scores
    apart = udr([straight, turned], method=method).model_scores
    assert (apart < together - 0.1).all()


@pytest.mark.parametrize("method", METHODS)
def test_latents_of_little_kl_are_as_if_removed(method):
    codes = models(1)
    kl = [np.full(c.shape[1], 2.0) for c in codes]
    kl[0][1], kl[2][0], kl[2][3] = 0.01, 0.0, 0.009
    kl[1][0] = 0.011  # kept
    kept = [c[:, k > 0.01] for c, k in zip(codes, kl, strict=True)]
    found, expected = udr(codes, kl, method=method), udr(kept, method=method)
    np.testing.assert_allclose(found.pairwise, expected.pairwise, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_without_informative_latents_scores_zero(method):
    codes = models(1)[:3]
    kl = [np.full(c.shape[1], 1.0) for c in codes]
    kl[1][:] = 0
    found = udr(codes, kl, method=method)
    assert found.model_scores[1] == 0
    assert found.pairwise[0, 2] > 0 and not found.pairwise[1].any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_a_constant_latent_goes_with_none(method, constant):
    codes = models(2)[:2]
    dead = np.full((200, 1), constant)
    found = udr([np.hstack([codes[0], dead]), codes[1]], method=method).pairwise[0, 1]
    strength = {"lasso": lasso, "spearman": spearman}[method](*codes)
    assert found == pytest.approx(agreement(np.vstack([strength, np.zeros(3)])), abs=1e-3)
    assert not udr([codes[0], dead], method=method).pairwise.any()


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_and_invariances(method, seed):
    codes = models(seed)
    found = udr(codes, method=method).pairwise
    assert found.min() >= 0 and found.max() < 1.1
    if method == "spearman":
        assert found.max() <= 1
        np.testing.assert_allclose(found, found.T, atol=1e-12)
    changed = [2 - 5 * c[:, np.random.default_rng(seed).permutation(c.shape[1])] for c in codes]
    np.testing.assert_allclose(udr(changed, method=method).pairwise, found, atol=1e-3)


def test_spearman_knows_order_only():
    codes = models(0)
    bent = [np.exp(c) for c in codes]
    expected = udr(codes, method="spearman").pairwise
    np.testing.assert_allclose(udr(bent, method="spearman").pairwise, expected, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_two_samples_and_single_precision(method):
    assert np.isfinite(udr([[[0.0, 1], [1, 2]], [[5.0, 5], [7, 5]]], method=method).pairwise).all()
    codes = models(0)
    found = udr([c.astype("f4") for c in codes], method=method).pairwise
    np.testing.assert_allclose(found, udr(codes, method=method).pairwise, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([sources()],), "`list_of_codes`.*at least 2"),
        (([],), "`list_of_codes`.*at least 2"),
        (([sources(), sources()[:-1]],), "`list_of_codes`.*same samples"),
        (([sources()] * 2, [np.ones(3)]), "`list_of_kl`"),
        (([sources()] * 2, [np.ones(3), np.ones(2)]), "`list_of_kl`"),
        (([sources()] * 2, [np.ones(3), np.array([1, np.nan, 1])]), "`list_of_kl`.*finite"),
    ],
)
def test_bad_models_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        udr(*arguments)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"`method`.*'lasso', 'spearman'"):
        udr([sources()] * 2, method="pearson")
