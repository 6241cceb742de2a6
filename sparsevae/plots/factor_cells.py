"""Latents against factors: a number in each cell."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from sparsevae.plots.style import FAINT, INK

_COLORS = LinearSegmentedColormap.from_list("cells", ["white", "#9ecae1", "#2171b5", "#08306b"])
_MOST_WITH_NUMBERS = 40  # rows


def factor_latent_heatmap(
    matrix: np.ndarray,
    factor_names: Sequence[str],
    *,
    active: np.ndarray | None = None,
    label: str = "",
    latents: Sequence[str] | None = None,
) -> Figure:
    """How much each latent has to do with each factor.

    Latents stand in the order of the factor that is theirs most, so a disentangled code is dark
    along the diagonal. Dead ones come last, grey, on no color scale: what they hold is rounding.

    Args:
        matrix: Float array `(latent_dim, n_factors)`, at least 0, such as mutual information or
            `FactorJacobian.matrix`.
        factor_names: Of the columns.
        active: Booleans `(latent_dim,)`; None for all.
        label: What the numbers are, with their unit, for the color bar.
        latents: Names of the rows; z0, z1, ... by default.

    Returns:
        Figure with one axes and a color bar. Of more than 40 latents dead ones are left
        out; if more than 40 are left, cells have no numbers.

    Raises:
        ValueError: if a shape does not fit or a value is negative or not finite.
    """
    matrix, active, latents = _checked(matrix, factor_names, active, latents)
    order = _order(matrix, active)
    if len(matrix) > _MOST_WITH_NUMBERS and active.any():
        order = order[active[order]]
    n_left_out, has_numbers = len(matrix) - len(order), len(order) <= _MOST_WITH_NUMBERS
    matrix, active, names = matrix[order], active[order], [latents[k] for k in order]
    height = 1.1 + 0.3 * max(len(order), 3) if has_numbers else 7.0
    size = (2.2 + 0.75 * max(len(factor_names), 3), height)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    axes = figure.subplots()
    most = matrix[active].max(initial=0.0) or 1.0
    shown = np.where(active[:, None], matrix, np.nan)
    axes.set_facecolor("#eeeeee")
    image = axes.imshow(shown, cmap=_COLORS, vmin=0, vmax=most, aspect="auto")
    if has_numbers:
        _write_numbers(axes, matrix, active, most)
        _name_rows(axes, names, active)
    else:
        axes.set_yticks([])
    if n_left_out or not has_numbers:
        left_out = f"; {n_left_out} dead ones are left out" if n_left_out else ""
        axes.set_ylabel(f"{len(order)} latents{left_out}", fontsize=8)
    _finish(axes, factor_names)
    bar = figure.colorbar(image, ax=axes, aspect=30)
    bar.set_label(label, fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7)
    bar.outline.set_linewidth(0.5)
    return figure


def _checked(matrix, factor_names, active, latents):
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.shape[1] != len(factor_names):
        raise ValueError(
            "`matrix` must be an array (latent_dim, n_factors) with a column for each of "
            f"`factor_names`, {list(factor_names)}. Received: shape {matrix.shape}"
        )
    if not (np.isfinite(matrix).all() and matrix.min() >= 0):
        raise ValueError(
            f"`matrix` must be finite and at least 0. Received: {matrix.min()} to {matrix.max()}"
        )
    n_latents = len(matrix)
    active = np.ones(n_latents, bool) if active is None else np.asarray(active)
    latents = [f"z{k}" for k in range(n_latents)] if latents is None else list(latents)
    for name, values in (("active", active), ("latents", latents)):
        if np.shape(values) != (n_latents,):
            raise ValueError(
                f"`{name}` must have one entry for each of {n_latents} latents. "
                f"Received: shape {np.shape(values)}"
            )
    if active.dtype != bool:
        raise ValueError(f"`active` must be booleans. Received: dtype {active.dtype}")
    return matrix, active, latents


def _order(matrix, active):
    """Active ones by the factor that is theirs most, strongest first; dead ones as they are."""
    best = matrix.argmax(axis=1)
    strength = np.where(active, -matrix.max(axis=1), 0.0)
    return np.lexsort((strength, np.where(active, best, 0), ~active))


def _write_numbers(axes: Axes, matrix, active, most) -> None:
    digits = 2 if most < 9.95 else 1
    for (i, j), value in np.ndenumerate(matrix):
        color = FAINT if not active[i] else "white" if value > 0.55 * most else INK
        text = f"{value:.{digits}f}"
        axes.text(j, i, text, ha="center", va="center", fontsize=7, color=color)


def _finish(axes: Axes, factor_names) -> None:
    rotation = 30 if max(map(len, factor_names)) > 11 else 0
    ha = "right" if rotation else "center"
    axes.set_xticks(range(len(factor_names)), factor_names, rotation=rotation, ha=ha, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_linewidth(0.5)


def _name_rows(axes: Axes, names, active) -> None:
    texts = [name if on else f"{name} (dead)" for name, on in zip(names, active, strict=True)]
    axes.set_yticks(range(len(names)), texts, fontsize=7.5)
    for text, on in zip(axes.get_yticklabels(), active, strict=True):
        text.set_color(INK if on else FAINT)
