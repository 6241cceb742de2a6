"""Predicting factors from codes."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from sparsevae import metrics
from sparsevae.metrics.scores.downstream import predict, prediction_counts, sample_efficiency

PREDICTORS = ("logistic", "gbt", "gbt_fast")


def sample(n, seed=0):
    """Factors of 3 and 4 values, and of one value."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(3, size=n), rng.integers(4, size=n), np.full(n, 2)], axis=1)


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_three_poles(predictor):
    """A perfect code is read, noise is not better than chance, one of two copies is enough."""
    factors, test_factors = sample(120), sample(200, seed=1)
    rng = np.random.default_rng(2)
    noise, test_noise = rng.normal(size=(120, 2)), rng.normal(size=(200, 2))

    def test_accuracy(codes, test_codes):
        found = metrics.downstream(codes, factors, test_codes, test_factors, predictor=predictor)
        assert found.test[2] == found.train[2] == found.chance[2] == 1  # the one-valued factor
        return found.test[:2]

    one_hot, test_one_hot = (np.eye(4)[f[:, 1]] + 0.0 for f in (factors, test_factors))
    np.testing.assert_array_equal(test_accuracy(one_hot, test_one_hot)[1], 1)
    copies = np.tile(one_hot, 2), np.tile(test_one_hot, 2)
    assert test_accuracy(*copies)[1] == 1
    assert (test_accuracy(noise, test_noise) < [0.45, 0.35]).all()


def test_chance_is_the_commonest_label():
    labels, test_labels = np.array([[0], [1], [1]]), np.array([[1], [1], [0], [2]])
    found = metrics.downstream(np.zeros((3, 1)), labels, np.zeros((4, 1)), test_labels)
    assert found.chance == 0.5 and found.test == 0.5 and found.train == 2 / 3


def test_trees_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes, test_codes = rng.normal(size=(150, 3)), rng.normal(size=(100, 3))
    labels = (codes[:, 0] > 0).astype(int) + (codes[:, 1] > 0.5)
    model = GradientBoostingClassifier(random_state=0).fit(codes.astype(np.float32), labels)
    train, test = predict(codes, labels, test_codes, predictor="gbt")
    np.testing.assert_array_equal(train, labels)
    assert np.mean(test == model.predict(test_codes.astype(np.float32))) > 0.97


def test_the_penalty_is_chosen_by_cross_validation():
    """Labels that are noise: strong penalties win, and no weight is left."""
    rng = np.random.default_rng(0)
    codes, test_codes = rng.normal(size=(60, 20)), rng.normal(size=(500, 20))
    labels = rng.permutation(np.repeat([0, 1], [48, 12]))
    _, test = predict(codes, labels, test_codes, predictor="logistic")
    free = LogisticRegression(C=100).fit(codes, labels).predict(test_codes)
    assert test.mean() < free.mean()


@pytest.mark.parametrize("predictor", PREDICTORS)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1], [0, 0, 0, 0, 1], [3, 1, 2]], ids=str)
def test_few_labels_are_no_hindrance(predictor, labels):
    labels = np.array(labels)
    codes = np.random.default_rng(0).normal(size=(len(labels), 2))
    train, test = predict(codes, labels, codes[:1], predictor=predictor)
    assert train.shape == labels.shape and test.shape == (1,)
    assert set(train) | set(test) <= set(labels)


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_same_seed_same_labels(predictor):
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(100, 3)).round(1), rng.integers(3, size=100)
    first, second = (predict(codes, labels, codes, predictor=predictor, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])


def test_the_best_latents_go_first():
    factors = sample(300)[:, 1]
    rng = np.random.default_rng(1)
    codes = np.stack(
        [rng.normal(size=300), factors + rng.normal(size=300) / 2, factors, np.zeros(300)], axis=1
    )
    assert metrics.without_best_latents(codes, factors, 0).tolist() == [0, 1, 2, 3]
    assert metrics.without_best_latents(codes, factors, 1).tolist() == [0, 1, 3]
    assert metrics.without_best_latents(codes, factors, 2).tolist() == [0, 3]
    assert len(metrics.without_best_latents(codes[:, [3, 3]], factors, 1)) == 1
    assert len(metrics.without_best_latents(codes, np.zeros(300, int), 2)) == 2


@pytest.mark.parametrize("n_removed", [-1, 2, 5])
def test_a_latent_must_be_left(n_removed):
    with pytest.raises(ValueError, match="`n_removed` must be at least 0 and below latent_dim 2"):
        metrics.without_best_latents(np.zeros((4, 2)), np.array([0, 1, 0, 1]), n_removed)


def test_unfairness_in_closed_form():
    assert metrics.unfairness(np.array([[5, 5], [3, 3]])) == 0
    # Each value has a label of its own: half of each distribution is elsewhere.
    assert metrics.unfairness(np.eye(2)) == 0.5
    assert metrics.unfairness(np.eye(4)) == pytest.approx(0.75)
    # 3 of 4 against 1 of 4: each is 1/4 from the mean.
    assert metrics.unfairness(np.array([[3, 1], [1, 3]])) == pytest.approx(0.25)


def test_unfairness_stays_in_its_range():
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = rng.integers(0, 5, size=rng.integers(1, 6, size=2)) + np.eye(1, 1, dtype=int)
        if counts.sum(axis=0).all():
            assert 0 <= metrics.unfairness(counts) < 1


@pytest.mark.parametrize("counts", [np.zeros((2, 2)), np.ones(3), np.array([[1, 0], [1, 0]])])
def test_unfairness_needs_predictions(counts):
    with pytest.raises(ValueError, match="`counts` must be"):
        metrics.unfairness(counts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"predictor": "gbdt"}, "Did you mean 'gbt'"),
        ({"test_codes": np.zeros((2, 3))}, "same number of columns"),
        ({"codes": np.full((4, 2), np.nan)}, "finite"),
    ],
    ids=["predictor", "shape", "NaN"],
)
def test_bad_arguments_are_refused(change, message):
    arguments = {
        "codes": np.zeros((4, 2)),
        "factors": np.array([[0], [1], [0], [1]]),
        "test_codes": np.zeros((2, 2)),
        "test_factors": np.array([[0], [1]]),
    }
    with pytest.raises(ValueError, match=message):
        metrics.downstream(**(arguments | change))


def test_predictions_are_counted_under_each_value():
    counts = prediction_counts(np.array([[0, 2, 2], [0, 0, 0]]), 4)
    assert counts.tolist() == [[1, 3], [0, 0], [2, 0], [0, 0]]
    # Two of three predictions move: each value is 1/3 from the mean.
    assert metrics.unfairness(counts) == pytest.approx(1 / 3)


def test_efficiency_is_a_ratio_of_means():
    assert sample_efficiency(np.array([0.2, 0.4]), np.array([0.6, 1.0])) == pytest.approx(0.375)
    assert np.isnan(sample_efficiency(np.zeros(2), np.zeros(2)))


def test_one_test_sample_is_enough():
    codes, factors = np.array([[0.0], [1.0], [0.1], [0.9]]), np.array([[0], [1], [0], [1]])
    found = metrics.downstream(codes, factors, codes[:1], factors[:1], predictor="logistic")
    assert found.test == 1.0
    with pytest.raises(ValueError, match="n_samples of at least 1"):
        metrics.downstream(codes, factors, codes[:0], factors[:0])
    with pytest.raises(ValueError, match="n_samples of at least 2"):
        metrics.downstream(codes[:1], factors[:1], codes, factors)
