"""Every good batch arrives whole, by each of Keras's entry points."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from checked_model import (
    ALL,
    BYTES,
    CONTRACT,
    FACTORS,
    GRAPHS,
    LABELED,
    LABELS,
    PAIR,
    PAIRED,
    SHAPE,
    WEIGHT,
    WEIGHTED,
    Batches,
    Model,
    X,
    as_dataset,
    assert_refused,
    from_generator,
    slices,
)

from sparsevae.models.datasets import checked_dataset
from sparsevae.models.entry_points import CheckedInputs
from sparsevae.models.inputs import batch_of, checked_source
from sparsevae.models.sources import CheckedPyDataset

# Good input arrives, and nothing else is done to it


def check_seen(model, n=12, **expected):
    """The batches that the model saw are these arrays, in order."""
    assert {frozenset(batch) for batch in model.seen} == {frozenset(expected)}
    for name, array in expected.items():
        seen = np.concatenate([batch[name] for batch in model.seen])
        assert seen.dtype == np.float32
        np.testing.assert_array_equal(seen, array[:n])
    model.seen.clear()


IMAGES = {
    "array": lambda x: x,
    "tensor": tf.constant,
    "nested list": lambda x: x.tolist(),
    "dict": lambda x: {"images": x},
    "dict of TFDS": lambda x: {"image": x},
    "dataset": as_dataset,
    "dataset of 1-tuples": lambda x: as_dataset(x).map(lambda x: (x,)),
    "dataset of dicts": lambda x: as_dataset(x).map(lambda x: {"image": x}),
    "dataset of unknown shape": lambda x: from_generator(slices(x), tf.TensorSpec(None, x.dtype)),
    "PyDataset": lambda x: Batches(slices(x)),
    "PyDataset of lists": lambda x: Batches([[part] for part in slices(x)]),
    "PyDataset of threads": lambda x: Batches(slices(x), workers=2, max_queue_size=3),
    "generator": lambda x: (part for part in slices(x)),
    "generator of 1-tuples": lambda x: ((part,) for part in slices(x)),
    "iterator": lambda x: iter(slices(x)),
    "iterator of tensors": lambda x: iter(as_dataset(x)),
}


ARRAYS = ("array", "tensor", "nested list", "dict", "dict of TFDS")
UNCOUNTED = ("dataset of unknown shape", *(kind for kind in IMAGES if "iterator" in kind))
UNCOUNTED += ("generator", "generator of 1-tuples")


@pytest.mark.parametrize(
    ("kind", "dtype"),
    # A list of integers does not say that it is bytes.
    [(k, d) for k in IMAGES for d in ("float32", "uint8") if (k, d) != ("nested list", "uint8")],
)
def test_images_arrive_in_any_form(kind, dtype):
    x = {"float32": X, "uint8": BYTES}[dtype]
    expected = X if dtype == "float32" else BYTES.astype("float32") * np.float32(1 / 255)
    model = Model()
    arrays = {"batch_size": 4} if kind in ARRAYS else {}
    endless = {"steps_per_epoch": 3} if kind in UNCOUNTED else {}
    model.fit(IMAGES[kind](x), shuffle=False, verbose=0, **arrays, **endless)
    check_seen(model, images=expected)
    steps = {"steps": 3} if endless else {}
    model.evaluate(IMAGES[kind](x), verbose=0, **arrays, **steps)
    check_seen(model, images=expected)
    means = model.predict(IMAGES[kind](x), verbose=0, **arrays, **steps)
    np.testing.assert_allclose(means, expected.mean((1, 2, 3)), rtol=1e-5)


VALIDATION = {kind: make for kind, make in IMAGES.items() if kind != "nested list"}
VALIDATION["tuple"] = lambda x: (x,)
VALIDATION["tuple with weight"] = lambda x: (x, None, WEIGHT)


@pytest.mark.parametrize("kind", VALIDATION)
def test_validation_data_arrive_in_any_form(kind):
    model = Model()
    steps = {"validation_steps": 3} if kind in UNCOUNTED else {}
    data = VALIDATION[kind](BYTES)
    model.fit(X[:4], validation_data=data, validation_batch_size=4, verbose=0, **steps)
    weight = {"weight": WEIGHT} if kind == "tuple with weight" else {}
    model.seen.pop(0)
    check_seen(model, images=BYTES.astype("float32") * np.float32(1 / 255), **weight)


def test_validation_split_cuts_all_fields():
    model = Model()
    model.fit(
        X, sample_weight=WEIGHT, batch_size=3, validation_split=0.25, shuffle=False, verbose=0
    )
    check_seen(model, images=X, weight=WEIGHT)


def test_validation_data_is_checked_once_and_used_each_epoch():
    model = Model()
    logs = model.fit(X, epochs=3, validation_data=as_dataset(BYTES), verbose=0, validation_freq=2)
    assert int(model.steps) == 3 + 3 and "val_loss" in logs.history


TUPLES = {
    "arrays": None,
    "dataset": lambda *arrays: as_dataset(*arrays),
    "generator": lambda *arrays: iter(slices(*arrays)),
    "PyDataset": lambda *arrays: Batches(slices(*arrays)),
}


@pytest.mark.parametrize("kind", TUPLES)
@pytest.mark.parametrize(
    ("uses", "field", "y", "expected"),
    [
        (PAIRED, "partner", PAIR, PAIR),
        (LABELED, "labels", LABELS, LABELS[:, None]),
        (LABELED, "labels", FACTORS, FACTORS),
        (LABELED, "labels", FACTORS / 2, FACTORS / 2),
    ],
    ids=["partner", "integers", "factors", "floats"],
)
def test_y_is_what_the_objective_uses(kind, uses, field, y, expected):
    for weights in ((), (WEIGHT,)):
        model = Model(uses, needs=[field])
        if kind == "arrays":
            named = {"y": y} | ({"sample_weight": weights[0]} if weights else {})
            model.fit(X, **named, batch_size=4, shuffle=False, verbose=0)
            model.seen, seen = [], model.seen
            model.train_on_batch(X, *named.values())
            model.test_on_batch(X, **named)
            assert len(model.seen) == 2
            model.seen = seen + model.seen[:0]
        else:
            model.fit(TUPLES[kind](X, y, *weights), shuffle=False, verbose=0, steps_per_epoch=3)
        check_seen(model, images=X, **{field: expected}, **({"weight": WEIGHT} if weights else {}))


def test_dicts_carry_all_fields():
    everything = {"image": X, "partner": PAIR, "label": LABELS, "weight": WEIGHT}
    expected = {"images": X, "partner": PAIR, "labels": LABELS[:, None], "weight": WEIGHT}
    parts = [{k: v[i : i + 4] for k, v in everything.items()} for i in (0, 4, 8)]
    for source in (everything, as_dataset(everything), Batches(parts), iter(parts)):
        model = Model(ALL, needs=["partner", "labels"])
        arrays = {"batch_size": 4} if source is everything else {}
        model.fit(source, shuffle=False, verbose=0, steps_per_epoch=3, **arrays)
        check_seen(model, **expected)
    model.train_on_batch(everything)
    check_seen(model, **expected)
    assert model.predict(everything, verbose=0).shape == (12,)
    assert model.predict_on_batch(everything).shape == (12,)


@pytest.mark.parametrize("uses", [WEIGHTED, LABELED])
def test_class_weight_becomes_weight(uses):
    model = Model(uses)
    weights = {0: 1.0, 1: 0.5, 2: 0, 7: 3.0}
    model.fit(X, LABELS, class_weight=weights, batch_size=4, shuffle=False, verbose=0)
    expected = {"weight": np.array([1, 0.5, 0], "float32")[LABELS], "images": X}
    labels = {"labels": LABELS[:, None]} if uses == LABELED else {}
    check_seen(model, **expected, **labels)
    model.train_on_batch(X, LABELS, class_weight=weights)
    check_seen(model, **expected, **labels)


@pytest.mark.parametrize("compile", GRAPHS)
def test_graphs_see_the_same(compile):
    for source in (X, as_dataset(X), Batches(slices(X)), iter(slices(X))):
        model = Model(run_eagerly=False, **GRAPHS[compile])
        batch_size = {"batch_size": 4} if source is X else {}
        model.fit(source, verbose=0, steps_per_epoch=3, **batch_size)
        assert int(model.steps) == 3
        np.testing.assert_allclose(float(model.total), X.sum(), rtol=1e-5)


def test_no_batch_of_a_dataset_is_drawn_to_be_checked():
    """A look at the first would lose it where the data set is fed by a stream."""
    shared = iter(slices(X))
    dataset = tf.data.Dataset.from_generator(
        lambda: shared, output_signature=tf.TensorSpec((None, *SHAPE), tf.float32)
    )
    model = Model()
    model.fit(dataset, steps_per_epoch=3, verbose=0)
    check_seen(model, images=X)


def test_a_checked_dataset_keeps_its_length_and_starts_anew_each_epoch():
    assert int(checked_dataset(as_dataset(X), CONTRACT).cardinality()) == 3
    endless = checked_dataset(as_dataset(X).repeat(), CONTRACT)
    assert int(endless.cardinality()) == tf.data.INFINITE_CARDINALITY
    model = Model()
    model.fit(as_dataset(X), epochs=2, verbose=0)
    assert int(model.steps) == 6


def test_a_pydataset_keeps_its_settings_and_hears_of_epochs():
    batches = Batches(slices(X), workers=3, max_queue_size=7)
    checked = CheckedPyDataset(batches, CONTRACT)
    assert (checked.workers, checked.max_queue_size, len(checked)) == (3, 7, 3)
    assert checked.use_multiprocessing is False
    batches = Batches(slices(X))
    Model().fit(batches, epochs=2, verbose=0)
    assert batches.calls[-1] == "end" and batches.calls.count("begin") == 2


def test_a_distributed_dataset_is_checked_by_its_spec():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    distributed = strategy.experimental_distribute_dataset(as_dataset(X))
    assert isinstance(distributed, tf.distribute.DistributedDataset)
    assert checked_source(distributed, contract=CONTRACT) is distributed
    labels = strategy.experimental_distribute_dataset(as_dataset(LABELS))
    assert_refused(lambda: checked_source(labels, contract=CONTRACT), match="shape")


@pytest.mark.filterwarnings("default")
def test_a_shuffle_asked_for_is_not_dropped_in_silence():
    with pytest.warns(UserWarning, match="shuffle"):
        Model().fit(as_dataset(X), shuffle=True, verbose=0)


def test_shuffle_is_as_in_keras_for_arrays():
    model = Model()
    keras.utils.set_random_seed(0)
    model.fit(X, batch_size=4, verbose=0)
    seen = np.concatenate([batch["images"] for batch in model.seen])
    assert not np.array_equal(seen, X)
    np.testing.assert_array_equal(np.sort(seen.sum((1, 2, 3))), np.sort(X.sum((1, 2, 3))))


@pytest.mark.parametrize(
    "method",
    ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"],
)
def test_signatures_are_those_of_keras(method):
    mine, its = (inspect.signature(getattr(c, method)) for c in (CheckedInputs, keras.Model))
    defaults = {name: p.default for name, p in its.parameters.items()}
    assert defaults | ({"shuffle": None} if method == "fit" else {}) == {
        name: p.default for name, p in mine.parameters.items()
    }
    assert list(mine.parameters) == list(its.parameters)


# A batch in a step


def test_batch_of_reads_what_keras_hands_over():
    for data in (BYTES, (BYTES,), [BYTES], (BYTES, None, None), {"image": BYTES}):
        batch = batch_of(data, WEIGHTED)
        assert batch.images.dtype == tf.float32 and float(tf.reduce_max(batch.images)) <= 1
        assert (batch.partner, batch.labels, batch.weight) == (None, None, None)
    batch = batch_of((X, LABELS, WEIGHT.astype("float64")), LABELED)
    assert batch.labels.shape == (12, 1) and batch.weight.dtype == tf.float32
    assert batch_of((X, BYTES), PAIRED).partner.dtype == tf.float32


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ((X, PAIR), "does not use `y`"),
        (({"images": X}, LABELS), "belong into it"),
        ({"images": X, "id": X}, "Unknown field 'id'"),
        ((X, None, FACTORS), "weight must have 1 axes"),
        (X[0], "images must have 4 axes"),
    ],
    ids=["pair", "dict and y", "unknown", "weight", "one image"],
)
def test_batch_of_refuses_by_structure(data, match):
    assert_refused(lambda: batch_of(data, WEIGHTED), match=match)
