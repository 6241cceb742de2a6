"""Batches of pairs, and of images of which few have labels."""

import numpy as np
import pytest

import sparsevae as sv
from sparsevae.data import FewLabels, Pairs, draw_labels


@pytest.fixture(scope="module")
def data():
    return sv.data.load("toy")


def factors_of(data, images):
    """By the images themselves, which are all different."""
    every = data.images(np.arange(len(data))).reshape(len(data), -1)
    places = {image.tobytes(): k for k, image in enumerate(every)}
    found = [places[np.round(x * 255).astype("uint8").tobytes()] for x in np.asarray(images)]
    return data.factors(np.array(found))


@pytest.mark.parametrize(("n_changed", "expected"), [(1, {1}), (2, {2}), (None, {1, 2, 3, 4})])
def test_pairs_differ_in_so_many_factors(data, n_changed, expected):
    batch = next(iter(data.as_tf_dataset(64, distribution=Pairs(data, n_changed))))
    assert batch.keys() == {"images", "partner"}
    first, second = (factors_of(data, batch[name]) for name in ("images", "partner"))
    assert {*(first != second).sum(axis=1)} == expected


def test_half_of_a_batch_has_labels_which_are_right(data):
    labels = draw_labels(data, 3, np.random.default_rng(0), factors=data.factor_names[:2])
    batch = next(iter(data.as_tf_dataset(9, distribution=FewLabels(data, labels))))
    found = batch["labels"].numpy()
    assert (found[:5] >= 0).all() and (found[5:] == -1).all()
    np.testing.assert_array_equal(factors_of(data, batch["images"][:5])[:, :2], found[:5])


@pytest.mark.parametrize("kind", ["pairs", "labels"])
def test_a_batch_is_a_function_of_seed_and_step(data, kind):
    labels = draw_labels(data, 3, np.random.default_rng(0))
    draws = Pairs(data) if kind == "pairs" else FewLabels(data, labels)
    batches = list(data.as_tf_dataset(8, seed=4, distribution=draws).take(3))
    later = next(iter(data.as_tf_dataset(8, seed=4, start=2, distribution=draws)))
    for name, values in later.items():
        np.testing.assert_array_equal(values, batches[2][name])
    assert (batches[0]["images"] != batches[1]["images"]).numpy().any()


def test_sets_that_have_no_pairs_are_refused(data):
    own = sv.data.from_array(data.images(np.arange(4)))
    with pytest.raises(ValueError, match="`data` must have one image for each combination"):
        Pairs(own)
    with pytest.raises(ValueError, match="`n_changed` must lie in"):
        Pairs(data, 99)
    labels = draw_labels(data, 3, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"4 images|out of range|must lie"):
        FewLabels(own, labels)
