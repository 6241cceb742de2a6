"""A bad batch after good ones is refused in one line, before a step is made on it."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from checked_model import (
    ALL,
    BYTES,
    FACTORS,
    GRAPHS,
    WEIGHT,
    Batches,
    Model,
    X,
    assert_refused,
    slices,
)

# Bad batches after good ones

GOOD = {"images": X[:4], "partner": X[4:8], "labels": FACTORS[:4], "weight": WEIGHT[:4]}
THIRD = {  # what is wrong with the third batch, message
    "0 to 255": ({"images": X[:4] * 255}, r"Float images must lie in \[0, 1\] \(uint8"),
    "NaN": ({"images": X[:4] * np.nan}, "NaN"),
    "just above 1": ({"images": np.nextafter(np.ones_like(X[:4]), 2)}, r"lie in \[0, 1\]"),
    "just below 0": ({"images": X[:4] - np.float32(1)}, "values from -"),
    "size": ({"images": np.zeros((4, 5, 4, 1), "f4")}, r"\(n, 4, 4, 1\).*\(4, 5, 4, 1\)"),
    "one image": ({"images": X[0]}, r"\(n, 4, 4, 1\).*\(4, 4, 1\)"),
    "no images": ({k: v[:0] for k, v in GOOD.items()}, "At least one image"),
    "partner": ({"partner": X[:4] - 1}, r"partner: Float images must lie in \[0, 1\]"),
    "partner size": ({"partner": X[:4, :3]}, r"partner: Images must have the shape"),
    "partner short": ({"partner": X[:2]}, "same length.*4 images, 2 partner"),
    "labels": ({"labels": FACTORS[:4] * np.nan}, "labels must be finite"),
    "labels short": ({"labels": FACTORS[:1]}, "same length.*4 images.* 1 labels"),
    "weight": ({"weight": -WEIGHT[4:8]}, "weight must be finite and at least 0"),
    "weight infinite": ({"weight": np.full(4, np.inf)}, "weight must be finite"),
    "weight short": ({"weight": WEIGHT[:3]}, "same length.*4 images.* 3 weight"),
}
IN_PYTHON = {  # these a data set cannot hold
    "None": (None, "must be one dense array. Received: None"),
    "string": ("x.png", "must be one dense array. Received: a str"),
    "int64": ({**GOOD, "images": BYTES[:4].astype(int)}, "uint8.*int64"),
    "bytes after floats": ({**GOOD, "images": BYTES[:4]}, "like those before.*float32.*uint8"),
    "fewer fields": ({"images": X[:4]}, "like those before"),
    "unknown": ({"image": X[:4], "id": X}, "Unknown field 'id'"),
    "empty": ((), "tuple of 0"),
    "no batch": ((None, X), "must have images"),
    "object": (X[:4].astype(object), "object"),
}


def concatenated(batches):
    """Data set of the batches; its spec leaves open where their shapes differ."""
    parts = [tf.data.Dataset.from_tensors(batch) for batch in batches]
    return functools.reduce(lambda first, second: first.concatenate(second), parts)


STREAMS = {
    "generator": lambda batches: (batch for batch in batches),
    "PyDataset": Batches,
    "PyDataset of threads": lambda batches: Batches(batches, workers=2),
    "dataset": concatenated,
}


def third(kind):
    change, match = (THIRD | IN_PYTHON)[kind]
    bad = {**GOOD, **change} if kind in THIRD else change
    good = {k: v.astype("float32") for k, v in GOOD.items()}
    if kind in THIRD:
        bad = {k: v.astype("float32") for k, v in bad.items()}
    return [good, good, bad, good], r"Batch 2 of `\w+` \(counted from 0\).*" + match


@pytest.mark.parametrize(
    ("stream", "kind"),
    [(s, k) for s in STREAMS for k in THIRD | IN_PYTHON if s != "dataset" or k in THIRD],
)
def test_a_bad_third_batch_is_refused_before_its_step(stream, kind):
    batches, match = third(kind)
    model = Model(ALL)
    source = STREAMS[stream](batches)
    steps = {} if "PyDataset" in stream else {"steps_per_epoch": 4}
    assert_refused(
        lambda: model.fit(source, shuffle=False, verbose=0, **steps), model, steps=2, match=match
    )


OTHERS = {
    "evaluate": lambda model, x: model.evaluate(x, verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
    "validation_data": lambda model, x: model.fit({**GOOD}, validation_data=x, verbose=0),
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("method", OTHERS)
def test_a_bad_third_batch_is_refused_by_all_methods(method, stream):
    batches, match = third("0 to 255")
    source = STREAMS[stream](batches)
    match = f"`{method}` .*lie in" if method == "validation_data" else match
    assert_refused(lambda: OTHERS[method](Model(ALL), source), match=match)


@pytest.mark.parametrize("compile", GRAPHS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_bad_third_batch_is_refused_in_graphs(stream, compile):
    floats = np.concatenate([X[:8], X[8:] * 255])
    source = STREAMS[stream](slices(floats))
    model = Model(run_eagerly=False, **GRAPHS[compile])
    steps = {"steps_per_epoch": 3} if stream == "generator" else {}
    match = r"Batch 2 of `x` .*Float images must lie in \[0, 1\] \(uint8 .*values from"
    call = lambda: model.fit(source, shuffle=False, verbose=0, **steps)  # noqa: E731
    assert_refused(call, match=match)
    np.testing.assert_allclose(float(model.total), X[:8].sum(), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_ends_of_the_range_are_good_in_every_dtype_and_nothing_beyond(dtype):
    model = Model()
    ends = np.resize(np.asarray([-0.0, 0, 1], dtype), X[:4].shape)
    model.fit(tf.data.Dataset.from_tensors(ends), verbose=0)
    beyond = np.nextafter(ends, np.asarray([2], dtype))
    call = lambda: model.fit(tf.data.Dataset.from_tensors(beyond), verbose=0)  # noqa: E731
    assert_refused(call, match=r"Float images must lie in \[0, 1\]")


def test_a_bad_batch_of_another_process_is_refused():
    floats = np.concatenate([X[:8], X[8:] * 255])
    batches = Batches(slices(floats), workers=1, use_multiprocessing=True)
    assert_refused(lambda: Model().fit(batches, shuffle=False, verbose=0), match="Batch 2 of `x`")


def test_the_wording_is_that_of_arrays():
    bad = X * 255
    with pytest.raises(ValueError) as of_array:
        Model().fit(bad, verbose=0)
    with pytest.raises(ValueError) as of_dataset:
        Model().fit(tf.data.Dataset.from_tensors(bad), verbose=0)
    said, of_batch = (str(e.value).partition(": ")[2] for e in (of_array, of_dataset))
    assert said == of_batch


def test_errors_of_the_users_own_generator_pass_through():
    def batches():
        yield from slices(X)
        raise RuntimeError("disk on fire")

    with pytest.raises(tf.errors.OpError, match="disk on fire"):
        Model().fit(batches(), steps_per_epoch=5, verbose=0)
