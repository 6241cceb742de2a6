"""What training is told: factor distributions, pairs, labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sparsevae.data import FactorSpace, GroundTruthData
from sparsevae.data.draws.distributions import FactorDistribution
from sparsevae.data.draws.labels import draw_labels
from sparsevae.data.draws.pairs import draw_pairs


class Numbers(GroundTruthData):
    """Image k shows k in its only pixel."""

    def __init__(self, **sizes):
        space = FactorSpace(tuple(sizes), tuple(sizes.values()))
        super().__init__("numbers", "render", space, (1, 1, 1))

    def images(self, indices):
        return self.factor_space.checked(indices).astype(np.uint8).reshape(-1, 1, 1, 1)


DATA = Numbers(shape=3, scale=4, x=5)
FACTORS = DATA.factors(np.arange(60))


def rng(seed=0):
    return np.random.default_rng(seed)


# Distributions


def test_no_condition_is_the_uniform_distribution():
    np.testing.assert_allclose(FactorDistribution(DATA).probabilities(), 1 / 60, rtol=1e-12)


def test_correlation_is_the_formula_of_the_paper_and_leaves_other_factors_alone():
    p = FactorDistribution(DATA, correlated={("shape", "x"): 0.3}).probabilities()
    table = np.array(
        [[np.exp(-((a / 2 - b / 4) ** 2) / (2 * 0.3**2)) for b in range(5)] for a in range(3)]
    )
    p = p.reshape(3, 4, 5)
    np.testing.assert_allclose(p.sum(axis=1), table / table.sum(), rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=(0, 2)), 1 / 4, rtol=1e-12)


def test_strength_goes_from_one_line_of_combinations_to_none():
    square = Numbers(a=4, b=4)
    tight = FactorDistribution(square, correlated={("a", "b"): 0.01}).probabilities()
    np.testing.assert_allclose(tight.reshape(4, 4), np.eye(4) / 4, atol=1e-12)
    loose = FactorDistribution(square, correlated={("a", "b"): np.inf}).probabilities()
    np.testing.assert_allclose(loose, 1 / 16, rtol=1e-12)


def test_confounder_is_a_correlation_with_every_other_factor():
    p = FactorDistribution(DATA, confounder={"shape": 0.2}).probabilities()
    pairs = {("shape", "scale"): 0.2, ("shape", "x"): 0.2}
    np.testing.assert_array_equal(p, FactorDistribution(DATA, correlated=pairs).probabilities())


def test_withheld_combinations_and_values_left_out_are_never_drawn():
    distribution = FactorDistribution(
        DATA, withheld=[{"shape": 2, "scale": [2, 3]}, {"x": 0}], only={"shape": range(1, 3)}
    )
    factors = DATA.factors(distribution.draw(5_000, rng()))
    shape, scale, x = factors.T
    allowed = (shape > 0) & (x > 0) & ~((shape == 2) & (scale >= 2))
    assert allowed.all()
    assert len(np.unique(factors, axis=0)) == 4 * 4 + 2 * 4  # all that is allowed


@given(st.integers(0, 2**32 - 1))
def test_draws_follow_the_weights(seed):
    distribution = FactorDistribution(
        DATA, correlated={("scale", "x"): 0.4}, withheld=[{"shape": 2}]
    )
    counts = np.bincount(distribution.draw(4_000, rng(seed)), minlength=60)
    p = distribution.probabilities()
    assert not counts[p == 0].any()
    assert stats.chisquare(counts[p > 0], 4_000 * p[p > 0]).pvalue > 1e-7


def test_the_last_images_may_be_withheld():
    class AlmostOne(np.random.Generator):
        def random(self, n):
            return np.full(n, np.nextafter(1, 0))

    distribution = FactorDistribution(DATA, correlated={("shape", "x"): 0.1}, only={"shape": 0})
    drawn = distribution.draw(3, AlmostOne(np.random.PCG64(0)))
    assert (DATA.factors(drawn)[:, 0] == 0).all()


def test_same_seed_same_images():
    distribution = FactorDistribution(DATA, correlated={("shape", "x"): 0.1})
    np.testing.assert_array_equal(distribution.draw(9, rng(3)), distribution.draw(9, rng(3)))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"correlated": {("shap", "x"): 0.2}}, "Did you mean 'shape'"),
        ({"correlated": {("x", "x"): 0.2}}, "two factors.*'x' twice"),
        ({"correlated": {("shape", "x"): 0.0}}, "`sigma` of shape and x.*0.0"),
        ({"correlated": {("shape", "x"): np.nan}}, "`sigma`.*nan"),
        ({"confounder": {"color": 0.2}}, "'color'"),
        ({"withheld": [{"shape": 3}]}, "`shape` must lie in 0 ... 2.*3"),
        ({"withheld": [{}]}, "empty combination"),
        ({"only": {"x": []}}, "at least one image"),
        ({"withheld": [{"shape": range(3)}]}, "at least one image"),
    ],
)
def test_bad_distributions_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        FactorDistribution(DATA, **arguments)


# Pairs


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_pairs_differ_in_exactly_the_factors_that_changed(seed, n_changed):
    first, second, changed = draw_pairs(DATA.factor_space, 50, rng(seed), n_changed)
    np.testing.assert_array_equal(FACTORS[first] != FACTORS[second], changed)
    assert (changed.sum(axis=1) == n_changed).all()


def test_random_number_of_changes_leaves_one_factor_shared():
    changed = draw_pairs(DATA.factor_space, 2_000, rng(), None).changed
    numbers = np.bincount(changed.sum(axis=1), minlength=4)
    assert numbers[0] == numbers[3] == 0
    assert stats.chisquare(numbers[1:3]).pvalue > 1e-4


def test_pairs_are_uniform_in_both_images_and_in_what_changes():
    first, second, changed = draw_pairs(DATA.factor_space, 6_000, rng(1))
    for numbers in (first, second):
        assert stats.chisquare(np.bincount(numbers, minlength=60)).pvalue > 1e-4
    assert stats.chisquare(changed.sum(axis=0)).pvalue > 1e-4


def test_one_valued_factors_never_change():
    changed = draw_pairs(Numbers(color=1, a=2, b=2).factor_space, 100, rng(), 2).changed
    np.testing.assert_array_equal(changed, np.tile([False, True, True], (100, 1)))


@pytest.mark.parametrize("n_changed", [0, 4])
def test_bad_number_of_changes_is_refused(n_changed):
    with pytest.raises(ValueError, match="n_changed"):
        draw_pairs(DATA.factor_space, 5, rng(), n_changed)


# Labels


def test_plain_labels_are_the_factors_of_distinct_images():
    images, labels = draw_labels(DATA, 60, rng())
    np.testing.assert_array_equal(np.sort(images), np.arange(60))
    np.testing.assert_array_equal(labels, FACTORS[images])


def test_some_factors_only():
    images, labels = draw_labels(DATA, 10, rng(), factors=["x", "shape"])
    np.testing.assert_array_equal(labels, FACTORS[images][:, [2, 0]])


def test_bins_merge_neighbours_and_keep_factors_with_few_values():
    images, labels = draw_labels(DATA, 60, rng(), n_bins=3)
    expected = np.stack([FACTORS[:, 0], [0, 0, 1, 2] @ np.eye(4)[FACTORS[:, 1]].T], axis=1)
    np.testing.assert_array_equal(labels[:, :2], expected[images])
    assert sorted(set(labels[:, 2])) == [0, 1, 2]
    assert (np.diff(labels[np.argsort(FACTORS[images, 2]), 2]) >= 0).all()


def test_noise_replaces_labels_by_uniform_ones():
    data = Numbers(a=10, b=300)
    images, labels = draw_labels(data, 3_000, rng(), noise=0.5)
    wrong = (labels != data.factors(images)).mean(axis=0)
    np.testing.assert_allclose(wrong, [0.5 * 9 / 10, 0.5 * 299 / 300], atol=0.04)
    assert labels.min() >= 0 and (labels.max(axis=0) == [9, 299]).all()
    counts = np.bincount(draw_labels(data, 3_000, rng(), noise=1.0).labels[:, 0], minlength=10)
    assert len(counts) == 10 and stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n": 61}, "60 images"),
        ({"n": 0}, "`n`"),
        ({"n": 5, "noise": 1.1}, "`noise`"),
        ({"n": 5, "noise": np.nan}, "`noise`"),
        ({"n": 5, "n_bins": 1}, "`n_bins`"),
        ({"n": 5, "factors": ["X"]}, "'x'"),
        ({"n": 5, "factors": ["x", "x"]}, "distinct"),
        ({"n": 5, "factors": "x"}, "list"),
        ({"n": 5, "factors": []}, "list"),
    ],
)
def test_bad_labels_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        draw_labels(DATA, rng=rng(), **arguments)
