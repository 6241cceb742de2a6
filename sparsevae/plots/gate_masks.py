"""Masks of gated layers as heat maps."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from sparsevae.plots.style import INK

_BLOCKS = 128  # along the longer side of a panel: two pixels or more each
_MAX_ASPECT = 3.0
MASK_TICKS = (0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1)
MASK_COLORS = LinearSegmentedColormap.from_list("mask", ["white", "#9ecae1", "#2171b5", "#08306b"])


def masks(masks: Mapping[str, np.ndarray], *, n_columns: int = 5) -> Figure:
    """One heat map per layer: inputs down, outputs across, in their own order.

    White is closed, dark is open. Panels are squeezed to at most 3 to 1. Masks that do not fit
    are averaged over blocks, so a pixel then shows the share of open links; the color scale
    follows the cube root, which keeps a single open link among many visible.

    Args:
        masks: Layer name to mask `(in, out)`, float or boolean, values in [0, 1].
        n_columns: Panels in a row, at least 1.

    Returns:
        Figure with one axes per mask and one for the color bar, which runs from 0 to 1. Titles
        name the layer, its shape, and its density: the share of entries that are not 0.

    Raises:
        ValueError: if there is no mask, or a mask is empty, not two-dimensional or out of [0, 1].
    """
    if not masks:
        raise ValueError("`masks` must hold at least one mask. Received: an empty dict")
    if not n_columns >= 1:
        raise ValueError(f"`n_columns` must be at least 1. Received: n_columns={n_columns!r}")
    checked = {name: check_mask(f"masks[{name!r}]", mask) for name, mask in masks.items()}
    n_columns = min(n_columns, len(checked))
    n_rows = math.ceil(len(checked) / n_columns)
    figure = Figure(figsize=(2.2 * n_columns + 1.2, 2.6 * n_rows), dpi=150, layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    panels = [
        _heat_map(axes, name, mask)
        for axes, (name, mask) in zip(grid.flat, checked.items(), strict=False)
    ]
    for axes in grid.flat[len(checked) :]:
        axes.remove()
    ticks = MASK_TICKS
    bar = figure.colorbar(
        panels[0], ax=figure.axes, ticks=ticks, panchor=False, shrink=0.8, aspect=35
    )
    bar.ax.set_yticklabels([f"{tick:g}" for tick in ticks])
    bar.set_label("mask: 0 closed, 1 open", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_linewidth(0.5)
    return figure


def block_average(mask: np.ndarray, n_down: int, n_across: int) -> np.ndarray:
    """Means of `mask` over equal blocks, so that it fits `(n_down, n_across)`.

    Args:
        mask: Float array `(in, out)`.
        n_down: Longest first axis allowed, at least 1.
        n_across: Longest second axis allowed, at least 1.

    Returns:
        Float array, at most `(n_down, n_across)`. The last blocks average what is left over; an
        axis that already fits is unchanged.
    """
    for axis, most in enumerate((n_down, n_across)):
        length = mask.shape[axis]
        starts = np.arange(0, length, math.ceil(length / most))
        sizes = np.diff(starts, append=length)
        mask = np.add.reduceat(mask, starts, axis=axis) / np.expand_dims(sizes, axis=1 - axis)
    return mask


def _heat_map(axes: Axes, name: str, mask: np.ndarray) -> AxesImage:
    """Draws one mask and returns the image, which the color bar needs."""
    n_in, n_out = mask.shape
    aspect = float(np.clip(n_in / n_out, 1 / _MAX_ASPECT, _MAX_ASPECT))
    n_down, n_across = math.ceil(_BLOCKS * min(1, aspect)), math.ceil(_BLOCKS / max(1, aspect))
    image = axes.imshow(
        block_average(mask, n_down, n_across),
        cmap=MASK_COLORS,
        norm=PowerNorm(1 / 3, vmin=0, vmax=1),
        extent=(0, n_out, n_in, 0),
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_box_aspect(aspect)
    axes.set_anchor("N")
    density = np.count_nonzero(mask) / mask.size
    axes.set_title(f"{name}\n{n_in} × {n_out}, {100 * density:.3g} % open", fontsize=8, color=INK)
    axes.set_xticks([0, n_out])
    axes.set_yticks([0, n_in])
    axes.tick_params(length=2, labelsize=6, pad=1)
    axes.spines[:].set_linewidth(0.5)
    return image


def check_mask(argument: str, mask: np.ndarray) -> np.ndarray:
    """A mask as float64 `(in, out)`.

    Raises:
        ValueError: if it is empty, not two-dimensional, not real or out of [0, 1].
    """
    mask = np.asarray(mask)
    if mask.dtype.kind not in "biuf":
        raise ValueError(f"`{argument}` must be real or boolean. Received: dtype {mask.dtype}")
    if mask.ndim != 2 or 0 in mask.shape:
        raise ValueError(
            f"`{argument}` must be a non-empty array (in, out). Received: shape {mask.shape}"
        )
    mask = mask.astype(np.float64)
    if not (mask.min() >= 0 and mask.max() <= 1):  # written so that NaN fails too
        raise ValueError(f"`{argument}` must lie in [0, 1]. Received: {mask.min()} to {mask.max()}")
    return mask
