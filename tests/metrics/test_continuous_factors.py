"""Scores on factors that are numbers: one list, one set of promises and of refusals."""

from functools import partial

import numpy as np
import pytest

from sparsevae import metrics
from sparsevae.metrics.validation import check_factors

CONTINUOUS = {
    "sap": partial(metrics.sap, continuous=True),
    "dci_es": partial(metrics.dci_es, continuous=True),
    "infomec_published": lambda codes, factors, *_: metrics.infomec_published(
        codes, factors, continuous=True
    ),
    "dci_lasso": partial(metrics.dci, estimator="lasso"),
    "dci_random_forest": partial(metrics.dci, estimator="random_forest"),
}
CLASSES = {
    "sap": metrics.sap,
    "dci_es": metrics.dci_es,
    "infomec_published": lambda codes, factors, *_: metrics.infomec_published(codes, factors),
    "dci": metrics.dci,
}
RNG = np.random.default_rng(0)
FACTORS = RNG.normal(size=(300, 2))
NOISE = RNG.normal(size=(300, 2))
NOISY = FACTORS + 0.3 * NOISE
continuous = pytest.mark.parametrize("name", CONTINUOUS)


def value(name, codes, factors, of=CONTINUOUS):
    """The score's first number."""
    result = of[name](codes[:200], factors[:200], codes[200:], factors[200:])
    return result if isinstance(result, float) else next(iter(vars(result).values()))


@continuous
def test_perfect_code(name):
    assert value(name, FACTORS, FACTORS) > 0.9


@continuous
def test_noise_scores_less(name):
    assert value(name, NOISE, FACTORS) < value(name, NOISY, FACTORS) - 0.1


@continuous
def test_units_of_factors_are_nothing(name):
    units = FACTORS * [4, -0.25] + [1, -3]
    assert value(name, NOISY, units) == pytest.approx(value(name, NOISY, FACTORS), abs=0.03)


@continuous
def test_one_valued_factors_are_left_out(name):
    joined = np.insert(FACTORS, 2, 0.1, axis=1)
    assert value(name, NOISY, joined) == value(name, NOISY, FACTORS)


@continuous
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_must_be_finite(name, wrong):
    factors = FACTORS.copy()
    factors[7, 1] = wrong
    with pytest.raises(ValueError, match=r"must be finite numbers.*in factor 1") as caught:
        value(name, NOISY, factors)
    assert "\n" not in str(caught.value)


@continuous
def test_numbers_must_be_real(name):
    with pytest.raises(TypeError, match=r"`factors` must be real numbers.*complex"):
        value(name, NOISY, FACTORS * 1j)


@pytest.mark.parametrize("name", CLASSES)
def test_scores_of_classes_say_which_scores_take_numbers(name):
    with pytest.raises(ValueError) as caught:
        value(name, NOISY, FACTORS, of=CLASSES)
    message = str(caught.value)
    assert message.startswith("`factors` must be class indices") and "\n" not in message
    for way in ("sap", "dci_es", "infomec_published", "continuous=True", 'estimator="lasso"'):
        assert way in message
    assert '"random_forest"' in message


def test_numbers_come_back_as_float64():
    found = check_factors(FACTORS.astype("f4"), continuous=True)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, FACTORS.astype("f4"))
    assert check_factors(np.array([[1], [2]]), continuous=True).dtype == np.float64
