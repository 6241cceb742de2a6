"""The picture of a set: which images are shown, and what stands beside them."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sparsevae.checks import check_integer
from sparsevae.plots.mosaic import grid

_N_ROWS = 4  # of a set without factors


def plot_grid(data: Any, n_columns: int = 10, seed: int = 0) -> Figure:
    """A picture of what a set of images holds.

    With factors: one row a factor, which goes from its first value to its last while the others
    stay as in one random image (as near as the set has images, if not all combinations are
    there). Without: four rows of random images.

    Args:
        data: A set as `sparsevae.data.load` gives it.
        n_columns: Pictures a row at most, at least 2.
        seed: Of the random images, at least 0.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if a number is too small.
    """
    n_columns = check_integer("n_columns", n_columns, minimum=2)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    if not hasattr(data, "factors"):
        numbers = rng.choice(len(data), min(len(data), _N_ROWS * n_columns), replace=False)
        rows = np.split(numbers, range(n_columns, len(numbers), n_columns))
        return grid([data.images(row) for row in rows])
    (reference,) = data.sample_factors(1, rng)
    names, values = data.factor_names, data.factor_space.values
    labels = [_label(name, numbers) for name, numbers in zip(names, values, strict=True)]
    return grid([data.images(row) for row in sweeps(data, reference, n_columns)], labels=labels)


def sweeps(data: Any, reference: np.ndarray, n_columns: int) -> list[np.ndarray]:
    """Numbers of images in which one factor moves and the others rest.

    Args:
        data: The set, with factors.
        reference: Factors `(n_factors,)` of the image that the others stay at.
        n_columns: Values of a factor at most, of those that images have; of more, evenly spaced
            ones with both ends.

    Returns:
        For each factor an int64 array of at most `n_columns`. Where no image has exactly these
        factors it is the nearest of those with the right value: other factors, each scaled to
        [0, 1], differ least in sum.
    """
    rows = []
    labels = None if hasattr(data, "index") else data.factors(np.arange(len(data)))
    for k, size in enumerate(data.factor_sizes):
        values = np.arange(size) if labels is None else np.unique(labels[:, k])
        shown = np.linspace(0, len(values) - 1, min(len(values), n_columns)).round().astype(int)
        wanted = np.tile(reference, (len(shown), 1))
        wanted[:, k] = values[shown]
        if labels is None:
            rows.append(data.index(wanted))
        else:
            spans = np.maximum(data.factor_sizes, 2) - 1
            rows.append(np.array([_nearest(labels, spans, factors, k) for factors in wanted]))
    return rows


def _nearest(labels: np.ndarray, spans: np.ndarray, factors: np.ndarray, k: int) -> int:
    right = np.flatnonzero(labels[:, k] == factors[k])
    return int(right[(np.abs(labels[right] - factors) / spans).sum(axis=1).argmin()])


def _label(name: str, values: tuple[float, ...]) -> str:
    first, last = (f"{value:.3g}" for value in (values[0], values[-1]))
    return f"{name}  {first}" if len(values) == 1 else f"{name}  {first} … {last}"
