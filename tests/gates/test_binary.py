"""Binary gates: zeros and ones forward, the gradient of the sigmoid backward."""

import math

import numpy as np
import pytest
from all_gates import array, set_parameter
from derivatives import gradients
from keras import ops
from scipy import special

from sparsevae.gates import Binary
from sparsevae.gates.binary import ESTIMATORS

LOGITS = np.linspace(-4, 4, 30).reshape(5, 6)


def gate_at(logits, estimator, shape=None, **arguments):
    gate = Binary(estimator, seed=0, **arguments)
    gate.build(shape or np.shape(logits))
    set_parameter(gate, logits)
    return gate


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("training", [False, True])
def test_masks_are_exactly_zero_or_one(estimator, training):
    mask = array(gate_at(LOGITS, estimator).mask(training=training))
    assert set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("multiplier", [1.0, 30.0])
def test_straight_through_gradient_is_p_times_one_minus_p(estimator, multiplier):
    gate = gate_at(LOGITS, estimator, learning_rate_multiplier=multiplier)
    upstream = np.random.default_rng(0).normal(size=LOGITS.shape).astype("float32")
    variables = gate.trainable_variables
    (found,) = gradients(lambda: ops.sum(upstream * gate.mask(training=True)), variables)
    p = special.expit(LOGITS)
    np.testing.assert_allclose(found, upstream * p * (1 - p) * multiplier, rtol=1e-4, atol=1e-6)
    (of_cost,) = gradients(lambda: ops.sum(gate.cost(ops.ones(LOGITS.shape))), variables)
    np.testing.assert_allclose(of_cost, p * (1 - p) * multiplier, rtol=1e-4)


@pytest.mark.parametrize("logit", [-3.0, -0.5, 0.0, 2.0])
def test_bernoulli_share_against_monte_carlo(logit):
    gate = gate_at(logit, "bernoulli", (1000, 1000))
    p = special.expit(logit)
    np.testing.assert_allclose(array(gate.open_probability()), p, rtol=1e-5)
    share = array(gate.mask(training=True)).mean(dtype="float64")
    assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p)) / 1000)


def test_threshold_is_deterministic_and_prices_what_is_open():
    gate = gate_at(LOGITS, "threshold")
    for values in (gate.mask(training=True), gate.mask(), gate.open_probability(), gate.cost(0)):
        np.testing.assert_array_equal(array(values), LOGITS > 0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_test_rule_is_p_open_above_one_half(estimator):
    gate = gate_at(LOGITS, estimator)
    np.testing.assert_array_equal(array(gate.mask()), LOGITS > 0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_initial_density(estimator):
    gate = Binary(estimator, initial_density=0.9, seed=0)
    gate.build((100, 100))
    np.testing.assert_allclose(special.expit(array(gate.logit)).mean(), 0.9, atol=1e-3)
