"""Shapes3D from its factors: views that are ray cast once, times colours.

A look-alike of the original, close but not pixel for pixel: see `Shapes3D`.
"""

import functools

import numpy as np

from sparsevae.data.checks import check_image_size
from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import GroundTruthData
from sparsevae.data.render.views import DEGREES, SCALES, render_views

_HUES = np.arange(10) / 10

FACTORS = FactorSpace(
    names=("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
    sizes=(10, 10, 10, 8, 4, 15),
    values=(
        _HUES,
        _HUES,
        _HUES,
        SCALES,
        (0, 1, 2, 3),  # cube, cylinder, sphere, capsule
        DEGREES,
    ),
    kinds=("cyclic", "cyclic", "cyclic", "ordered", "categorical", "ordered"),
)

_SKY = (153, 226, 249)


class Shapes3D(GroundTruthData):
    """480,000 rendered images `(image_size, image_size, 3)` in the order of Shapes3D.

    Rooms, sizes, shading and shadows follow the original: in 39 frames of the authors' animation
    the mean error of a pixel is 2 % of the range. What is missing are the faint texture of wall
    and floor and the filter at edges, so scores are not comparable with those of the original.

    Before the first image the views are rendered, and then kept for the rest of the process: a
    second or two and 31 MB of memory, four times as much at 128 pixels.

    Args:
        image_size: Height and width, 32, 64 or 128; the original has 64.

    Raises:
        ValueError: if `image_size` is another number.

    References:
        Burgess and Kim 2018, https://github.com/google-deepmind/3d-shapes.
    """

    def __init__(self, image_size: int = 64) -> None:
        check_image_size(image_size)
        super().__init__("shapes3d", "render", FACTORS, (image_size, image_size, 3))

    def images(self, indices: np.ndarray) -> np.ndarray:
        floor, wall, thing, *view = self.factors(indices).T
        colors = np.empty((len(floor), 4, 3), np.float32)
        colors[:, 0], colors[:, 1], colors[:, 2] = _RGB[floor], _RGB[wall], _RGB[thing]
        colors[:, 3] = _SKY
        views = _views(self.image_shape[0])
        images = np.empty((len(floor), views.shape[1], 3), np.uint8)
        pixels = np.empty(images.shape[1:], np.float32)  # small enough for the processor's cache
        for k, number in enumerate(np.ravel_multi_index(view, FACTORS.sizes[3:])):
            np.matmul(views[number], colors[k], out=pixels)  # exact, as both are whole multiples
            np.minimum(pixels, 255, out=pixels)
            images[k] = pixels
        return images.reshape(-1, *self.image_shape)


def _rgb(hue: np.ndarray) -> np.ndarray:
    """Red, green and blue, whole numbers 0 ... 255, of saturated hues that are tenths."""
    position = (6 * hue[:, None] + [0, 4, 2]) % 6
    return np.round(255 * np.clip(abs(position - 3) - 1, 0, 1))


_RGB = _rgb(_HUES)
_views = functools.cache(render_views)
