"""Hard concrete against its closed forms, quadrature and Monte Carlo."""

import math

import numpy as np
import pytest
from all_gates import array, set_parameter
from derivatives import elementwise_slopes, gradients
from keras import ops
from scipy import integrate, special

from sparsevae.gates import HardConcrete

# Louizos et al. 2018 with temperature 2/3 and stretch (-0.1, 1.1)
LOG_ALPHA = [-4.6, -2.4, -1.7, -1.5986, 0, 1, 2, 2.2, 3, 4, 4.6]
P_OPEN = [0.0474, 0.3097, 0.4747, 0.5, 0.8318, 0.9308, 0.9734, 0.9781, 0.99, 0.9963, 0.998]
P_ONE = [0.002, 0.018, 0.0356, 0.0393, 0.1682, 0.3547, 0.599, 0.646, 0.8024, 0.9169, 0.9526]
MEAN = [0.013, 0.102, 0.18, 0.194, 0.5, 0.707, 0.857, 0.879, 0.94, 0.976, 0.987]
DEVIATION = [0.088, 0.233, 0.295, 0.304, 0.385, 0.35, 0.269, 0.251, 0.183, 0.117, 0.088]
MEAN_RULE = [0, 0, 0.0854, 0.1018, 0.5, 0.7773, 0.957, 0.9803, 1, 1, 1]
MEDIAN_RULE = [0, 0, 0, 0, 0.5, 0.8811, 1, 1, 1, 1, 1]


def gate_at(log_alpha, shape=None, **arguments):
    log_alpha = np.atleast_2d(log_alpha)
    gate = HardConcrete(seed=0, **arguments)
    gate.build(shape or log_alpha.shape)
    set_parameter(gate, log_alpha)
    return gate


def test_table_of_closed_forms():
    gate = gate_at(LOG_ALPHA)
    np.testing.assert_allclose(array(gate.log_alpha)[0], LOG_ALPHA, rtol=1e-6)
    np.testing.assert_allclose(array(gate.open_probability())[0], P_OPEN, atol=5.1e-5)
    # the table's means are of two million draws: half a digit and three standard errors
    tolerance = 5e-4 + 3 * max(DEVIATION) / math.sqrt(2e6)
    np.testing.assert_allclose(array(gate.expected_mask())[0], MEAN, atol=tolerance)
    np.testing.assert_allclose(array(gate.mask())[0], MEDIAN_RULE, atol=5.1e-5)
    mean_rule = gate_at(LOG_ALPHA, test_rule="mean")
    np.testing.assert_allclose(array(mean_rule.mask())[0], MEAN_RULE, atol=5.1e-5)


def test_closed_is_exactly_zero_and_open_exactly_one():
    for rule, expected in (("median", MEDIAN_RULE), ("mean", MEAN_RULE)):
        mask = array(gate_at(LOG_ALPHA, test_rule=rule).mask())[0]
        for edge in (0, 1):
            np.testing.assert_array_equal(mask == edge, np.equal(expected, edge))


@pytest.mark.parametrize("temperature", [0.3, 2 / 3, 1.5])
@pytest.mark.parametrize("stretch", [(-0.1, 1.1), (-0.4, 1.2)])
def test_expected_mask_against_adaptive_quadrature(temperature, stretch):
    low, high = stretch

    def z_of_quantile(u, a):
        soft = special.expit((special.logit(u) + a) / temperature)
        return np.clip(soft * (high - low) + low, 0, 1)

    def kinks(a):
        ends = (np.array([0, 1]) - low) / (high - low)
        return special.expit(temperature * special.logit(ends) - a)

    a = np.array([-6.0, -1.0, 0.3, 2.2, 4.0])
    expected = [
        integrate.quad(z_of_quantile, 0, 1, (x,), points=kinks(x), epsabs=1e-9, limit=200)[0]
        for x in a
    ]
    gate = gate_at(a, temperature=temperature, stretch=stretch)
    np.testing.assert_allclose(array(gate.expected_mask())[0], expected, atol=5e-6)


def test_expectations_at_a_and_minus_a_sum_to_one():
    a = np.linspace(-5, 5, 41)
    total = array(gate_at(a).expected_mask()) + array(gate_at(-a).expected_mask())
    np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize("column", range(len(LOG_ALPHA)))
def test_table_against_monte_carlo(column):
    z = array(gate_at(LOG_ALPHA[column], (1000, 1000)).mask(training=True))
    for share, p in (((z > 0).mean(), P_OPEN[column]), ((z == 1).mean(), P_ONE[column])):
        assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / z.size) + 5e-5)
    mean = float(array(gate_at(LOG_ALPHA[column]).expected_mask())[0, 0])
    assert z.mean(dtype="float64") == pytest.approx(mean, abs=5 * DEVIATION[column] / 1000)
    assert z.std(dtype="float64") == pytest.approx(DEVIATION[column], abs=1.5e-3)


@pytest.mark.parametrize("temperature", [0.3, 1.5])
@pytest.mark.parametrize("stretch", [(-0.1, 1.1), (-0.4, 1.2)])
def test_other_temperatures_and_stretches_against_monte_carlo(temperature, stretch):
    gate = gate_at(0.5, (700, 700), temperature=temperature, stretch=stretch)
    z = array(gate.mask(training=True))
    p = float(array(gate.open_probability())[0, 0])
    assert (z > 0).mean() == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / z.size))
    mean = float(array(gate.expected_mask())[0, 0])
    assert z.mean(dtype="float64") == pytest.approx(mean, abs=5 * float(z.std()) / z.shape[0])


def test_median_rule_closes_exactly_where_p_open_is_at_most_one_half():
    edge = -2 / 3 * math.log(11)  # P(open) = 1/2
    a = edge + np.concatenate([np.linspace(-4, 4, 101), [-1e-5, 1e-5]])
    gate = gate_at(a)
    p = array(gate.open_probability())
    clear = np.abs(p - 0.5) > 1e-6  # the middle of the grid is the edge itself
    assert clear.sum() == a.size - 1
    np.testing.assert_array_equal(array(gate.support())[clear], p[clear] > 0.5)


def test_mean_rule_closes_where_p_open_is_at_most_0_31():
    a = np.linspace(-5, 0, 101)
    gate = gate_at(a, test_rule="mean")
    np.testing.assert_array_equal(array(gate.support()), array(gate.open_probability()) > 0.3100)


@pytest.mark.parametrize("multiplier", [1.0, 30.0])
def test_gradient_of_p_open_is_p_times_one_minus_p(multiplier):
    gate = gate_at(LOG_ALPHA, learning_rate_multiplier=multiplier)
    (found,) = gradients(lambda: ops.sum(gate.open_probability()), gate.trainable_variables)
    p = array(gate.open_probability())
    np.testing.assert_allclose(found, p * (1 - p) * multiplier, rtol=1e-3)
    (of_cost,) = gradients(lambda: ops.sum(gate.cost(ops.ones(p.shape))), gate.trainable_variables)
    np.testing.assert_array_equal(of_cost, found)


@pytest.mark.parametrize("multiplier", [1.0, 30.0])
def test_gradient_of_a_sample_against_differences(multiplier):
    shape = (40, 50)
    a = np.random.default_rng(1).uniform(-4, 4, shape)
    gate = gate_at(a, learning_rate_multiplier=multiplier)
    (variable,) = gate.trainable_variables

    def sample():
        gate.n_draws.assign(0)  # the same noise again
        return gate.mask(training=True)

    np.testing.assert_array_equal(array(sample()), array(sample()))
    (found,) = gradients(lambda: ops.sum(sample()), [variable])
    slopes, low, high = elementwise_slopes(sample, variable, 1e-2 / multiplier)
    smooth = (low == 0) == (high == 0)  # no kink of the clip between the two ends
    smooth &= (low == 1) == (high == 1)
    assert smooth.mean() > 0.95
    np.testing.assert_allclose(found[smooth], slopes[smooth], atol=1e-4 * multiplier)
    clipped = smooth & ((low == 0) | (low == 1))
    assert 0.3 < clipped.mean() < 0.9 and not found[clipped].any()


def test_gradient_of_both_test_rules_against_differences():
    for rule in ("median", "mean"):
        gate = gate_at(np.linspace(-1, 1, 21), test_rule=rule)
        (variable,) = gate.trainable_variables
        (found,) = gradients(lambda gate=gate: ops.sum(gate.mask()), [variable])
        slopes, *_ = elementwise_slopes(gate.mask, variable, 1e-3)
        np.testing.assert_allclose(found, slopes, rtol=5e-3)


def test_bounds_leave_a_floor_of_p_open():
    assert array(gate_at(-7).open_probability())[0, 0] == pytest.approx(0.0045, abs=5e-5)
