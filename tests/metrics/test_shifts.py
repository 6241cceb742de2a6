"""Which samples the downstream tasks look at."""

import numpy as np
import pytest

from sparsevae.metrics.scores import shifts


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("n_train", "n_test"), [(4, 6), (2, 1), (9, 1)])
def test_rows_are_drawn_once(n_train, n_test):
    train, test = shifts.disjoint_rows(10, n_train, n_test, rng())
    assert (len(train), len(test)) == (n_train, n_test)
    assert len(np.unique([*train, *test])) == n_train + n_test
    assert set(train) | set(test) <= set(range(10))


def test_each_row_is_as_likely_as_another():
    draws = [shifts.disjoint_rows(6, 2, 1, rng(seed)) for seed in range(3_000)]
    for part, share in zip(zip(*draws, strict=True), (2 / 6, 1 / 6), strict=True):
        counts = np.bincount(np.concatenate(part), minlength=6) / len(draws)
        # 5 standard errors of a share
        np.testing.assert_allclose(counts, share, atol=5 * np.sqrt(share * (1 - share) / 3_000))


def test_no_more_rows_than_there_are():
    with pytest.raises(ValueError, match="`n_train` and `n_test` must add up to at most the 10"):
        shifts.disjoint_rows(10, 8, 3, rng())


def test_a_value_splits_if_two_rows_have_it_and_one_has_not():
    columns = {
        "predicted": [0, 1, 0, 1, 0],
        "constant": [4, 4, 4, 4, 4],
        "of its own": [0, 1, 2, 3, 4],
        "gaps": [7, 7, 2, 7, 2],
        "one alone": [1, 1, 1, 1, 0],
    }
    factors = np.stack(list(columns.values()), axis=1)
    found = shifts.shift_values(factors, 0)
    assert {k: values.tolist() for k, values in found.items()} == {3: [2, 7], 4: [1]}
    assert 0 in shifts.shift_values(factors, 1)
    assert shifts.shift_values(factors[:, :1], 0) == {}


def test_shifts_are_drawn_by_factor_and_then_by_value():
    values = {1: np.array([5]), 3: np.array([0, 2, 9])}
    generator = rng()
    drawn = [shifts.draw_shift(values, generator) for _ in range(2_000)]
    assert set(drawn) == {(1, 5), (3, 0), (3, 2), (3, 9)}
    assert np.mean([other == 1 for other, _ in drawn]) == pytest.approx(0.5, abs=0.06)


def test_rows_apart_are_all_there_are_or_as_many_as_wanted():
    column = np.array([3, 1, 3, 0, 1, 3])
    train, test = shifts.rows_apart(column, 3, 9, 9, rng())
    assert sorted(train) == [0, 2, 5] and sorted(test) == [1, 3, 4]
    train, test = shifts.rows_apart(column, 3, 2, 1, rng())
    assert len(set(train) & {0, 2, 5}) == 2 and len(set(test) & {1, 3, 4}) == 1


def test_factors_apart_differ_in_one_factor_only():
    factors = rng().integers(4, size=(300, 3))
    train, test = shifts.factors_apart(factors, factors, 1, 2, 4, rng())
    np.testing.assert_array_equal(train[:, [0, 2]], factors[:, [0, 2]])
    np.testing.assert_array_equal(test[:, [0, 2]], factors[:, [0, 2]])
    assert set(train[:, 1]) == {2} and set(test[:, 1]) == {0, 1, 3}
    np.testing.assert_array_equal(factors, rng().integers(4, size=(300, 3)))  # as they were


def test_interventions_set_one_factor():
    factors = np.array([[0, 1], [2, 0]])
    expected = [[0, 0], [2, 0], [0, 1], [2, 1], [0, 2], [2, 2]]
    assert shifts.interventions(factors, 1, 3).tolist() == expected
