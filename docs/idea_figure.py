"""Draws docs/images/idea.png: `python docs/idea_figure.py`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

COLORS = ("#0072B2", "#D55E00", "#009E73")
GREY = "#9a9a9a"
WIDTHS = (3, 6, 6, 9)


def positions(width: int, layer: int) -> np.ndarray:
    """Coordinates `(width, 2)` of one layer's units, latents left, pixels right."""
    return np.stack([np.full(width, 2.0 * layer), np.linspace(1, -1, width) * 1.6], axis=1)


def draw_network(axes, masks, title: str) -> None:
    """Units and open links; a link has the colour of the one latent it serves, else grey."""
    owners = [np.eye(3, dtype=bool)]  # latents that reach each unit
    for mask in masks:
        owners.append((owners[-1].T @ mask > 0).T)
    for layer, mask in enumerate(masks):
        start, end = positions(WIDTHS[layer], layer), positions(WIDTHS[layer + 1], layer + 1)
        for i, j in np.argwhere(mask):
            served = np.flatnonzero(owners[layer][i])
            color = COLORS[served[0]] if len(served) == 1 else GREY
            line = np.stack([start[i], end[j]])
            axes.plot(*line.T, color=color, lw=1.6 if len(served) == 1 else 0.8, zorder=1)
    for layer, width in enumerate(WIDTHS):
        for unit, (x, y) in enumerate(positions(width, layer)):
            served = np.flatnonzero(owners[layer][unit])
            color = COLORS[served[0]] if len(served) == 1 else GREY
            axes.scatter(x, y, s=110, color=color, edgecolor="white", zorder=2)
    axes.set_title(title, fontsize=12)
    axes.text(0, -2.05, "latents z", ha="center")
    axes.text(6, -2.05, "pixels x", ha="center")
    axes.set(xlim=(-0.6, 6.6), ylim=(-2.2, 1.9))
    axes.axis("off")


def draw_mask(axes) -> None:
    """K' = K * M for one convolution: a gate switches a whole window."""
    rng = np.random.default_rng(1)
    mask = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 0]])
    for i in range(4):
        for j in range(3):
            window = rng.normal(size=(3, 3)) * mask[i, j]
            extent = (j * 1.2, j * 1.2 + 1, -i * 1.2 - 1, -i * 1.2)
            axes.imshow(window, extent=extent, cmap="RdBu", vmin=-2.5, vmax=2.5)
            edge = "black" if mask[i, j] else "#cccccc"
            corner = (extent[0], extent[2])
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=edge))
    axes.set_title("one gate per link:  K′ = K ⊙ M", fontsize=12)
    axes.text(1.7, 0.25, "out channels", ha="center")
    axes.text(-0.3, -2.3, "in channels", rotation=90, va="center", ha="center")
    axes.set(xlim=(-0.7, 3.7), ylim=(-5.1, 0.6))
    axes.axis("off")


def main() -> None:
    """Writes the figure."""
    groups = [np.arange(w) * 3 // w for w in WIDTHS]
    sparse = [groups[k][:, None] == groups[k + 1][None, :] for k in range(len(WIDTHS) - 1)]
    dense = [np.ones_like(mask) for mask in sparse]
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.25, 0.8, 1.25))
    draw_network(left, dense, "dense layers mix everything: rotating z costs nothing")
    draw_mask(middle)
    draw_network(right, sparse, "few open links: every latent keeps its own path")
    figure.savefig(Path(__file__).parent / "images" / "idea.png", dpi=110)


if __name__ == "__main__":
    main()
