"""Intervals and p-values: hand-counted cases, SciPy, coverage and size by simulation."""

import numpy as np
import pytest
from scipy import stats

from sparsevae.analysis.resampling import interval, sign_flip_p, t_p


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1.0, 2.0], 2 / 4),  # |3|, |1|, |-1|, |-3|
        ([1.0, -2.0], 4 / 4),
        ([1.0, 2.0, 3.0], 2 / 8),
        ([1.0, 2.0, -3.0], 8 / 8),
        ([3.0, 2.0, -1.0], 4 / 8),  # sums 6, 4, 2, 0 with either sign; 4 and above: four of eight
        ([0.0, 0.0, 0.0], 1.0),
        ([0.1, 0.2, 0.3, 0.0], 4 / 16),  # a zero counts on either side
    ],
)
def test_flips_counted_by_hand(differences, expected):
    assert sign_flip_p(np.array(differences), 1000, seed=0) == expected


@pytest.mark.parametrize("n", [5, 9, 12])
def test_exact_flips_are_scipys(n):
    differences = np.random.default_rng(n).normal(0.4, 1, n)
    oracle = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(differences, 10_000, seed=0) == pytest.approx(oracle.pvalue)


def test_random_flips_are_near_the_exact_ones_and_never_zero():
    differences = np.random.default_rng(0).normal(0.4, 1, 12)
    exact = sign_flip_p(differences, 2**12, seed=0)
    random = sign_flip_p(differences, 2**12 - 1, seed=0)
    assert random != exact
    assert random == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4095))
    assert random == sign_flip_p(differences, 2**12 - 1, seed=0)
    assert sign_flip_p(np.ones(30), 500, seed=0) == 1 / 501


def test_p_values_are_uniform_where_there_is_no_difference():
    rng = np.random.default_rng(0)
    p_values = np.array([sign_flip_p(rng.laplace(size=7), 128, seed=0) for _ in range(2000)])
    for bound in (2 / 128, 0.0625, 0.25, 0.5):
        assert np.mean(p_values <= bound) == pytest.approx(bound, abs=4 * np.sqrt(bound / 2000))


@pytest.mark.parametrize(("n", "kind"), [(4, "t"), (10, "t"), (25, "bca")])
def test_coverage(n, kind):
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(size=n), 0.9, 300, seed=k) for k in range(200)]
    assert {ends.kind for ends in found} == {kind}
    assert 0.8 < np.mean([ends.low <= 0 <= ends.high for ends in found]) < 0.97


def test_of_few_values_it_is_students_interval():
    values = np.random.default_rng(0).normal(size=19)
    found = interval(values, 0.95, 1000, seed=0)
    oracle = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high, found.kind) == pytest.approx((oracle.low, oracle.high, "t"))


def test_from_twenty_on_it_is_scipys_bootstrap():
    values = np.random.default_rng(0).exponential(size=20)
    found = interval(values, 0.95, 1000, seed=3)
    oracle = stats.bootstrap((values,), np.mean, n_resamples=1000, rng=np.random.default_rng(3))
    low, high = oracle.confidence_interval
    assert (found.low, found.high, found.kind) == (low, high, "bca")
    assert interval(values, 0.95, 1000, seed=4) != found


def test_wider_with_more_confidence():
    values = np.random.default_rng(0).normal(size=24)
    width = [
        ends.high - ends.low for ends in (interval(values, c, 999, 0) for c in (0.5, 0.9, 0.99))
    ]
    assert width == sorted(width)


@pytest.mark.parametrize("values", [[0.1] * 3, [0.1] * 30, [0.1, 0.1 + 1e-16]])
def test_no_spread(values):
    found = interval(np.array(values), 0.95, 1000, seed=0)
    assert (found.low, found.high, found.kind) == (0.1, 0.1, "no spread")


def test_one_value_that_differs_has_an_interval():
    found = interval(np.array([0.0] * 29 + [1e-300]), 0.95, 200, seed=0)
    assert np.isfinite([found.low, found.high]).all()


def test_of_few_values_the_interval_covers_as_much_as_it_says():
    rng = np.random.default_rng(0)
    found = [interval(rng.normal(size=10), 0.95, 300, seed=0) for _ in range(2000)]
    covered = np.mean([ends.low <= 0 <= ends.high for ends in found])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000))


def test_students_t_by_its_closed_form():
    differences = np.array([0.2, 0.5, -0.1, 0.4])
    t = differences.mean() / (differences.std(ddof=1) / 2)
    expected = 2 * stats.t.sf(t, 3)
    assert t_p(differences) == pytest.approx(expected)
    assert t_p(-differences) == pytest.approx(expected)
    assert t_p(np.zeros(3)) == 1 and t_p(np.ones(3)) == 0
    assert t_p(np.array([0.3, 0.1 + 0.2])) == 0
