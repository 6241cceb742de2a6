"""A small set for tests, tutorials and sweeps: 16 x 16 pixels, five factors seen at a glance."""

import functools

import numpy as np

from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import GroundTruthData

IMAGE_SHAPE = (16, 16, 1)

_POINTS = 4  # lattice points a pixel, each way
_HALF_SIDES = np.arange(6, 17, 2)  # of the box, in lattice points beside the one in its middle
_BACKGROUNDS = np.arange(0, 96, 16)  # pixel values

FACTORS = FactorSpace(
    names=("width", "height", "background", "posX", "posY"),
    sizes=(6, 6, 6, 32, 32),
    values=(
        (2 * _HALF_SIDES + 1) / _POINTS,  # pixels
        (2 * _HALF_SIDES + 1) / _POINTS,
        _BACKGROUNDS / 255,
        np.linspace(0, 1, 32),
        np.linspace(0, 1, 32),
    ),
)


class Toy(GroundTruthData):
    """221,184 images `(16, 16, 1)` of a white box on gray, with soft edges; no two are equal.

    Factors: width and height of the box, 6 each (3.25 to 8.25 pixels), background 6 (black to a
    third of white), posX and posY of the box, 32 each, in steps of a quarter of a pixel. All five
    are ordered and change many pixels, so that a small VAE soon finds all of them.
    """

    def __init__(self) -> None:
        super().__init__("toy", "render", FACTORS, IMAGE_SHAPE)

    def images(self, indices: np.ndarray) -> np.ndarray:
        width, height, background, x, y = self.factors(indices).T
        inside = _covered()[height, y][:, :, None] * _covered()[width, x][:, None, :]
        outside = _BACKGROUNDS.astype(np.uint16)[background, None, None]
        images = outside + inside * (255 - outside) // _POINTS**2
        return images.astype(np.uint8)[..., None]


@functools.cache
def _covered() -> np.ndarray:
    """Lattice points of each pixel that a box covers along one axis.

    Returns:
        uint16 array `(6, 32, 16)`, 0 ... 4: side, position, pixel.
    """
    # The middle of a box is a lattice point, number 16 ... 47 of 64.
    away = abs(np.arange(16 * _POINTS) - 16 - np.arange(32)[:, None])
    covered = away <= _HALF_SIDES[:, None, None]
    return covered.reshape(6, 32, 16, _POINTS).sum(axis=-1, dtype=np.uint16)
