"""A data set of 128 small images, registered under the name "tiny"."""

import numpy as np

from sparsevae.data import FactorSpace, GroundTruthData, catalog

SPACE = FactorSpace(("row", "column", "size"), (8, 8, 2))


class Tiny(GroundTruthData):
    """Squares of 4 or 6 pixels anywhere in 16 x 16."""

    def __init__(self):
        super().__init__("tiny", "render", SPACE, (16, 16, 1))

    def images(self, indices):
        factors = self.factors(indices)
        images = np.zeros((len(factors), 16, 16, 1), np.uint8)
        for image, (row, column, size) in zip(images, factors, strict=True):
            side = 4 + 2 * size
            image[row : row + side, column : column + side] = 255
        return images


def register() -> None:
    """Makes `data.load("tiny")` work in this process."""
    catalog._ENTRIES["tiny"] = catalog._Entry(
        title="Tiny", files=("tiny.npz",), size="0 MB", page="", read=None, render=Tiny
    )
