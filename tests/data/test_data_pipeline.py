import itertools
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from sparsevae.data import DSprites, FactorSpace, GroundTruthData, PackedData, pipeline

DATA = DSprites()


def batches(n, **arguments):
    dataset = DATA.as_tf_dataset(batch_size=8, **arguments)
    return np.stack(list(itertools.islice(dataset.as_numpy_iterator(), n)))


def test_batches_have_static_shape_and_lie_in_the_unit_interval():
    dataset = DATA.as_tf_dataset()
    assert dataset.element_spec == tf.TensorSpec((64, 64, 64, 1), tf.float32)
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    assert set(np.unique(next(iter(dataset)))) == {0, 1}


def test_same_seed_same_batches_and_every_step_differs():
    first = batches(5, seed=1)
    np.testing.assert_array_equal(first, batches(5, seed=1))
    assert len(np.unique(first.reshape(5, -1), axis=0)) == 5


def test_seeds_differ():
    assert (batches(1, seed=0) != batches(1, seed=1)).any()


def test_start_equals_skip():
    whole = batches(7)
    np.testing.assert_array_equal(batches(3, start=4), whole[4:])
    skipped = DATA.as_tf_dataset(batch_size=8).skip(4).take(3)
    np.testing.assert_array_equal(np.stack(list(skipped.as_numpy_iterator())), whole[4:])


def test_two_iterators_do_not_disturb_each_other():
    dataset = DATA.as_tf_dataset(batch_size=8)
    for first, second in itertools.islice(zip(dataset, dataset, strict=True), 3):
        np.testing.assert_array_equal(first, second)


def test_draws_are_uniform():
    bits = np.packbits(np.eye(16, dtype=np.uint8), axis=1)
    data = PackedData("blocks", "file", FactorSpace(["cell"], [16]), (4, 4, 1), bits)
    dataset = data.as_tf_dataset(batch_size=100, seed=2)
    counts = sum(batch.sum(axis=(0, 3)).ravel() for batch in dataset.take(50).as_numpy_iterator())
    assert counts.sum() == 5000
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"batch_size": 0}, ValueError, "`batch_size`.*at least 1"),
        ({"batch_size": 8.0}, TypeError, "`batch_size`.*8.0"),
        ({"seed": -1}, ValueError, "`seed`.*-1"),
        ({"seed": None}, TypeError, "`seed`.*None"),
        ({"start": -1}, ValueError, "`start`.*-1"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        DATA.as_tf_dataset(**arguments)


def test_errors_of_a_data_set_are_passed_on():
    class Broken(GroundTruthData):
        def images(self, indices):
            raise OSError("disk gone")

    data = Broken("broken", "file", FactorSpace(["cell"], [16]), (4, 4, 1))
    with pytest.raises(tf.errors.UnknownError, match="disk gone"):
        next(iter(data.as_tf_dataset()))
    end = time.monotonic() + 20
    while pipeline._python_calls().numpy() > 0:  # for which the end of the program would wait
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(4))
def test_a_program_can_end_while_batches_are_drawn(attempt):
    code = (
        "import sparsevae.data as data; "
        "batches = iter(data.load('dsprites', source='render').as_tf_dataset(batch_size=4096)); "
        "next(batches)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_rendering_does_not_load_tensorflow():
    code = (
        "import sys, sparsevae.data as data; data.load('dsprites', source='render').images([0]); "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
