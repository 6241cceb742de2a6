"""The picture of a set: which images are shown, and what stands beside them."""

import numpy as np
from matplotlib.figure import Figure

from sparsevae import plots
from sparsevae.data.checks import check_integer
from sparsevae.data.ground_truth import FactorData, GroundTruthData
from sparsevae.data.image_data import ImageData

_N_ROWS = 4  # of a set without factors


def sample_grid(data: ImageData, n_columns: int, seed: int) -> Figure:
    """See `ImageData.plot_grid`."""
    n_columns = check_integer("n_columns", n_columns, minimum=2)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    if not isinstance(data, FactorData):
        numbers = rng.choice(len(data), min(len(data), _N_ROWS * n_columns), replace=False)
        rows = np.split(numbers, range(n_columns, len(numbers), n_columns))
        return plots.grid([data.images(row) for row in rows])
    (reference,) = data.sample_factors(1, rng)
    names, values = data.factor_names, data.factor_space.values
    labels = [_label(name, numbers) for name, numbers in zip(names, values, strict=True)]
    return plots.grid(
        [data.images(row) for row in sweeps(data, reference, n_columns)], labels=labels
    )


def sweeps(data: FactorData, reference: np.ndarray, n_columns: int) -> list[np.ndarray]:
    """Numbers of images in which one factor moves and the others rest.

    Args:
        data: The set.
        reference: Factors `(n_factors,)` of the image that the others stay at.
        n_columns: Values of a factor at most, of those that images have; of more, evenly spaced
            ones with both ends.

    Returns:
        For each factor an int64 array of at most `n_columns`. Where no image has exactly these
        factors it is the nearest of those with the right value: other factors, each scaled to
        [0, 1], differ least in sum.
    """
    rows = []
    labels = None if isinstance(data, GroundTruthData) else data.factors(np.arange(len(data)))
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
