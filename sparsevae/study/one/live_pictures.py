"""Pictures for TensorBoard while a model trains."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sparsevae import plots, sparsity
from sparsevae.checks import check_integer
from sparsevae.data import ImageData
from sparsevae.study.one.pictures import TRAVERSAL, traversals

_N_IMAGES = 12


class LivePictures(keras.callbacks.Callback):
    """Writes reconstructions, traversals and masks as images for TensorBoard, some epochs apart.

    They take about a second each time, and no random number of the model. Place it behind
    `Checkpoints`, whose history it draws.

    Args:
        data: Data set; the same images are shown each time.
        folder: Of the run; images go into `tensorboard/pictures`.
        every: Epochs, which are checkpoints, from one writing to the next, at least 1. The end
            of training is always written.

    Raises:
        TypeError: if `every` is not an integer.
        ValueError: if it is below 1.
    """

    def __init__(self, data: ImageData, folder: str | Path, every: int = 4) -> None:
        super().__init__()
        self.every = check_integer("every", every, minimum=1)
        self.folder = Path(folder)
        self.images = data.images(data.draw(_N_IMAGES, np.random.default_rng(0)))
        self._written = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self._write()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._write()

    def _write(self):
        step = int(self.model.optimizer.iterations)
        if step == self._written:
            return
        self._written = step
        writer = tf.summary.create_file_writer(str(self.folder / "tensorboard" / "pictures"))
        with writer.as_default(step=step):
            for name, figure in self._figures().items():
                tf.summary.image(name, _pixels(figure))
        writer.close()

    def _figures(self) -> dict[str, Figure]:
        vae, images = self.model, self.images
        moved = traversals(vae, vae.codes(images[:1])[0], TRAVERSAL)
        figures = {
            "reconstructions": plots.reconstructions(images, vae(images).numpy()),
            "traversals": plots.traversals(moved, TRAVERSAL),
        }
        if vae.gated_layers:
            figures["masks"] = plots.masks(sparsity.masks(vae))
            path = self.folder / "history.csv"
            if path.exists():
                figures["mask_evolution"] = plots.mask_evolution(pd.read_csv(path))
        return figures


def _pixels(figure: Figure) -> np.ndarray:
    """uint8 `(1, height, width, 3)`, at 80 dots an inch."""
    figure.set_dpi(80)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[None, ..., :3]
