"""Data sets with a check of every batch in their flow.

A check inside of a data set cannot raise a Python error. It is an assertion that reports the
numbers it found; `refusal` makes of them what the check of arrays would have said.
"""

import re

import numpy as np
import tensorflow as tf

from sparsevae.data.images import check_bytes, check_spec
from sparsevae.data.images import check_range as check_image_range
from sparsevae.models.fields import (
    Contract,
    batch_name,
    check_field_spec,
    check_lengths,
    check_range,
    packed,
    place_of,
    prefixed,
    split_fields,
    with_roles,
)

BITS_OF_ONE = int(np.float32(1).view(np.uint32))
ASSERTION = re.compile(r"\[sparsevae check (\w+) of (\w+) in (\w+)\] \[(\d+)\]((?: \[[^]]*\])+)")


def checked_dataset(
    dataset: tf.data.Dataset, contract: Contract, argument: str = "x"
) -> tf.data.Dataset:
    """The data set with a check of each batch when it is drawn: nothing is drawn to check it.

    Structure, shapes and dtypes are checked at once. What depends on values is checked in the
    flow: ranges of floats, lengths, and shapes that the element spec leaves open. A bad batch
    ends the flow by an error for `one_line_errors`.

    Args:
        dataset: Of batches: images, tuples as in Keras, or dicts, see `split_fields`.
        contract: What the model takes.
        argument: What the user calls the data set, for messages.

    Returns:
        Data set of the same length, of images or dicts of `FIELDS`.

    Raises:
        ValueError: if a shape, dtype or name is wrong.
        TypeError: if an element is not a dense tensor.
    """
    where = f"`{argument}`"
    if int(dataset.cardinality()) == 0:
        raise ValueError(f"{where} must have at least one batch. Received: an empty data set")
    check_dataset_spec(dataset.element_spec, contract, where)

    @tf.autograph.experimental.do_not_convert
    def check(number, *element):
        fields = split_fields(element[0] if len(element) == 1 else element, where)
        fields = with_roles(fields, contract, where)
        for name in ("images", "partner"):
            if name in fields:
                fields[name] = _of_shape(fields[name], number, contract, argument, name)
        _assert_lengths(fields, number, argument)
        for name, value in fields.items():
            _assert_range(name, value, number, argument)
        return number + 1, packed(fields)

    # `scan` rather than `map`: it numbers the batches, and is never made parallel, which would
    # draw batches ahead of the model.
    return dataset.scan(tf.zeros((), tf.int64), check)


def check_dataset_spec(element_spec: object, contract: Contract, where: str) -> None:
    """Refuses a data set by its element spec: structure, shapes and dtypes.

    Raises:
        ValueError: if a shape, dtype or name is wrong.
        TypeError: if an element is not a dense tensor.
    """
    specs = split_fields(element_spec, where)
    for field, spec in specs.items():
        if not isinstance(spec, tf.TensorSpec):
            raise TypeError(
                f"{place_of(field, where)} must be one dense tensor. "
                f"Received: a {type(spec).__name__}"
            )
    pair = specs.keys() == {"images", "y"}
    hint = f"Drop it by `dataset.map{'(lambda x, y: x)' if pair else ''}`"
    _check_spec("images", specs["images"], contract, where)
    specs = with_roles(specs, contract, where, hint)
    for field in specs.keys() - {"images"}:
        _check_spec(field, specs[field], contract, where)
    lengths = {field: spec.shape[0] for field, spec in specs.items() if spec.shape.rank}
    lengths = {field: n for field, n in lengths.items() if n is not None}
    if "images" in lengths:
        with prefixed(where):
            check_lengths(lengths)


def _check_spec(field, spec, contract, where):
    rank = spec.shape.rank
    with prefixed(place_of(field, where)):
        if rank is None and field in ("images", "partner"):  # its shape is seen in the flow
            check_spec((None, *contract.image_shape), spec.dtype, contract.image_shape)
            return
        if rank is None:
            raise ValueError(f"{field} must be of a known rank, see `tf.ensure_shape`")
        if rank == len(contract.image_shape) and field in ("images", "partner"):
            raise ValueError(
                f"Images must come in batches, shape (n, {_listed(contract.image_shape)}): use "
                f"`dataset.batch`. Received: single images, shape {tuple(spec.shape)}"
            )
        check_field_spec(field, tuple(spec.shape), spec.dtype, contract.image_shape)


def _listed(image_shape):
    return ", ".join("any" if n is None else str(n) for n in image_shape)


def _of_shape(images, number, contract, argument, field):
    """The images with the model's shape: looked at in the flow where the spec leaves it open."""
    expected = contract.image_shape
    if images.shape.rank is not None and None not in images.shape[1:]:
        return images
    rank = len(expected) + 1
    # Padded, so that images of too few axes compare as well.
    shape = tf.concat([tf.shape(images), tf.fill([rank], -1)], axis=0)[1:rank]
    wanted = tf.constant([-2 if n is None else n for n in expected])
    fits = tf.reduce_all(tf.equal(shape, wanted) | tf.equal(wanted, -2))
    fits &= tf.equal(tf.rank(images), rank)
    check = _assert(fits, "shape", field, argument, number, tf.shape(images))
    with tf.control_dependencies([check]):  # before anything reads them
        images = tf.identity(images)
    images.set_shape((None, *expected))
    return images


def _assert_lengths(fields, number, argument):
    n_images = tf.shape(fields["images"])[0]
    for field, value in fields.items():
        n = tf.shape(value)[0]
        fits = tf.equal(n, n_images) & (n_images > 0)
        _assert(fits, "length", field, argument, number, n_images, n)


def _assert_range(field, value, number, argument):
    if value.dtype == tf.uint8 and field in ("images", "partner"):
        _assert(tf.reduce_max(value) != 1, "bytes", field, argument, number, 1)
        return
    if not value.dtype.is_floating and (field != "weight" or value.dtype == tf.bool):
        return  # all values of these dtypes are good
    if value.dtype == tf.float32 and field in ("images", "partner"):
        # One pass over a batch of good images: floats of [0, 1] are ordered like their bits, and
        # the bits of all others but -0, as an unsigned number, are above those of 1.
        in_range = tf.reduce_max(tf.bitcast(value, tf.uint32)) <= BITS_OF_ONE
        tf.cond(in_range, lambda: None, lambda: _assert_values(field, value, number, argument))
    else:
        _assert_values(field, value, number, argument)


def _assert_values(field, value, number, argument):
    low, high = (tf.cast(f(value), tf.float64) for f in (tf.reduce_min, tf.reduce_max))
    finite = tf.math.is_finite(low) & tf.math.is_finite(high)
    fits = {
        "labels": finite,
        "weight": finite & (low >= 0),
    }.get(field, (low >= 0) & (high <= 1))  # written so that NaN fails too
    found = (tf.strings.as_string(value, precision=17, scientific=True) for value in (low, high))
    _assert(fits, "range", field, argument, number, *found)


def _assert(fits, check, field, argument, number, *values):
    text = f"sparsevae check {check} of {field} in {argument}"
    return tf.debugging.Assert(fits, [text, number, *values], summarize=16)


def refuse_assertion(text: str, image_shape: tuple[int | None, ...]) -> None:
    """Raises what the check of arrays says of the numbers in an assertion of `checked_dataset`.

    Args:
        text: Of an error of TensorFlow; nothing happens if it tells of no such assertion.
        image_shape: `(height, width, channels)` expected.

    Raises:
        ValueError: one line.
    """
    found = ASSERTION.search(text)
    if found is None:
        return
    check, field, argument, number, values = found.groups()
    values = [float(value) for value in re.findall(r"[^\s\[\]]+", values)]
    with prefixed(place_of(field, batch_name(int(number), argument))):
        if check == "bytes":
            check_bytes([np.ones(1, np.uint8)])
        elif check == "range":
            of_images = field in ("images", "partner")
            check_image_range(*values) if of_images else check_range(field, *values)
        elif check == "length":
            n_images, n = map(int, values)
            check_lengths({"images": n_images, field: n})
        else:
            check_spec(tuple(map(int, values)), np.uint8, image_shape)
