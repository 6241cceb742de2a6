"""Random numbers that are a function of integers, with no state to keep."""

from typing import Any

import keras
from keras import ops


class _SeedOfDraw(keras.random.SeedGenerator):
    def __init__(self, seed, number):
        self._pair = ops.stack([ops.cast(seed % 2**32, "uint32"), ops.cast(number, "uint32")])

    def next(self, ordered=True):
        return self._pair


def seed_of_draw(seed: int, number: Any) -> keras.random.SeedGenerator:
    """What Keras's random functions take as the seed of draw `number`, an integer scalar."""
    return _SeedOfDraw(seed, number)
