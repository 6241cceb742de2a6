"""InfoMEC as published: its definition written out with scikit-learn, closed forms, invariances."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, mutual_info_score

from sparsevae.metrics import infomec_published
from sparsevae.metrics.information import neighbor_information
from sparsevae.metrics.scores.infomec import concentration

LN = np.log


def grid(*sizes):
    """Every combination of factor values once, `(n_samples, n_factors)`."""
    return np.indices(sizes).reshape(len(sizes), -1).T


def draw(seed, n_samples=500, continuous=False):
    """Codes that know something of each of three factors, and the factors."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_samples, 3))
    if not continuous:
        factors = rng.integers(0, [2, 3, 6], size=(n_samples, 3))
    spread = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    return spread @ rng.normal(size=(3, 4)) + 0.3 * rng.normal(size=(n_samples, 4)), factors


def values(*arguments, **options):
    return np.array(list(vars(infomec_published(*arguments, **options)).values()))


def standardized(array):
    return (array - array.mean(axis=0)) / array.std(axis=0)


def shares_of_largest(matrix):
    n = matrix.shape[1]
    return ((matrix.max(axis=1) / matrix.sum(axis=1)).mean() - 1 / n) / (1 - 1 / n)


# The definition written out


def logistic_cross_entropy(codes, factor):
    model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=100, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return log_loss(factor, model.fit(codes, factor).predict_proba(codes))


def test_definition_for_classes():
    codes, factors = draw(0)
    matrix = np.empty((4, 3))
    explicit = []
    for k, factor in enumerate(factors.T):
        for i in range(4):
            column = standardized(codes[:, [i]])
            found = mutual_info_classif(column, factor, n_neighbors=10, random_state=5)
            matrix[i, k] = found[0] / mutual_info_score(factor, factor)
        known = logistic_cross_entropy(standardized(codes), factor)
        null = logistic_cross_entropy(np.zeros_like(codes), factor)
        explicit.append((null - known) / null)
    expected = shares_of_largest(matrix), np.mean(explicit), shares_of_largest(matrix.T)
    # Codes without equal values: the jitter moves a neighbor over an edge once in a while.
    np.testing.assert_allclose(values(codes, factors), expected, atol=1e-4)


def test_definition_for_numbers():
    codes, factors = draw(1, continuous=True)
    matrix = np.empty((4, 3))
    explicit = []
    for k, factor in enumerate(factors.T):
        entropy = mutual_info_regression(factor[:, None], factor, n_neighbors=10, random_state=5)
        for i in range(4):
            column = standardized(codes[:, [i]])
            found = mutual_info_regression(column, factor, n_neighbors=10, random_state=5)
            matrix[i, k] = found[0] / entropy[0]
        explicit.append(LinearRegression().fit(codes, factor).score(codes, factor))
    expected = shares_of_largest(matrix), np.mean(explicit), shares_of_largest(matrix.T)
    np.testing.assert_allclose(values(codes, factors, continuous=True), expected, atol=1e-4)


# Mutual information


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.9])
def test_information_of_a_gaussian_channel(correlation):
    rng = np.random.default_rng(0)
    factor, noise = rng.normal(size=(2, 4_000, 1))
    code = correlation * factor + np.sqrt(1 - correlation**2) * noise
    found = neighbor_information(code, factor, 10, continuous=True, seed=0)
    assert found == pytest.approx(-0.5 * LN(1 - correlation**2), abs=0.03)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_information_of_two_shifted_boxes(shift):
    rng = np.random.default_rng(1)
    factor = np.arange(4_000)[:, None] % 2
    code = factor * shift + rng.uniform(size=(4_000, 1))
    # Where the boxes overlap, a share 1 - shift of the samples, the code says nothing.
    found = neighbor_information(code, factor, 10, continuous=False, seed=0)
    assert found == pytest.approx(shift * LN(2), abs=0.03)


def test_information_of_equal_values_is_the_entropy():
    factors = np.tile(grid(3, 5), (40, 1))
    found = neighbor_information(factors.astype(float), factors, 10, continuous=False, seed=0)
    np.testing.assert_allclose(np.diag(found), LN([3, 5]), atol=0.03)
    np.testing.assert_allclose(found[[0, 1], [1, 0]], 0, atol=0.03)


@pytest.mark.parametrize("continuous", [False, True])
def test_information_ignores_where_a_latent_lies_and_how_wide_it_is(continuous):
    codes, factors = draw(2, continuous=continuous)
    changed = codes * [1e-6, -1e6, 3, 1] + [5, -1e7, 0, 1e4]

    def found(codes):
        return neighbor_information(codes, factors, 10, continuous=continuous, seed=0)

    np.testing.assert_allclose(found(changed), found(codes), atol=2e-3)


# Poles and closed forms of the scores


def test_perfect_and_duplicated_codes_of_numbers():
    factors = np.random.default_rng(0).normal(size=(3_000, 2))
    copies = np.hstack([factors, -3 * factors])
    assert values(factors, factors, continuous=True) == pytest.approx(1, abs=0.02)
    # Of four latents two share each factor evenly: (1/2 - 1/4) / (1 - 1/4).
    assert values(copies, factors, continuous=True) == pytest.approx([1, 1, 1 / 3], abs=0.02)


def test_perfect_and_duplicated_codes_of_classes():
    factors = np.tile(grid(3, 5), (60, 1))
    assert values(factors * 1.0, factors) == pytest.approx(1, abs=0.02)
    copies = np.hstack([factors, 2.0 * factors])
    assert values(copies, factors) == pytest.approx([1, 1, 1 / 3], abs=0.02)


def test_explicitness_of_a_factor_that_is_not_coded_is_none():
    factors = np.tile(grid(2, 5), (20, 1))
    assert infomec_published(factors[:, :1], factors).info_e == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("n_wrong", [1, 3, 5])
def test_explicitness_of_a_bit_read_with_errors(n_wrong):
    factor = np.repeat([0, 1], 100)[:, None]
    code = np.where(np.arange(200)[:, None] % 10 < n_wrong, 1 - factor, factor)
    p = n_wrong / 10
    error_entropy = -p * LN(p) - (1 - p) * LN(1 - p)
    found = infomec_published(code, factor).info_e
    assert found == pytest.approx(1 - error_entropy / LN(2), abs=1e-4)


def test_classes_weigh_the_same_however_rare():
    factor = np.repeat([0, 1], [180, 20])[:, None]
    code = np.tile([[0.0], [1.0]], (100, 1))  # independent of the factor
    assert infomec_published(code, factor).info_e == pytest.approx(0, abs=1e-4)


def test_explicitness_of_numbers_is_the_squared_correlation():
    codes, factors = draw(3, continuous=True)
    found = infomec_published(codes[:, :1], factors[:, :1], continuous=True).info_e
    expected = np.corrcoef(codes[:, 0], factors[:, 0])[0, 1] ** 2
    assert found == pytest.approx(expected, abs=1e-12)


def test_row_of_zeros_counts_as_an_even_spread():
    assert concentration(np.array([[1.0, 0.0], [0.0, 0.0]])) == 0.5
    assert concentration(np.array([[2.0], [0.0]])) == 0.5  # one column
    assert concentration(np.full((3, 4), 0.1)) == 0


# Latents and factors that count for nothing


@pytest.mark.parametrize("continuous", [False, True])
def test_order_sign_dead_latents_and_one_valued_factors(continuous):
    codes, factors = draw(4, continuous=continuous)
    expected = values(codes, factors, continuous=continuous)
    changed = np.insert(-codes[:, [2, 0, 3, 1]], 1, 0.1, axis=1)
    with_constant = np.insert(factors, 1, factors[0, 0], axis=1)
    found = values(changed, with_constant, continuous=continuous)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_narrow_latents_count_in_explicitness_alone():
    factors = np.tile(grid(3, 4), (30, 1))
    codes = factors[:, :1] * 1.0
    narrow = np.hstack([codes, factors[:, 1:] / 100])
    before, after = values(codes, factors), values(narrow, factors)
    assert after[[0, 2]] == pytest.approx(before[[0, 2]], abs=1e-12)
    assert (before[1], after[1]) == pytest.approx((0.5, 1), abs=0.01)


@pytest.mark.parametrize("continuous", [False, True])
def test_zero_where_nothing_varies(continuous):
    codes, factors = draw(5, continuous=continuous)
    assert not values(np.full((500, 3), 0.1), factors, continuous=continuous).any()
    assert not values(codes, np.full((500, 2), 4), continuous=continuous).any()


def test_classes_of_one_sample_and_few_distinct_numbers_have_an_answer():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(12, 2))
    # No sample has a neighbor of its class.
    assert values(codes, np.arange(12)[:, None])[[0, 2]].tolist() == [0, 0]
    rare = np.eye(12)[:, :1]  # 0 but for one sample
    assert np.isfinite(values(codes, rare, continuous=True)).all()


# Seeds, bad input


def test_seed_moves_only_codes_of_equal_values():
    codes, factors = draw(6, n_samples=200)
    for tied in (codes, codes.round()):
        assert (values(tied, factors, seed=3) == values(tied, factors, seed=3)).all()
    assert (values(codes.round(), factors) != values(codes.round(), factors, seed=1)).any()
    np.testing.assert_allclose(
        values(codes, factors, seed=2**40), values(codes, factors), atol=1e-3
    )


def test_inputs_are_left_as_they_were():
    codes, factors = draw(7)
    kept = codes.copy(), factors.copy()
    infomec_published(codes, factors)
    np.testing.assert_array_equal(codes, kept[0])
    np.testing.assert_array_equal(factors, kept[1])


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (0.5, TypeError)])
def test_bad_seed_is_refused(seed, error):
    with pytest.raises(error, match="seed"):
        infomec_published(*draw(0), seed=seed)


def test_too_few_samples_for_ten_neighbors_are_refused():
    codes, factors = draw(0, n_samples=10, continuous=True)
    with pytest.raises(ValueError, match=r"`codes` must be an array.*at least 11"):
        infomec_published(codes, factors, continuous=True)


def test_single_precision_hardly_matters():
    codes, factors = draw(8)
    found = values(codes.astype("f4"), factors)
    np.testing.assert_allclose(found, values(codes, factors), atol=0.01)
