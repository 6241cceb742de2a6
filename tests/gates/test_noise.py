"""The table noise is logistic and independent over entries and calls."""

import keras
import numpy as np
import pytest
from all_gates import array
from keras import ops
from scipy import stats

from sparsevae.gates.noise import N_OFFSETS, LogisticNoise

SHAPE = (400, 500)


def noises(seed, n=2, **arguments):
    noise = LogisticNoise(SHAPE, seed, **arguments)
    return [array(noise(noise.draw(number))).astype("float64") for number in range(n)]


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


@pytest.mark.parametrize("seed", range(3))
def test_entries_are_independent_at_the_lag_of_the_two_windows(seed):
    """Of one table, windows that begin |a - b| apart share entries: correlation -1/2 there."""
    noise = LogisticNoise(SHAPE, seed)
    for number in range(4):
        starts = array(noise.starts(number))
        sample = array(noise(noise.draw(number))).ravel()
        lag = int(abs(starts[1] - starts[0]))
        assert 0 < lag < sample.size, "the case tests nothing"
        assert abs(correlation(sample[lag:], sample[:-lag])) < 5 / np.sqrt(sample.size - lag)


def test_the_two_windows_begin_anywhere_each_by_itself():
    """At a fixed lag a link would soon meet the same pair of entries again."""
    noise = LogisticNoise((2, 3), 0)
    first, second = np.array([array(noise.starts(number)) for number in range(400)]).T
    assert len(set(second - first)) > 380
    assert abs(correlation(first, second)) < 4 / np.sqrt(400)
    for starts in (first, second):
        uniform = stats.uniform(0, N_OFFSETS)
        assert stats.kstest(starts, uniform.cdf).pvalue > 1e-3


def test_each_window_begins_where_its_own_start_says(monkeypatch):
    noise = LogisticNoise((8, 10), 0)
    starts = [(0, 0), (0, 16), (16, 0)]
    monkeypatch.setattr(noise, "starts", lambda number: ops.convert_to_tensor(starts[number]))
    first, second = zip(*(map(array, noise.draw(number)) for number in range(3)), strict=True)
    for windows, moved, still in ((first, 2, 1), (second, 1, 2)):
        np.testing.assert_array_equal(windows[still], windows[0])
        np.testing.assert_array_equal(windows[moved][:-16], windows[0][16:])
        assert not np.array_equal(windows[moved], windows[0])


def test_a_draw_is_a_function_of_seed_and_number():
    noise = LogisticNoise(SHAPE, 3)
    later = array(noise(noise.draw(7)))
    array(noise(noise.draw(2)))
    np.testing.assert_array_equal(array(noise(noise.draw(7))), later)
    assert not np.array_equal(array(noise(noise.draw(8))), later)


def test_seeds_fix_the_sequence():
    first, same, other = noises(1), noises(1), noises(2)
    np.testing.assert_array_equal(first, same)
    assert abs(correlation(first[0], other[0])) < 4 / np.sqrt(first[0].size)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA by TensorFlow is meant")
def test_xla_compiles_the_noise_once_for_all_draws():
    import tensorflow as tf

    noise = LogisticNoise((2, 3), 0)
    compiled = tf.function(lambda k: (noise.starts(k), *noise.draw(k)), jit_compile=True)
    programs = set()
    for number in (tf.constant(1), tf.constant(2)):
        programs.add(compiled.experimental_get_compiler_ir(number)(stage="hlo"))
        starts, *windows = compiled(number)
        for table, start, window in zip(noise._tables, starts, windows, strict=True):
            np.testing.assert_array_equal(window, table[int(start) : int(start) + 6])
    assert len(programs) == 1
