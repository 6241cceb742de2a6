"""DCI of factors that are numbers: closed forms of the lasso, forests, degenerate cases."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Lasso

from sparsevae.metrics import dci, dci_from_importance

REGRESSORS = ("lasso", "random_forest")
both = pytest.mark.parametrize("estimator", REGRESSORS)
ALPHA = 0.02


def draw(seed, n_samples=200):
    """Codes that know something of both factors, and the factors; in two halves."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_samples, 2))
    codes = factors @ rng.normal(size=(2, 4)) + 0.3 * rng.normal(size=(n_samples, 4))
    return halves(codes, factors)


def halves(codes, factors):
    half = len(codes) // 2
    return codes[:half], factors[:half], codes[half:], factors[half:]


def standardized(array):
    return (array - array.mean(axis=0)) / array.std(axis=0)


def scores(result):
    return np.array([result.disentanglement, result.completeness, result.informativeness])


def test_lasso_of_a_perfect_code_is_soft_thresholding():
    grid = np.indices((4, 5, 3)).reshape(3, -1).T / 7  # uncorrelated factors
    found = dci(-3.0 * grid, grid, -3.0 * grid, grid, estimator="lasso")
    np.testing.assert_allclose(found.importance, np.eye(3) * (1 - ALPHA), atol=1e-9)
    assert scores(found) == pytest.approx([1, 1, 1 - ALPHA], abs=1e-8)
    assert found.informativeness_train == pytest.approx(1 - ALPHA, abs=1e-9)


def test_lasso_of_one_noisy_latent():
    codes, factors, *_ = draw(0)
    codes, factors = codes[:, :1], factors[:, :1]
    found = dci(codes, factors, codes, factors, estimator="lasso")
    rho = abs(np.corrcoef(codes[:, 0], factors[:, 0])[0, 1])
    assert found.importance[0, 0] == pytest.approx(rho - ALPHA, abs=1e-9)
    expected = 1 - np.sqrt(1 - rho**2 + ALPHA**2)
    assert found.informativeness == pytest.approx(expected, abs=1e-9)


def test_lasso_written_out():
    codes, factors, test_codes, test_factors = split = draw(1)
    found = dci(*split, estimator="lasso")
    mean, spread = factors.mean(axis=0), factors.std(axis=0)
    inside = (test_codes - codes.mean(axis=0)) / codes.std(axis=0)
    errors = []
    for k in range(2):
        model = Lasso(alpha=ALPHA).fit(standardized(codes), standardized(factors)[:, k])
        np.testing.assert_allclose(found.importance[:, k], np.abs(model.coef_), atol=1e-9)
        wrong = model.predict(inside) * spread[k] + mean[k] - test_factors[:, k]
        errors.append(np.sqrt(np.mean(wrong**2)) / spread[k])
    assert found.informativeness == pytest.approx(1 - np.mean(errors), abs=1e-9)
    shares = dci_from_importance(found.importance)
    assert (found.disentanglement, found.completeness) == (
        shares.disentanglement,
        shares.completeness,
    )


def test_forest_sees_what_no_line_can():
    rng = np.random.default_rng(0)
    codes = rng.uniform(-1, 1, size=(1_000, 3))
    split = halves(codes, codes[:, :1] ** 2)
    line, forest = (dci(*split, estimator=estimator) for estimator in REGRESSORS)
    assert abs(line.informativeness) < 0.05
    assert forest.informativeness > 0.85
    assert forest.importance[0, 0] > 0.98


def test_forest_is_as_deep_as_helps_on_other_samples():
    rng = np.random.default_rng(0)
    codes, factors = rng.normal(size=(400, 4)), rng.normal(size=(400, 1))
    deep = RandomForestRegressor(10, max_depth=12, random_state=0).fit(codes, factors[:, 0])
    fitted = 1 - np.std(deep.predict(codes) - factors[:, 0]) / factors.std()
    found = dci(codes, factors, codes, factors, estimator="random_forest")
    assert found.informativeness_train < 0.3 < fitted  # nothing to learn: a shallow one


def test_perfect_code_by_forests():
    factors = np.random.default_rng(1).normal(size=(1_000, 3))
    found = dci(*halves(factors, factors), estimator="random_forest")
    assert (scores(found) > [0.98, 0.98, 0.9]).all()
    np.testing.assert_allclose(found.importance.sum(axis=0), 1)


def test_duplicated_code():
    factors = np.random.default_rng(2).normal(size=(800, 2))
    split = halves(np.hstack([factors, factors]), factors)
    line, forest = (dci(*split, estimator=estimator) for estimator in REGRESSORS)
    assert line.disentanglement > 0.98 and forest.disentanglement > 0.95
    assert (line.importance[2:] < 1e-12).all()  # the first of equal latents
    assert line.completeness > 0.98
    assert forest.completeness == pytest.approx(1 - np.log(2) / np.log(4), abs=0.1)


@both
def test_independent_code(estimator):
    rng = np.random.default_rng(3)
    split = halves(rng.normal(size=(1_000, 3)), rng.normal(size=(1_000, 2)))
    assert dci(*split, estimator=estimator).informativeness == pytest.approx(0, abs=0.05)


@both
def test_scale_of_codes_and_factors_is_nothing(estimator):
    codes, factors, test_codes, test_factors = split = draw(4)
    scale = 2.0 ** np.array([-10, 1, 0, 14])  # without rounding, which moves cuts of trees
    found = dci(
        codes * scale, 4 * factors, test_codes * scale, 4 * test_factors, estimator=estimator
    )
    before = dci(*split, estimator=estimator)
    np.testing.assert_array_equal(found.importance, before.importance)
    np.testing.assert_array_equal(scores(found), scores(before))


def test_order_sign_and_place_are_nothing_to_the_lasso():
    codes, factors, test_codes, test_factors = split = draw(5)
    order = [2, 0, 3, 1]
    changed = dci(
        1e4 - codes[:, order],
        -factors,
        1e4 - test_codes[:, order],
        -test_factors,
        estimator="lasso",
    )
    before = dci(*split, estimator="lasso")
    np.testing.assert_allclose(
        changed.importance, before.importance[order], atol=5e-3
    )  # as far as it converges


@both
def test_dead_latents_change_no_other(estimator):
    codes, factors, test_codes, test_factors = split = draw(6)
    before = dci(*split, estimator=estimator)
    joined = [np.insert(sample, 1, 0.1, axis=1) for sample in (codes, test_codes)]
    found = dci(joined[0], factors, joined[1], test_factors, estimator=estimator)
    np.testing.assert_array_equal(found.importance, np.insert(before.importance, 1, 0, axis=0))
    assert found.informativeness == before.informativeness


@both
def test_one_valued_factors_are_left_out(estimator):
    codes, factors, test_codes, test_factors = split = draw(7)
    before = dci(*split, estimator=estimator)
    joined = [np.insert(sample, 2, 0.5, axis=1) for sample in (factors, test_factors)]
    found = dci(codes, joined[0], test_codes, joined[1], estimator=estimator)
    assert (scores(found) == scores(before)).all()
    assert not found.importance[:, 2].any() and found.completeness_per_factor[2] == 0


@both
def test_dead_codes_guess_the_mean(estimator):
    _, factors, _, test_factors = draw(8)
    dead = np.full((100, 2), 0.1)
    found = dci(dead, factors, dead, test_factors, estimator=estimator)
    assert not found.importance.any()
    assert (found.disentanglement, found.completeness) == (0, 0)
    assert found.informativeness_train == pytest.approx(0, abs=0.02)
    # Test samples of one value only: their own spread is 0, that of training is not.
    assert np.isfinite(dci(dead, factors, dead, 0 * factors, estimator=estimator).informativeness)


@both
def test_no_factor_varies(estimator):
    codes, factors, *_ = draw(9)
    found = dci(codes, 0 * factors, codes, 0 * factors, estimator=estimator)
    assert not scores(found).any() and not found.importance.any()


def test_seed_is_of_the_forests():
    split = draw(10)
    first, again, other = (
        dci(*split, estimator="random_forest", seed=seed).importance for seed in (2**40, 2**40, 0)
    )
    assert (first == again).all() and (first != other).any()
    lasso = [dci(*split, estimator="lasso", seed=seed).importance for seed in (0, 1)]
    np.testing.assert_array_equal(*lasso)


@both
def test_two_samples(estimator):
    codes, factors = np.array([[0.0, 1.0], [1.0, 1.5]]), np.array([[0.5], [-1.0]])
    found = dci(codes, factors, codes, factors, estimator=estimator)
    assert np.isfinite(scores(found)).all()
