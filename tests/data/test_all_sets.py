"""What every data set promises, whatever it is made of."""

import concurrent.futures
import multiprocessing

import numpy as np
import pytest
from all_sets import CASES, seen_by_a_worker
from scipy import stats

from sparsevae.data.ground_truth import FactorData

P_VALUE = 1e-4  # draws are seeded, so a set either passes always or never


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "_"))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def data(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEVAE_CACHE", str(folder / "cache"))
        yield CASES[name].make(folder)


@pytest.fixture(scope="module")
def worker():
    context = multiprocessing.get_context("spawn")  # nothing is inherited, all is pickled
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        yield pool


def some(data, n=40):
    """First, last and other image numbers."""
    inner = np.random.default_rng(0).integers(len(data), size=n)
    return np.concatenate([[0, len(data) - 1], inner])


def is_grid(data):
    return hasattr(data, "index")


def test_it_says_what_it_is(data, name):
    assert isinstance(data, FactorData) and data.source == CASES[name].source
    assert name.startswith(data.name)
    assert len(data.factor_names) == len(data.factor_sizes)
    assert repr(len(data)) in repr(data) and data.source in repr(data)


def test_images_are_uint8_of_one_shape(data):
    images = data.images(some(data))
    assert images.dtype == np.uint8 and images.shape == (42, *data.image_shape)
    assert images.max() > 0


def test_index_and_factors_are_inverse(data):
    indices = some(data, 2000)
    factors = data.factors(indices)
    assert factors.dtype == np.int64
    assert (factors >= 0).all() and (factors < data.factor_sizes).all()
    if is_grid(data):
        assert len(data) == np.prod(data.factor_sizes)
        np.testing.assert_array_equal(data.index(factors), indices)
        np.testing.assert_array_equal(data.observe(factors[:20]), data.images(indices[:20]))


def test_every_combination_has_as_many_images(data):
    if len(data) > 10_000:
        pytest.skip("follows from the test above for a grid")
    cells = data.factor_space.index(data.factors(np.arange(len(data))))
    assert len(set(np.bincount(cells, minlength=len(data.factor_space)))) == 1


def test_equal_calls_give_equal_images(data):
    indices = some(data)
    images = data.images(indices)
    np.testing.assert_array_equal(data.images(indices[::-1])[::-1], images)
    np.testing.assert_array_equal(np.concatenate([data.images([k]) for k in indices]), images)
    images[:] = 0  # what is handed out is a copy
    assert data.images(indices).any()


def test_a_factor_changes_only_what_it_should(data, name):
    if not is_grid(data):
        pytest.skip("a hidden nuisance differs too")
    where = CASES[name].where
    rng = np.random.default_rng(0)
    for k, size in enumerate(data.factor_sizes):
        before = data.sample_factors(50, rng)
        after = before.copy()
        after[:, k] = (before[:, k] + rng.integers(1, size, 50)) % size if size > 1 else 0
        changed = (data.observe(before) != data.observe(after)).any(axis=-1)
        # Not all: a few images of a set may be the same picture, such as a turn by 0 and 2 pi.
        assert changed.any(axis=(1, 2)).mean() > 0.9
        if where:
            assert not changed[:, ~where(k)].any()


def test_draws_are_uniform(data):
    factors = data.sample_factors(20_000, np.random.default_rng(1))
    for column, size in zip(factors.T, data.factor_sizes, strict=True):
        assert stats.chisquare(np.bincount(column, minlength=size)).pvalue > P_VALUE
    # The cells of the two largest factors together: uniform means independent too.
    first, second = np.argsort(data.factor_sizes)[-2:]
    sizes = data.factor_sizes[first], data.factor_sizes[second]
    cells = np.ravel_multi_index((factors[:, first], factors[:, second]), sizes)
    assert stats.chisquare(np.bincount(cells, minlength=np.prod(sizes))).pvalue > P_VALUE


def test_fixed_factors_stay(data):
    for name, size in zip(data.factor_names, data.factor_sizes, strict=True):
        k = data.factor_names.index(name)
        factors, images = data.sample(10, np.random.default_rng(2), fixed={name: size - 1})
        assert (factors[:, k] == size - 1).all() and len(images) == 10


def test_a_worker_process_sees_the_same(data, worker):
    indices = some(data)
    images, factors = worker.submit(seen_by_a_worker, data, indices).result(timeout=60)
    np.testing.assert_array_equal(images, data.images(indices))
    np.testing.assert_array_equal(factors, data.factors(indices))


def test_batches_for_training(data):
    batch = next(data.as_tf_dataset(batch_size=5, seed=3).as_numpy_iterator())
    assert batch.shape == (5, *data.image_shape) and batch.dtype == np.float32
    assert batch.min() >= 0 and 0 < batch.max() <= 1


@pytest.mark.parametrize("indices", [[-1], [10**9], [[0]], [0.5]], ids=str)
def test_wrong_numbers_are_refused(data, indices):
    with pytest.raises((TypeError, ValueError), match="indices"):
        data.images(indices)
