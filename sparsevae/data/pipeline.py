"""Streams of batches for training: the only file of this folder that loads TensorFlow."""

import atexit
import functools
import time
from typing import Protocol

import numpy as np
import tensorflow as tf

from sparsevae.checks import check_integer

PREFETCH = 4  # batches: 4 MB of 64 x 64 x 1 float32 at batch 64

_CLOSED = -(2**40)
_PATIENCE = 10.0  # seconds that the end of the program waits for a batch being drawn


class Draws(Protocol):
    """Whatever draws image numbers for training, such as a `FactorDistribution`."""

    def __len__(self) -> int:
        """Number of images of the set that it draws from."""

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Image numbers, int64 `(n,)`."""


class FieldDraws(Protocol):
    """Whatever draws more than images, such as pairs."""

    def __len__(self) -> int:
        """Number of images of the set that it draws from."""

    def draw_fields(self, n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Fields of a batch by name: image numbers, int64 `(n,)`, or float32 `(n, ...)`."""


class Images(Draws, Protocol):
    """What a stream is drawn from: an `ImageData`."""

    image_shape: tuple[int, int, int]

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Images by number, uint8 `(n, height, width, channels)`."""


def random_batches(
    data: Images,
    *,
    batch_size: int,
    seed: int,
    start: int,
    distribution: Draws | FieldDraws | None,
) -> tf.data.Dataset:
    """Endless float32 batches in [0, 1]: see `ImageData.as_tf_dataset`."""
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    seed = check_integer("seed", seed, minimum=0)
    start = check_integer("start", start, minimum=0)
    draws = data if distribution is None else distribution
    if len(draws) != len(data):
        raise ValueError(
            f"`distribution` must be of this set of {len(data)} images. "
            f"Received: one of {len(draws)} images"
        )
    fields = _fields(data, draws, batch_size)
    n_inside = _python_calls()

    def draw(step):
        # One stream of random numbers a step, as `SeedSequence.spawn` makes them.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(step),)))
        try:
            return _drawn(data, draws, batch_size, rng)
        except Exception:
            n_inside.assign_sub(1)  # the count below is not reached
            raise

    def batch(step):
        made = tf.cond(
            n_inside.assign_add(1) > 0,
            lambda: tf.numpy_function(draw, [step], [dtype for _, dtype in fields.values()]),
            # the program ends: nobody will see this batch
            lambda: [tf.zeros(shape, dtype) for shape, dtype in fields.values()],
        )
        with tf.control_dependencies(made):
            n_inside.assign_sub(1)
        for tensor, (shape, _) in zip(made, fields.values(), strict=True):
            tensor.set_shape(shape)
        named = dict(zip(fields, map(_to_float, made), strict=True))
        return named if hasattr(draws, "draw_fields") else named["images"]

    options = tf.data.Options()
    # The autotuner can sleep for seconds when a data set is iterated anew.
    options.autotune.enabled = False
    return tf.data.Dataset.counter(start).map(batch).prefetch(PREFETCH).with_options(options)


def _drawn(data, draws, n, rng):
    """Arrays of one batch; images as bytes."""
    if not hasattr(draws, "draw_fields"):
        return [data.images(draws.draw(n, rng))]
    found = draws.draw_fields(n, rng).values()
    return [data.images(x) if x.dtype.kind in "iu" else x for x in found]


def _fields(data, draws, n):
    """Shape and dtype of each field of a batch."""
    if not hasattr(draws, "draw_fields"):
        return {"images": ((n, *data.image_shape), tf.uint8)}
    found = draws.draw_fields(n, np.random.default_rng(0))
    return {
        name: ((n, *data.image_shape), tf.uint8) if x.dtype.kind in "iu" else (x.shape, tf.float32)
        for name, x in found.items()
    }


def _to_float(tensor):
    return tf.cast(tensor, tf.float32) / 255 if tensor.dtype == tf.uint8 else tensor


@functools.cache
def _python_calls() -> tf.Variable:
    """Number of prefetching threads that are in Python or about to enter it; negative once closed.

    A thread of TensorFlow that calls Python while the interpreter shuts down is lost, and the
    program then waits for its batch forever (seen in a third of the runs that end soon after a
    batch of 4,096). So the end of the program first closes the way into Python, then waits until
    no thread is inside. TensorFlow counts, as threads on their way have not yet reached Python.
    """
    with tf.init_scope(), tf.device("CPU:0"):
        n_inside = tf.Variable(0, trainable=False, dtype=tf.int64)

    def close():
        n_inside.assign_add(_CLOSED)
        end = time.monotonic() + _PATIENCE
        while n_inside.numpy() != _CLOSED and time.monotonic() < end:
            time.sleep(0.001)

    atexit.register(close)
    return n_inside
