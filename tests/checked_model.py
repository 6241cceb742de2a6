"""A model that checks its inputs and remembers what reaches its steps; data for it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sparsevae.models.entry_points import CheckedInputs
from sparsevae.models.fields import Contract
from sparsevae.models.inputs import batch_of

SHAPE = (4, 4, 1)
X = np.random.default_rng(0).random((12, *SHAPE), np.float32)
BYTES = np.random.default_rng(1).integers(0, 256, (12, *SHAPE), dtype=np.uint8)
PAIR = X[::-1].copy()
LABELS = np.arange(12) % 3
FACTORS = np.stack([LABELS, LABELS], axis=1)
WEIGHT = np.linspace(0, 2, 12).astype("float32")
WEIGHTED, PAIRED, LABELED, ALL = (
    frozenset(names)
    for names in (
        ["weight"],
        ["partner", "weight"],
        ["labels", "weight"],
        ["partner", "labels", "weight"],
    )
)
CONTRACT = Contract(SHAPE, WEIGHTED, "MyObjective")


class Model(CheckedInputs, keras.Model):
    """Counts its steps, adds up what it is given, and remembers it if run eagerly."""

    def __init__(self, uses=WEIGHTED, needs=(), **compile):
        super().__init__()
        self.image_shape, self.uses, self.needs = SHAPE, uses, frozenset(needs)
        self.objective_name = "MyObjective"
        self.steps = self.add_weight(dtype="int32", initializer="zeros", trainable=False)
        self.total = self.add_weight(initializer="zeros", trainable=False)
        self.seen = []
        self.built = True
        self.compile("adam", **{"run_eagerly": True, **compile})

    def call(self, images, training=False):
        return tf.reduce_mean(images, axis=(1, 2, 3))

    def train_step(self, data):
        batch = batch_of(data, self.uses)
        self.steps.assign_add(1)
        self.total.assign_add(tf.reduce_sum(batch.images))
        if tf.executing_eagerly():
            self.seen.append({k: v.numpy() for k, v in vars(batch).items() if v is not None})
        return {"loss": tf.reduce_mean(batch.images)}

    test_step = train_step


class Batches(keras.utils.PyDataset):
    """PyDataset of the batches given."""

    def __init__(self, batches, **kwargs):
        super().__init__(**kwargs)
        self.batches = batches
        self.calls = []

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


def slices(*arrays):
    """Batches of 4, with and without a tuple around."""
    parts = [tuple(a[k : k + 4] for a in arrays) for k in range(0, len(arrays[0]), 4)]
    return [part[0] if len(part) == 1 else part for part in parts]


def as_dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(4)


def from_generator(batches, signature):
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)


def assert_refused(call, *models, steps=0, match=None):
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500, message
    assert caught.value.__cause__ is None and not isinstance(caught.value, tf.errors.OpError)
    for model in models:
        assert int(model.steps) == steps
    return message


GRAPHS = {
    "graph": {},
    "steps_per_execution": {"steps_per_execution": 2},
    "jit_compile": {"jit_compile": True},
}

# Images that no method takes, and what the message says
BAD = {
    "another size": (np.zeros((4, 8, 4, 1), np.uint8), r"\(n, 4, 4, 1\).*\(4, 8, 4, 1\)"),
    "other channels": (np.zeros((4, 4, 4, 3), np.float32), r"\(4, 4, 4, 3\)"),
    "one image": (X[0], r"\(n, 4, 4, 1\).*\(4, 4, 1\)"),
    "no images": (X[:0], "At least one image.*0 images"),
    "int64": (BYTES.astype("int64"), "uint8.*int64"),
    "int8": (np.zeros((4, *SHAPE), np.int8), "uint8.*int8"),
    "complex": (X + 0j, "uint8.*complex"),
    "list of integers": (BYTES.tolist(), "uint8.*int64"),
    "0 to 255": (X * 255, r"\[0, 1\].*uint8.*values from"),
    "-1 to 1": (X * 2 - 1, r"\[0, 1\]\. Received: values from -"),
    "NaN": (np.where(X > 0.9, np.nan, X), r"\[0, 1\].*NaN"),
    "infinite": (np.where(X > 0.9, np.inf, X), r"\[0, 1\].*inf"),
    "strings": (np.full((4, *SHAPE), "a"), "uint8.*(str|object)"),
    "objects": (X.astype(object), "uint8.*object"),
    "file name": ("images.npz", "Received: a str"),
    "number": (3, "Received: a int"),
    "None": (None, "None"),
    "set": ({1, 2}, "Received: a set"),
    "ragged list": ([np.zeros((4, 4, 1)), np.zeros((5, 4, 1))], "one dense array.*inhomogeneous"),
    "list of file names": (["a.png", "b.png"], r"\(n, 4, 4, 1\).*\(2,\)"),
    "ragged tensor": (tf.ragged.constant([[1.0], [2.0, 3.0]]), "RaggedTensor"),
    "sparse tensor": (tf.sparse.from_dense(X[..., 0]), "SparseTensor"),
    "masked": (np.ma.masked_array(X, X > 0.5), "MaskedArray"),
    "0 to 255 tensor": (tf.constant(X * 255), "uint8 images may stay"),
    "dict without images": ({"labels": LABELS}, "must have the field 'images'.*'labels'"),
    "empty dict": ({}, "must have the field 'images'"),
    "unknown field": ({"image": X, "id": LABELS}, "Unknown field 'id'.*images, partner, labels"),
    "field that is no name": ({"image": X, 3: LABELS}, "Unknown field 3"),
    "field twice": ({"image": X, "images": X}, "once"),
    "dict, bad images": ({"image": X * 255}, r"\[0, 1\]"),
    "dict, labels": ({"image": X, "label": LABELS}, "MyObjective does not use labels.*Leave it"),
    "dict, pairs": ({"images": X, "partner": PAIR}, "does not use partner, only images, weight"),
    "dict, lengths": ({"images": X, "weight": WEIGHT[:5]}, "same length.*12 images, 5 weight"),
    "dict, weights": ({"images": X, "weight": -WEIGHT}, "weight must be finite and at least 0"),
    "dict in dict": ({"images": {"images": X}}, "one dense array.*dict"),
}
