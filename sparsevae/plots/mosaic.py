"""Images side by side: reconstructions, traversals, samples; each a mosaic on one pair of axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sparsevae.plots.style import FAINT, INK
from sparsevae.plots.tiles import check_length, tile_figure, unit_images

_INACTIVE_KL = 0.01  # nats


def reconstructions(
    images: np.ndarray, reconstructions: np.ndarray, *, max_columns: int = 12
) -> Figure:
    """Images in a row, each above its reconstruction; long rows wrap.

    Args:
        images: Array `(n, height, width, channels)`, uint8 0 to 255 or float in [0, 1]; 1 or 3
            channels.
        reconstructions: The same shape, uint8 or float by itself.
        max_columns: Pictures in a row, at least 1.

    Returns:
        Figure with one axes.

    Raises:
        TypeError: if an array is neither uint8 nor float.
        ValueError: if a shape or a value is out of bounds, or the shapes differ.
    """
    images = unit_images("images", images, ndim=4)
    reconstructions = unit_images("reconstructions", reconstructions, ndim=4)
    if images.shape != reconstructions.shape:
        raise ValueError(
            "`reconstructions` must have the shape of `images`. "
            f"Received: {reconstructions.shape} for {images.shape}"
        )
    if not max_columns >= 1:
        raise ValueError(f"`max_columns` must be at least 1. Received: max_columns={max_columns!r}")
    n_columns = min(len(images), max_columns)
    n_pairs = -(-len(images) // n_columns)
    blank = np.ones((n_pairs * n_columns - len(images), *images.shape[1:]))
    pairs = [
        np.concatenate([a, blank]).reshape(n_pairs, n_columns, *images.shape[1:])
        for a in (images, reconstructions)
    ]
    rows = np.stack(pairs, axis=1).reshape(2 * n_pairs, n_columns, *images.shape[1:])
    return tile_figure(rows, ["image", "reconstruction"] * n_pairs, group=2)[0]


def traversals(
    traversals: np.ndarray,
    values: np.ndarray,
    kl_per_latent: np.ndarray | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """One row per latent: what the decoder shows while that latent moves and the others rest.

    Rows stand in order of falling KL when it is given, as latents otherwise; rows of latents with
    a KL below 0.01 nats are labelled in grey.

    Args:
        traversals: Array `(latent_dim, n_steps, height, width, channels)`, uint8 0 to 255 or float
            in [0, 1]; 1 or 3 channels.
        values: Float array `(n_steps,)`, what the latent is set to in each column.
        kl_per_latent: Float array `(latent_dim,)` in nats, 0 or above.
        names: Names of the latents, `latent_dim` of them; z0, z1, ... by default.

    Returns:
        Figure with one axes.

    Raises:
        TypeError: if `traversals` is neither uint8 nor float.
        ValueError: if a shape or a value is out of bounds.
    """
    traversals = unit_images("traversals", traversals, ndim=5)
    latent_dim, n_steps = traversals.shape[:2]
    names = [f"z{i}" for i in range(latent_dim)] if names is None else list(names)
    values = np.asarray(values, dtype=np.float64)
    check_length("values", values, n_steps)
    if not np.isfinite(values).all():
        raise ValueError(f"`values` must be finite. Received: {values.tolist()}")
    check_length("names", np.array(names), latent_dim)
    order, labels, active = np.arange(latent_dim), names, np.ones(latent_dim, dtype=bool)
    if kl_per_latent is not None:
        kl = _check_kl(kl_per_latent, latent_dim)
        order, active = np.argsort(-kl, kind="stable"), kl >= _INACTIVE_KL
        labels = [
            f"{name}  KL {k:.{1 if k >= 0.1 else 2}f}" for name, k in zip(names, kl, strict=True)
        ]
    figure, axes, centers = tile_figure(traversals[order], [labels[i] for i in order], group=1)
    for label, i in zip(axes.get_yticklabels(), order, strict=True):
        label.set_color(INK if active[i] else FAINT)
    texts = [f"{value:+.1f}".replace("-", "\N{MINUS SIGN}") if value else "0" for value in values]
    axes.set_xticks(centers, texts, color=INK)
    axes.set_xlabel("value of the latent", color=INK)
    return figure


def grid(rows: Sequence[np.ndarray], labels: Sequence[str] | None = None) -> Figure:
    """Images in rows, each with a label; rows shorter than the longest end in blank places.

    Args:
        rows: Arrays `(n, height, width, channels)` of any n, uint8 0 to 255 or float in [0, 1]; 1
            or 3 channels; one height and width.
        labels: A label a row; by default none.

    Returns:
        Figure with one axes.

    Raises:
        TypeError: if an array is neither uint8 nor float.
        ValueError: if there is no row, or a shape or a value is out of bounds.
    """
    rows = [unit_images(f"rows[{k}]", row, ndim=4) for k, row in enumerate(rows)]
    shapes = {row.shape[1:] for row in rows}
    if len(shapes) != 1:
        raise ValueError(f"`rows` must hold images of one size. Received: {sorted(shapes)}")
    labels = [""] * len(rows) if labels is None else list(labels)
    check_length("labels", np.array(labels), len(rows))
    pictures = np.ones((len(rows), max(map(len, rows)), *rows[0].shape[1:]))
    for places, row in zip(pictures, rows, strict=True):
        places[: len(row)] = row
    return tile_figure(pictures, labels, group=1)[0]


def _check_kl(kl_per_latent: np.ndarray, latent_dim: int) -> np.ndarray:
    kl = np.asarray(kl_per_latent, dtype=np.float64)
    check_length("kl_per_latent", kl, latent_dim)
    if not (kl > -1e-3).all():  # float32 sums may end a little below 0; NaN fails too
        raise ValueError(f"`kl_per_latent` must be 0 or above. Received: {kl.tolist()}")
    return np.maximum(kl, 0.0)
