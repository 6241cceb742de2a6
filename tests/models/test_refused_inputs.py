"""Bad arrays, fields and sources are refused in one line, by each of Keras's entry points."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from checked_model import (
    ALL,
    BAD,
    BYTES,
    FACTORS,
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

# Arrays, in all methods

METHODS = {
    "fit": lambda model, x: model.fit(x, verbose=0),
    "validation_data": lambda model, x: model.fit(X, validation_data=x, verbose=0),
    "validation tuple": lambda model, x: model.fit(X, validation_data=(x,), verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "train_on_batch": lambda model, x: model.train_on_batch(x),
    "test_on_batch": lambda model, x: model.test_on_batch(x),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
}


@pytest.fixture(scope="module")
def model():
    return Model()


# None is no validation data, and a list of two is read as a tuple.
NO_VALIDATION = ("None", "list of integers", "ragged list", "list of file names")


@pytest.mark.parametrize(
    ("method", "kind"),
    [(m, k) for m in METHODS for k in BAD if m != "validation_data" or k not in NO_VALIDATION],
)
def test_bad_arrays_are_refused(model, method, kind):
    x, match = BAD[kind]
    message = assert_refused(lambda: METHODS[method](model, x), model, match=match)
    assert ("`validation_data`" if "validation" in method else "`x`") in message


IN_FLOW = ("0 to 255", "-1 to 1", "NaN", "infinite", "0 to 255 tensor")
IN_SPEC = ("another size", "other channels", "one image", "no images", "int64", "int8")
IN_SPEC += ("complex", "strings", "ragged tensor", "sparse tensor")


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "validation_data"])
@pytest.mark.parametrize("kind", IN_FLOW + IN_SPEC)
def test_bad_datasets_are_refused(model, method, kind):
    """By the element spec or by the first batch: none of the model's steps is made."""
    x, match = BAD[kind]
    batches = tf.data.Dataset.from_tensors(x)
    model = Model() if method == "validation_data" else model
    steps = int(method == "validation_data" and kind in IN_FLOW)  # seen after the epoch
    assert_refused(lambda: METHODS[method](model, batches), model, steps=steps, match=match)
    if kind in IN_FLOW:
        batches = tf.data.Dataset.from_tensor_slices(x).batch(4)
        assert_refused(lambda: METHODS[method](model, batches), match=match)


# Bad beside good images

N = np.full(12, np.nan, "float32")
BESIDE = {  # what the objective uses, arguments of fit, message
    "images again": (WEIGHTED, {"y": X}, "does not use `y`: SparseVAE reconstructs its input"),
    "equal images": (WEIGHTED, {"y": X.copy()}, "SparseVAE reconstructs its input: pass the im"),
    "pair": (WEIGHTED, {"y": PAIR}, "MyObjective does not use `y`.*pairs are for .* use partner"),
    "labels": (WEIGHTED, {"y": LABELS}, "labels are for objectives that use labels.*Leave it out"),
    "pair for labels": (LABELED, {"y": PAIR}, r"`y`: labels must have the shape \(n, n_factors\)"),
    "labels for pair": (PAIRED, {"y": LABELS}, r"`y`: Images must have the shape \(n, 4, 4, 1\)"),
    "both roles": (ALL, {"y": PAIR}, "could be partner or labels.*Give a dict"),
    "partner 0..255": (PAIRED, {"y": PAIR * 255}, r"`y`: Float images must lie in \[0, 1\]"),
    "partner int64": (PAIRED, {"y": BYTES.astype(int)}, "`y`: Images must be uint8.*int64"),
    "partner short": (PAIRED, {"y": PAIR[:7]}, "same length.*12 images, 7 partner"),
    "labels short": (LABELED, {"y": LABELS[:7]}, "same length.*12 images, 7 labels"),
    "labels NaN": (LABELED, {"y": N}, "`y`: labels must be finite.*NaN"),
    "labels infinite": (LABELED, {"y": N * 0 + np.inf}, "labels must be finite"),
    "labels strings": (LABELED, {"y": ["a"] * 12}, "labels must be real numbers"),
    "labels scalar": (LABELED, {"y": 3}, "`y` must be one dense array.*int"),
    "labels 3 axes": (LABELED, {"y": LABELS[:, None, None]}, r"\(n, n_factors\)"),
    "labels of none": (LABELED, {"y": np.zeros((12, 0))}, r"\(n, n_factors\).*\(12, 0\)"),
    "labels ragged": (LABELED, {"y": [[1], [2, 3]]}, "`y` must be one dense array"),
    "y dict": (LABELED, {"y": {"labels": LABELS}}, "`y` must be one dense array.*dict"),
    "y dataset": (LABELED, {"y": as_dataset(LABELS)}, "`y` must be one dense array.*Dataset"),
    "dict and y": (LABELED, {"x": {"images": X}, "y": LABELS}, "belong into it.*y beside"),
    "dict and weight": (WEIGHTED, {"x": {"image": X}, "sample_weight": WEIGHT}, "belong into it"),
    "tuple": (PAIRED, {"x": (X, PAIR)}, "must be images.*Received: a tuple"),
    "missing": (PAIRED, {}, "must have partner, which MyObjective needs.*images only"),
    "weight unused": (frozenset(), {"sample_weight": WEIGHT}, "does not use weight, only images"),
    "weight matrix": (WEIGHTED, {"sample_weight": np.ones((12, 1))}, r"weight.*shape \(n,\)"),
    "weight scalar": (WEIGHTED, {"sample_weight": 2.0}, "`sample_weight` must be one dense array"),
    "weight short": (WEIGHTED, {"sample_weight": WEIGHT[:3]}, "12 images, 3 weight"),
    "weight NaN": (WEIGHTED, {"sample_weight": N}, "`sample_weight`: weight must be finite.*NaN"),
    "weight below 0": (WEIGHTED, {"sample_weight": WEIGHT - 1}, "at least 0.*values from -1 to 1"),
    "weight infinite": (WEIGHTED, {"sample_weight": WEIGHT + np.inf}, "finite.*inf"),
    "weight strings": (WEIGHTED, {"sample_weight": ["a"] * 12}, "real numbers"),
    "weight dict": (WEIGHTED, {"sample_weight": {0: 1.0}}, "`sample_weight` must be one dense"),
    "class without y": (WEIGHTED, {"class_weight": {0: 1.0}}, "`class_weight` must come.*no y"),
    "class missing": (WEIGHTED, {"y": LABELS, "class_weight": {0: 1, 2: 1}}, "each class.* for 1$"),
    "class and sample": (
        WEIGHTED,
        {"y": LABELS, "class_weight": {0: 1.0}, "sample_weight": WEIGHT},
        "`class_weight` must come.*sample_weight too",
    ),
    "class of floats": (WEIGHTED, {"y": LABELS / 1, "class_weight": {0: 1}}, "integer classes"),
    "class of rows": (WEIGHTED, {"y": FACTORS, "class_weight": {0: 1}}, r"integer classes \(n,\)"),
    "class below 0": (WEIGHTED, {"y": LABELS, "class_weight": {0: -1, 1: 1, 2: 1}}, "at least 0"),
    "class NaN": (WEIGHTED, {"y": LABELS, "class_weight": {0: np.nan, 1: 1, 2: 1}}, "NaN"),
    "class string": (WEIGHTED, {"y": LABELS, "class_weight": {0: "a", 1: 1, 2: 1}}, "real number"),
    "class list": (WEIGHTED, {"y": LABELS, "class_weight": [1, 1, 1]}, "dict from class to weight"),
    "class short": (WEIGHTED, {"y": LABELS[:5], "class_weight": {0: 1, 1: 1, 2: 1}}, "5 weight"),
    "class, dict": (LABELED, {"x": {"image": X}, "class_weight": {0: 1}}, "`class_weight` must"),
    "class, weight unused": (
        frozenset(),
        {"y": LABELS, "class_weight": {0: 1, 1: 1, 2: 1}},
        "does not use weight",
    ),
    "dataset and y": (LABELED, {"x": as_dataset(X), "y": LABELS}, "`y` must be None.*Dataset"),
    "dataset and weight": (
        WEIGHTED,
        {"x": as_dataset(X), "sample_weight": WEIGHT},
        "`sample_weight` must be None",
    ),
    "dataset and class": (
        LABELED,
        {"x": as_dataset(X, LABELS), "class_weight": {0: 1.0}},
        "`class_weight` must be None",
    ),
    "PyDataset and class": (LABELED, {"x": Batches([X]), "class_weight": {0: 1}}, "must be None"),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_bad_fields_are_refused(kind):
    uses, arguments, match = BESIDE[kind]
    model = Model(uses, needs={"partner"} & uses if kind == "missing" else ())
    arguments = {"x": X} | arguments
    assert_refused(lambda: model.fit(**arguments, verbose=0), model, match=match)
    streamed = isinstance(arguments["x"], (tf.data.Dataset, keras.utils.PyDataset))
    on_batch = "must be images" if streamed else match
    assert_refused(lambda: model.train_on_batch(**arguments), model, match=on_batch)
    if "class_weight" not in arguments:
        assert_refused(lambda: model.evaluate(**arguments, verbose=0), model, match=match)
        assert_refused(lambda: model.test_on_batch(**arguments), model, match=on_batch)
        validation = tuple(arguments.get(k) for k in ("x", "y", "sample_weight"))
        train = {"images": X, "partner": PAIR, "labels": LABELS}
        train = {k: v for k, v in train.items() if k == "images" or k in uses}
        assert_refused(
            lambda: model.fit(train, validation_data=validation, verbose=0),
            model,
            match="`validation_data`",
        )


SPECS = {  # data sets that are refused by their element spec
    "not batched": (WEIGHTED, tf.data.Dataset.from_tensor_slices(X), "`dataset.batch`.*single im"),
    "no shape": (WEIGHTED, tf.data.Dataset.from_tensors(3.0), r"\(n, 4, 4, 1\).*\(\)"),
    "ragged": (WEIGHTED, as_dataset(X).map(tf.RaggedTensor.from_tensor), "RaggedTensorSpec"),
    "sparse": (WEIGHTED, as_dataset(X).map(tf.sparse.from_dense), "SparseTensorSpec"),
    "images again": (WEIGHTED, as_dataset(X, X), r"reconstructs its input.*lambda x, y: x\)"),
    "pairs": (WEIGHTED, as_dataset(X, PAIR), "pairs are for objectives that use partner"),
    "labels": (WEIGHTED, as_dataset(X, LABELS), r"labels are for.*`dataset.map\(lambda x, y: x"),
    "label of 0": (WEIGHTED, as_dataset(X).map(lambda x: (x, 0)), "labels are for objectives"),
    "bad image first": (WEIGHTED, as_dataset(LABELS, X), r"\(n, 4, 4, 1\).*\(None,\)"),
    "weights unused": (PAIRED - {"weight"}, as_dataset(X, PAIR, WEIGHT), "does not use weight"),
    "four parts": (PAIRED, as_dataset(X, PAIR, WEIGHT, X), "a tuple of 4"),
    "nested": (PAIRED, as_dataset(X).map(lambda x: ((x, x), x)), "one dense tensor.*tuple"),
    "dict and y": (PAIRED, as_dataset(X).map(lambda x: ({"image": x}, x)), "belong into it"),
    "labels of 3 axes": (LABELED, as_dataset(X, X), r"labels must have the shape \(n, n_factors"),
    "labels strings": (LABELED, as_dataset(X, LABELS.astype(str)), "labels must be real"),
    "weights of 2 axes": (PAIRED, as_dataset(X, PAIR, FACTORS), r"weight must have.*\(n,\)"),
    "unknown field": (WEIGHTED, as_dataset({"image": X, "id": LABELS}), "Unknown field 'id'"),
    "no images": (LABELED, as_dataset({"label": LABELS}), "field 'images'.*'label'"),
    "label": (WEIGHTED, as_dataset({"image": X, "label": LABELS}), "does not use labels.*map"),
    "both roles": (ALL, as_dataset(X, PAIR), "Give a dict"),
    "lengths": (
        LABELED,
        tf.data.Dataset.from_tensors({"image": X, "label": LABELS[:5]}),
        "12 images, 5 labels",
    ),
    "labels of any rank": (
        LABELED,
        from_generator(
            [], (tf.TensorSpec((None, *SHAPE), tf.float32), tf.TensorSpec(None, tf.float32))
        ),
        "known rank",
    ),
    "bytes of any shape": (
        WEIGHTED,
        from_generator([], tf.TensorSpec(None, tf.int32)),
        "uint8.*int32",
    ),
}


@pytest.mark.parametrize("kind", SPECS)
def test_bad_specs_of_datasets_are_refused(kind):
    uses, dataset, match = SPECS[kind]
    model = Model(uses)
    for call in (
        lambda: model.fit(dataset, verbose=0),
        lambda: model.evaluate(dataset, verbose=0),
        lambda: model.predict(dataset, verbose=0),
        lambda: model.fit({"images": X}, validation_data=dataset, verbose=0),
    ):
        assert_refused(call, model, match=match)


class Lengthless(keras.utils.PyDataset):
    def __getitem__(self, index):
        return X[:4]


class Loader:
    """Iterable, as PyTorch's DataLoader is."""

    def __iter__(self):
        return iter(slices(X))


class Rows:
    """Indexable, as PyTorch's Dataset is."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return X[index]


@pytest.mark.parametrize(
    ("source", "match"),
    [
        (Lengthless(), "`x` must have `__len__` or `num_batches`"),
        (Batches([]), "at least one batch"),
        (iter(()), "empty generator"),
        (Loader(), "tf.data.Dataset, a generator or a keras.utils.PyDataset.*Loader"),
        (Rows(), "Received: a Rows"),
        (iter(["ab"]), "Batch 0 of `x`.*one dense array"),
        (X.shape, "Received: a tuple"),
        (len, "Received: a builtin_function_or_method"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_other_sources_are_refused(source, match):
    assert_refused(lambda: Model().fit(source, verbose=0), match=match)


def test_streams_are_no_batch(model):
    for method in (model.train_on_batch, model.test_on_batch, model.predict_on_batch):
        for source in (as_dataset(X), Batches([X]), iter([X])):
            assert_refused(lambda m=method, s=source: m(s), model, match="`x` must be images")


def test_validation_data_of_four_parts_are_refused(model):
    for data in ((X, X, X, X), (), [X] * 4):
        call = lambda d=data: model.fit(X, validation_data=d, verbose=0)  # noqa: E731
        assert_refused(call, model, match="`validation_data` must be one source")
