"""Traversals that move."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from sparsevae.checks import is_number
from sparsevae.plots.style import INK
from sparsevae.plots.tiles import check_length, tile_figure, tiled, unit_images

_LONGEST = 600  # seconds: a GIF counts those of a frame in 16 bits, as hundredths


def traversal_gif(
    traversals: np.ndarray,
    file: str | Path | None = None,
    *,
    names: Sequence[str] | None = None,
    seconds: float = 2.0,
) -> bytes:
    """Pictures in which each latent goes up and down, one column a latent, one row an image.

    Args:
        traversals: Array `(n_images, latent_dim, n_steps, height, width, channels)`, uint8 0 to 255
            or float in [0, 1]; 1 or 3 channels; at least two steps.
        file: Where to write it too, by convention `.gif`; None for nowhere.
        names: Of the latents, above the columns; z0, z1, ... by default.
        seconds: Of one cycle up and down, above 0 and up to 600.

    Returns:
        An animated GIF that repeats, as bytes.

    Raises:
        TypeError: if `traversals` is neither uint8 nor float.
        ValueError: if a shape or a value is out of bounds.
    """
    traversals = unit_images("traversals", traversals, ndim=6)
    latent_dim, n_steps = traversals.shape[1:3]
    if n_steps < 2:
        raise ValueError(f"`traversals` must have two steps or more. Received: {n_steps}")
    if not is_number(seconds) or not 0 < seconds <= _LONGEST:
        raise ValueError(
            f"`seconds` must be a float above 0, up to {_LONGEST}. Received: seconds={seconds!r}"
        )
    names = [f"z{k}" for k in range(latent_dim)] if names is None else list(names)
    check_length("names", np.array(names), latent_dim)
    frames = _frames(traversals, names)
    cycle = [*frames, *frames[-2:0:-1]]
    buffer = io.BytesIO()
    cycle[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=cycle[1:],
        duration=max(20, round(1000 * seconds / len(cycle))),
        loop=0,
        optimize=True,
    )
    if file is not None:
        Path(file).write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _frames(traversals, names) -> list[Image.Image]:
    """A picture of each step; 64 shades are enough for a GIF."""
    figure, axes, centers = tile_figure(traversals[:, :, 0], [""] * len(traversals), group=1)
    figure.set_dpi(100)
    axes.images[0].set_interpolation("nearest")  # few shades, which pack well
    axes.xaxis.tick_top()
    axes.set_xticks(centers, names, color=INK)
    canvas = FigureCanvasAgg(figure)
    frames = []
    for step in range(traversals.shape[2]):
        axes.images[0].set_data(tiled(traversals[:, :, step])[0])
        canvas.draw()
        frame = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        frames.append(frame.quantize(64))
    return frames
