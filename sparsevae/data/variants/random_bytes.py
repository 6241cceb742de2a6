"""Random bytes that belong to an image: a function of seed and number, drawn for many at once."""

import numpy as np

# SplitMix64 (Steele, Lea and Flood 2014): a counter in steps of the first number, then two rounds
# of shifts and products. Its output for any counter needs no state, unlike a generator's.
_STEP = np.array(0x9E3779B97F4A7C15, np.uint64)
_ROUNDS = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


def random_bytes(seed: int, indices: np.ndarray, n_bytes: int) -> np.ndarray:
    """Uniform random bytes for each number, the same ones whatever the other numbers.

    Args:
        seed: Integer, at least 0.
        indices: Integer array `(n,)`, at least 0.
        n_bytes: Bytes for each number; asking for fewer gives the first of more.

    Returns:
        uint8 array `(n, n_bytes)`.
    """
    (key,) = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    starts = _mixed(_mixed(np.full(1, key)) + _STEP * indices.astype(np.uint64))
    counters = _STEP * np.arange(1, n_bytes // 8 + 2, dtype=np.uint64)
    words = _mixed(starts[:, None] + counters)
    return words.astype("<u8", copy=False).view(np.uint8)[:, :n_bytes]


def _mixed(words: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64, in place: a bijection in which every bit changes half of all."""
    for shift, factor in _ROUNDS:
        words ^= words >> np.uint64(shift)
        words *= factor
    words ^= words >> np.uint64(31)
    return words
