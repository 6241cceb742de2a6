"""How much the masks of different rounds and seeds have in common."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

_COLUMNS = ("seed", "round", "other_seed", "other_round", "layer", "jaccard", "chance")


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Gates open in both masks over gates open in either, in [0, 1].

    Args:
        first, second: Booleans of the same shape.

    Raises:
        ValueError: if the shapes differ, or no gate is open in either.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or not (first | second).any():
        raise ValueError(
            "`first` and `second` must be masks of one shape with an open gate. "
            f"Received: shapes {first.shape} and {second.shape}"
        )
    return float((first & second).sum() / (first | second).sum())


def mask_overlap(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Overlap of the masks of two models of the same layers, layer by layer.

    Args:
        first, second: Booleans by layer, of the same names and shapes.

    Returns:
        A row for "all" and one for each layer: `layer`, `jaccard`, and `chance`, what independent
        masks of these densities have (the ratio of expected counts).

    Raises:
        ValueError: if names or shapes differ, or no gate of a layer is open in either.
    """
    if list(first) != list(second):
        raise ValueError(
            "`first` and `second` must be masks of the same layers. "
            f"Received: {list(first)} and {list(second)}"
        )
    return pd.DataFrame(_rows(first, second), columns=["layer", "jaccard", "chance"])


def overlaps(folder: str | Path) -> pd.DataFrame:
    """Overlap of all tickets of a search: rounds of one seed, and seeds at one round.

    Hidden units of different seeds do not correspond, so there more than chance is to be expected
    only where inputs and outputs differ in worth.

    Args:
        folder: As of `find`.

    Returns:
        A row for each pair and layer: `seed`, `round`, `other_seed`, `other_round`, `layer`
        ("layer_0", "layer_1", ... or "all"), `jaccard`, and `chance`, what independent masks of
        these densities have (the ratio of expected counts).

    Raises:
        FileNotFoundError: if there are no tickets.
    """
    paths = sorted(Path(folder).glob("seed_*/round_*/ticket/masks.npz"))
    if not paths:
        raise FileNotFoundError(f"`folder` must hold tickets of `find`. Received: {folder}")
    tickets = {_place(path): _read(path) for path in paths}
    rows = []
    for (one, masks), (other, others) in itertools.combinations(tickets.items(), 2):
        if (one[0] == other[0]) != (one[1] == other[1]):  # the same seed, or the same round
            rows += [(*one, *other, *row) for row in _rows(masks, others)]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _place(path):
    *_, seed, n_round, _, _ = path.parts
    return int(seed.removeprefix("seed_")), int(n_round.removeprefix("round_"))


def _read(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _rows(masks: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]):
    """(layer, jaccard, chance) of two tickets."""
    flat = [np.concatenate([mask.reshape(-1) for mask in m.values()]) for m in (masks, others)]
    counts = {name: (masks[name].sum(), others[name].sum(), masks[name].size) for name in masks}
    yield "all", jaccard(*flat), _chance(counts.values())
    for name in masks:
        yield name, jaccard(masks[name], others[name]), _chance([counts[name]])


def _chance(counts):
    both = sum(n * m / size for n, m, size in counts)
    return both / (sum(n + m for n, m, _ in counts) - both)
