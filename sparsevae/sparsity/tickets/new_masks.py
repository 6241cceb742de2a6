"""Which links a ticket and its controls have."""

import math

import numpy as np

from sparsevae.sparsity.selection import largest_of_array

Masks = dict[str, np.ndarray]


def kept_counts(masks: Masks, rate: float, n_rounds: int) -> list[int]:
    """How many gates of each layer are left after `n_rounds` rounds, at least one.

    A round closes the share `rate` of those that are left, of the last layer half that share.
    """
    rates = [rate] * (len(masks) - 1) + [rate / 2]
    wanted = [m.size * (1 - r) ** n_rounds for m, r in zip(masks.values(), rates, strict=True)]
    return [max(1, math.floor(n + 0.5)) for n in wanted]


def pruned(masks: Masks, sizes: Masks, counts: list[int]) -> Masks:
    """Of the open gates those of the largest weights: so many in each layer.

    Args:
        masks: Booleans by layer.
        sizes: Of the weights behind each gate, shaped alike.
        counts: Of each layer, no more than are open.
    """
    rows = zip(masks.items(), sizes.values(), counts, strict=True)
    return {name: largest_of_array(np.where(mask, size, -1.0), n) for (name, mask), size, n in rows}


def shuffled(masks: Masks, rng: np.random.Generator) -> Masks:
    """As many gates in each layer, anywhere."""
    return {
        name: rng.permuted(mask.reshape(-1)).reshape(mask.shape) for name, mask in masks.items()
    }


def random(masks: Masks, rng: np.random.Generator) -> Masks:
    """As many gates in all, any of the model."""
    flat = rng.permutation(np.concatenate([mask.reshape(-1) for mask in masks.values()]))
    parts = np.split(flat, np.cumsum([mask.size for mask in masks.values()])[:-1])
    return {n: part.reshape(m.shape) for (n, m), part in zip(masks.items(), parts, strict=True)}


def density(masks: Masks) -> float:
    """Share of gates that are open, in (0, 1]."""
    return sum(mask.sum() for mask in masks.values()) / sum(mask.size for mask in masks.values())
