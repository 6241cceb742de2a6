"""Images on one canvas, with gaps between them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sparsevae.plots.style import INK

_INCHES = 0.72  # side of one picture
_AXES = {4: "n", 5: "latent_dim, n_steps", 6: "n_images, latent_dim, n_steps"}


def unit_images(name: str, images: np.ndarray, ndim: int) -> np.ndarray:
    """Images as float64 in [0, 1] with 3 channels, or an error that names the argument."""
    images = np.asarray(images)
    if images.ndim != ndim or 0 in images.shape or images.shape[-1] not in (1, 3):
        axes = _AXES[ndim]
        raise ValueError(
            f"`{name}` must be a non-empty array ({axes}, height, width, channels) with 1 or 3 "
            f"channels. Received: shape {images.shape}"
        )
    if images.dtype == np.uint8:
        images = images / 255
    elif images.dtype.kind != "f":
        raise TypeError(f"`{name}` must be uint8 or float. Received: dtype={images.dtype}")
    if not (images.min() >= 0 and images.max() <= 1):  # written so that NaN fails too
        raise ValueError(
            f"`{name}` must lie in [0, 1] as floats. Received: {images.min()} to {images.max()}"
        )
    return np.broadcast_to(images, (*images.shape[:-1], 3)).astype(np.float64)


def check_length(name: str, values: np.ndarray, length: int) -> None:
    """Refuses values that are not `(length,)`, naming the argument."""
    if values.shape != (length,):
        raise ValueError(f"`{name}` must have shape ({length},). Received: shape {values.shape}")


def tile_figure(
    rows: np.ndarray, labels: Sequence[str], group: int
) -> tuple[Figure, Axes, np.ndarray]:
    """Figure of pictures `(n_rows, n_columns, height, width, 3)`, and where columns have centers.

    Rows carry `labels` and stand in groups of `group`, with wider gaps between groups.
    """
    height, width = rows.shape[2:4]
    canvas, tops, lefts = tiled(rows, group)
    scale = _INCHES / max(height, width)
    left = 0.3 + 0.08 * max(len(label) for label in labels)  # inches of text at 9 points
    below = 0.15 if group > 1 else 0.6
    size = (canvas.shape[1] * scale + left, canvas.shape[0] * scale + below)
    figure = Figure(figsize=size, dpi=150, layout="compressed")
    axes = figure.add_subplot()
    axes.imshow(canvas)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=9)
    axes.set_yticks(tops + (height - 1) / 2, labels, color=INK)
    axes.set_xticks([])
    return figure, axes, lefts + (width - 1) / 2


def tiled(rows: np.ndarray, group: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures `(n_rows, n_columns, height, width, 3)` on a white canvas.

    Returns:
        The canvas, and the first pixels of rows and of columns.
    """
    n_rows, n_columns, height, width, _ = rows.shape
    gap = max(1, round(0.04 * max(height, width)))
    between_groups = 0 if group == 1 else 3 * gap
    row = np.arange(n_rows)
    tops = row * (height + gap) + row // group * between_groups
    lefts = np.arange(n_columns) * (width + gap)
    canvas = np.ones((tops[-1] + height, lefts[-1] + width, 3))
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            canvas[top : top + height, left : left + width] = rows[i, j]
    return canvas, tops, lefts
