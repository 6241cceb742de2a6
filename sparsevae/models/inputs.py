"""What users hand to a model: one check for all its methods, one batch for all its steps."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from sparsevae.models.datasets import check_dataset_spec, checked_dataset
from sparsevae.models.fields import (
    Contract,
    as_array,
    checked_arrays,
    packed,
    split_fields,
    with_roles,
)
from sparsevae.models.pixels import to_float
from sparsevae.models.sources import CheckedPyDataset, checked_batches
from sparsevae.objectives.batch import Batch

SOURCES = (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset, Iterator)


def checked_source(
    x: object,
    y: object = None,
    sample_weight: object = None,
    class_weight: Mapping[int, float] | None = None,
    *,
    contract: Contract,
    argument: str = "x",
) -> object:
    """What to give Keras as `x`, alone: every batch of it is good, and `batch_of` reads it.

    Arrays are checked whole, at once. A data set, generator or PyDataset is checked batch by
    batch as these are drawn (see `datasets` and `sources`); a `DistributedDataset` by its element
    spec only, for nothing can be put into its flow.

    Args:
        x: Images (array, tensor, nested lists), a dict of `FIELDS`, or a data set, iterator or
            PyDataset of batches: images, `(images, y)`, `(images, y, weight)` or dicts.
        y: Partner images or labels, whichever the objective uses.
        sample_weight: `(n,)`, finite and at least 0.
        class_weight: Weight of each class; needs `y` with integer classes `(n,)`.
        contract: What the model takes.
        argument: What the user calls `x`, for messages.

    Raises:
        ValueError: if a shape, dtype, range, length or name is wrong, or something is not used.
        TypeError: if something is of the wrong type.
    """
    given = {"y": y, "sample_weight": sample_weight, "class_weight": class_weight}
    given = [name for name, value in given.items() if value is not None]
    if not isinstance(x, SOURCES):
        return checked_batch(
            x, y, sample_weight, class_weight, contract=contract, argument=argument
        )
    if given:
        raise ValueError(
            f"`{given[0]}` must be None, as `{argument}` is a {type(x).__name__}: its batches may "
            f"be (images, y), (images, y, weight) or dicts. Received: {given[0]} beside it"
        )
    if isinstance(x, tf.data.Dataset):
        return checked_dataset(x, contract, argument)
    if isinstance(x, tf.distribute.DistributedDataset):
        spec = tf.nest.map_structure(_of_one_replica, x.element_spec)
        check_dataset_spec(spec, contract, f"`{argument}`")
        return x
    if isinstance(x, keras.utils.PyDataset):
        return CheckedPyDataset(x, contract, argument)
    return checked_batches(x, contract, argument)


def _of_one_replica(spec):
    """The first of the specs in a `PerReplicaSpec`; with one replica there is none around."""
    return tf.nest.flatten(spec, expand_composites=True)[0]


def checked_validation(data: object, contract: Contract) -> object:
    """`validation_data` of `fit` by `checked_source`: a source, or a tuple `(x, y, weight)`.

    Raises:
        ValueError: if a tuple has another length, and as `checked_source`.
        TypeError: as `checked_source`.
    """
    parts = tuple(data) if isinstance(data, (tuple, list)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(
            "`validation_data` must be one source, (x,), (x, y) or (x, y, sample_weight). "
            f"Received: a {type(data).__name__} of {len(parts)}"
        )
    return checked_source(*parts, contract=contract, argument="validation_data")


def may_shuffle(source: object) -> bool:
    """Whether Keras can shuffle what `checked_source` gave: arrays, and PyDatasets with an end."""
    if isinstance(source, keras.utils.PyDataset):
        return source.num_batches is not None
    return not isinstance(source, SOURCES)


def checked_batch(
    x: object,
    y: object = None,
    sample_weight: object = None,
    class_weight: Mapping[int, float] | None = None,
    *,
    contract: Contract,
    argument: str = "x",
) -> np.ndarray | dict[str, np.ndarray]:
    """As `checked_source`, of arrays only: images, or a dict if there is more."""
    if not isinstance(x, (Mapping, list)) and not hasattr(x, "__array__"):
        received = "None" if x is None else f"a {type(x).__name__}"
        raise TypeError(
            f"`{argument}` must be images (one array) or a dict of arrays; or, except in methods "
            "for one batch, a tf.data.Dataset, a generator or a keras.utils.PyDataset of batches. "
            f"Received: {received}"
        )
    places = {}
    if argument == "x":
        places = dict.fromkeys(("y", "partner", "labels"), "`y`") | {"weight": "`sample_weight`"}
    if class_weight is not None:
        sample_weight = _class_weights(x, y, sample_weight, class_weight)
        places["weight"] = "`class_weight`"
        y = y if "labels" in contract.uses else None
    if isinstance(x, Mapping):
        places = {}
    arrays = checked_arrays((x, y, sample_weight), contract, f"`{argument}`", places)
    return packed(arrays)


def _class_weights(x, y, sample_weight, class_weight):
    """Weight of each image, `(n,)`, by its class."""
    if y is None or sample_weight is not None or isinstance(x, Mapping):
        received = "sample_weight too" if sample_weight is not None else "no y"
        raise ValueError(
            "`class_weight` must come with images `x` (no dict), integer classes `y`, and without "
            f"`sample_weight`. Received: {received}"
        )
    classes = as_array(y, "`y`")
    if classes.ndim != 1 or not np.issubdtype(classes.dtype, np.integer):
        raise ValueError(
            "`y` must hold integer classes (n,) for `class_weight`. "
            f"Received: shape {classes.shape}, dtype {classes.dtype}"
        )
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "`class_weight` must be a dict from class to weight. "
            f"Received: a {type(class_weight).__name__}"
        )
    found, index = np.unique(classes, return_inverse=True)
    missing = [int(c) for c in found if int(c) not in class_weight]
    if missing:
        raise ValueError(
            "`class_weight` must have a weight for each class in `y`. "
            f"Received: none for {', '.join(map(str, missing[:10]))}"
        )
    weights = as_array([class_weight[int(c)] for c in found], "`class_weight`")
    return weights[index]


def batch_of(data: object, uses: frozenset[str]) -> Batch:
    """The batch that a step is given, from what Keras hands over; for graphs.

    Values were checked on their way (`checked_source`); here, structure and rank are.

    Args:
        data: Images, `(images, y, weight)` as in Keras (or less of it), or a dict of `FIELDS`;
            uint8 images are rescaled.
        uses: Names of `FIELDS` beside "images" that the objective consumes.

    Raises:
        ValueError: if there is something else.
    """
    fields = {name: tf.convert_to_tensor(v) for name, v in split_fields(data, "`data`").items()}
    fields = with_roles(fields, Contract((), uses), "`data`")
    for name in {"images", "partner"} & fields.keys():
        fields[name] = to_float(fields[name])
    for name in {"labels", "weight"} & fields.keys():
        fields[name] = tf.cast(fields[name], tf.float32)
    batch = Batch(**fields)
    if batch.labels is not None and batch.labels.shape.rank == 1:
        fields["labels"] = batch.labels[:, tf.newaxis]
    ranks = {"images": 4, "partner": 4, "labels": 2, "weight": 1}
    for name, value in fields.items():
        if value.shape.rank != ranks[name]:
            raise ValueError(
                f"`data`, {name} must have {ranks[name]} axes. Received: shape {value.shape}"
            )
    return Batch(**fields)
