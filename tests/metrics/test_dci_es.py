"""The loss-capacity curve of DCI-ES: closed forms of its probes and of its area."""

import numpy as np
import pytest

from sparsevae.metrics import dci_es
from sparsevae.metrics.scores.dci_es import N_FEATURES, _explicitness, _features


def test_the_first_probe_is_a_ridge_regression_of_a_thousandth_a_sample():
    """On one standardized code of which the factor is a line the slope shrinks by 1 / (1 + r)."""
    factors = np.tile(np.arange(4), 25)[:, None]
    codes = 3.0 * factors
    losses = dci_es(codes, factors, codes, factors).losses
    assert losses[0, 0] == pytest.approx((1e-3 / (1 + 1e-3)) ** 2)


def test_features_are_those_of_a_gaussian_kernel_of_the_codes_dimension():
    """Their mean product is exp(-distance^2 / (2 latent_dim)) / 2, up to 512 draws."""
    codes = np.random.default_rng(0).normal(size=(40, 9))
    codes = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    cosines = _features(codes, codes, seed=1)[0][:, 9:]
    squared = np.square(codes[:, None] - codes).sum(axis=2)
    kernel = np.exp(-squared / (2 * 9)) / 2
    np.testing.assert_allclose(cosines @ cosines.T / 512, kernel, atol=5 * 0.5 / 512**0.5)


def test_a_factor_of_which_no_probe_predicts_a_hundredth_has_no_explicitness():
    losses = np.tile([0.991, 0.989], (len(N_FEATURES), 1))
    np.testing.assert_array_equal(_explicitness(losses), [0, 1])
