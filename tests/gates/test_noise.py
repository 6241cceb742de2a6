"""The table noise is logistic and independent over entries and calls."""

import numpy as np
import pytest
from all_gates import array
from scipy import stats

from sparsevae.gates.noise import LogisticNoise

SHAPE = (400, 500)


def noises(seed, n=2, **arguments):
    noise = LogisticNoise(SHAPE, seed, **arguments)
    return [array(noise(noise.draw())).astype("float64") for _ in range(n)]


def correlation(a, b):
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_distribution_is_logistic(seed, scale):
    (sample,) = noises(seed, 1, scale=scale)
    assert sample.shape == SHAPE
    assert stats.kstest(sample.ravel(), "logistic", args=(0, scale)).pvalue > 1e-3
    size = sample.size
    assert abs(sample.mean()) < 4 * scale * np.pi / np.sqrt(3 * size)
    assert sample.std() == pytest.approx(scale * np.pi / np.sqrt(3), rel=4 * 0.9 / np.sqrt(size))


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_and_calls_are_independent(seed):
    first, second = noises(seed)
    limit = 4 / np.sqrt(first.size)
    assert abs(correlation(first[:, 1:], first[:, :-1])) < limit
    assert abs(correlation(first[1:], first[:-1])) < limit
    assert abs(correlation(first, second)) < limit
    assert abs(correlation(np.abs(first), np.abs(second))) < limit


def test_seeds_fix_the_sequence():
    first, same, other = noises(1), noises(1), noises(2)
    np.testing.assert_array_equal(first, same)
    assert abs(correlation(first[0], other[0])) < 4 / np.sqrt(first[0].size)
