"""Generators and PyDatasets with a check of every batch when it is drawn.

An error in a generator is raised inside of TensorFlow, which wraps it, as it does with the
assertions of `datasets`: `one_line_errors` finds ours in what arrives and raises it anew.
"""

import contextlib
import re
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from sparsevae.models.datasets import refuse_assertion
from sparsevae.models.fields import Contract, batch_name, checked_arrays, packed

REFUSAL = re.compile(r"(ValueError|TypeError): (Batch \d+ of `\w+` \(counted from 0\)[^\n]*)")
OF_OBJECTIVE = re.compile(r"\[(An objective [^\]]* Received:)\] \[([^\]]*)\]")


@contextlib.contextmanager
def one_line_errors(image_shape: tuple[int | None, ...]) -> Iterator[None]:
    """Turns refusals of a batch that arrive as errors of TensorFlow into one-line errors.

    Other errors of TensorFlow, and errors of the user's own generator, pass through.

    Args:
        image_shape: `(height, width, channels)` expected, for messages.

    Raises:
        ValueError, TypeError: as `checked_arrays` would have raised of the batch.
    """
    try:
        yield
    except tf.errors.OpError as error:
        refuse_assertion(str(error), image_shape)
        if found := REFUSAL.search(str(error)):
            kind = TypeError if found[1] == "TypeError" else ValueError
            raise kind(found[2]) from None
        if said := OF_OBJECTIVE.search(str(error)):
            raise ValueError(f"{said[1]} {said[2]}") from None
        raise


class BatchCheck:
    """Checks batches in Python as they are drawn; all must be alike.

    Keras takes the signature of all batches from the first two and casts later ones to it: a
    batch of floats after one of bytes would turn black without a word.
    """

    def __init__(self, contract: Contract, argument: str):
        self.contract = contract
        self.argument = argument
        self._layout = None

    def __call__(self, element: object, number: int) -> object:
        """The batch as images or a dict of `FIELDS`: uint8 or float32 arrays.

        Raises:
            ValueError: if the batch is bad, or unlike the first.
            TypeError: if it holds something that is not an array.
        """
        where = batch_name(number, self.argument)
        arrays = {
            field: array if array.dtype == np.uint8 and field != "labels" else _float32(array)
            for field, array in checked_arrays(element, self.contract, where).items()
        }
        layout = {field: f"{a.dtype} {a.shape[1:]}" for field, a in sorted(arrays.items())}
        self._layout = self._layout or layout
        if layout != self._layout:
            raise ValueError(
                f"{where} must be like those before, {_described(self._layout)}. "
                f"Received: {_described(layout)}"
            )
        return packed(arrays)


def _float32(array):
    return np.asarray(array, np.float32)


def _described(layout):
    return " and ".join(f"{field} of {kind}" for field, kind in layout.items())


def checked_batches(batches: Iterator, contract: Contract, argument: str = "x") -> Iterator:
    """Generator of the same batches, as Keras wants them: tuples of one entry; each checked.

    Args:
        batches: Iterator of batches: images, tuples as in Keras, or dicts.
        contract: What the model takes.
        argument: What the user calls the iterator, for messages.

    Yields:
        `(images,)` or `(dict of FIELDS,)`, arrays.

    Raises:
        ValueError, TypeError: when a bad batch is drawn.
    """
    check = BatchCheck(contract, argument)
    for number, element in enumerate(batches):
        yield (check(element, number),)


class CheckedPyDataset(keras.utils.PyDataset):
    """A PyDataset whose batches are checked when they are drawn.

    Args:
        batches: The PyDataset.
        contract: What the model takes.
        argument: What the user calls it, for messages.

    Raises:
        TypeError: if `batches` does not say how many batches it has.
        ValueError: if it has none.
    """

    def __init__(self, batches: keras.utils.PyDataset, contract: Contract, argument: str = "x"):
        super().__init__(
            workers=batches.workers,
            use_multiprocessing=batches.use_multiprocessing,
            max_queue_size=batches.max_queue_size,
        )
        self._batches = batches
        self._check = BatchCheck(contract, argument)
        try:
            n = self.num_batches
        except NotImplementedError:
            raise TypeError(
                f"`{argument}` must have `__len__` or `num_batches` (None if endless). Received: a "
                f"{type(batches).__name__} with neither"
            ) from None
        if n == 0:
            raise ValueError(f"`{argument}` must have at least one batch. Received: 0 batches")

    @property
    def num_batches(self) -> int | None:
        """Number of batches; None if endless."""
        return self._batches.num_batches

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        return (self._check(self._batches[index], index),)

    def on_epoch_begin(self):
        self._batches.on_epoch_begin()

    def on_epoch_end(self):
        self._batches.on_epoch_end()
