"""dSprites drawn from its factors, pixel for pixel, by integer look-ups.

A pixel is on when its centre lies inside the outline of the sprite (no anti-aliasing). Sprites are
centred at 16 + 32 k / 31 pixels of 64, k = 0 ... 31, so seen from the centre of its sprite every
pixel centre lies on one lattice with 31 points a pixel, at 32 and 128 pixels too. Where the outline
of each of the 3 x 6 x 40 sprites crosses each row of the lattice is computed once, in float64, and
rounded up to the next point of the lattice, which changes no pixel. An image is then 28 rows (of
64) of this table, shifted.

The outlines were fitted to the 320 frames of the authors' `dsprites.gif`: all 1,310,720 pixels
agree. In 43 other images of the original 4 pixels differ (ties of its rasterizer).
"""

import functools

import numpy as np

from sparsevae.data.checks import check_image_size
from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import GroundTruthData
from sparsevae.data.packed import unpack

FACTORS = FactorSpace(
    names=("shape", "scale", "orientation", "posX", "posY"),
    sizes=(3, 6, 40, 32, 32),
    values=(
        (1, 2, 3),  # square, ellipse, heart
        np.linspace(0.5, 1, 6),
        np.linspace(0, 2 * np.pi, 40),  # with both ends, as in the original
        np.linspace(0, 1, 32),
        np.linspace(0, 1, 32),
    ),
    kinds=("categorical", "ordered", "cyclic", "ordered", "ordered"),
)
IMAGE_SHAPE = (64, 64, 1)

_STEPS = 31  # lattice points a pixel
_ROWS = 28  # of 64: no sprite reaches further than 14 from its centre
_CROSSINGS = 4  # a line meets an outline at most so often: the heart has two lobes

# Outlines at scale 1 in pixels of 64: (u, v), u to the right and v down at orientation 0.
_SQUARE = 9.5995 * np.array([[-1, 1, 1, -1], [-1, -1, 1, 1]])  # corners
_ELLIPSE = np.diag([12.76589, 7.21235])  # half axes
_T = 2 * np.pi * np.arange(150) / 150
_HEART = np.stack(  # corners
    [
        0.5999492712620027 * 16 * np.sin(_T) ** 3,
        -1.4386409465020575
        - 0.6623597650891633
        * (13 * np.cos(_T) - 5 * np.cos(2 * _T) - 2 * np.cos(3 * _T) - np.cos(4 * _T)),
    ]
)


class DSprites(GroundTruthData):
    """The 737,280 images of dSprites, rendered: `(image_size, image_size, 1)`, pixels 0 or 255.

    The factor `color` of the original, which has one value, is left out. As in the original,
    orientations 0 and 39 are the same picture (0 and 2 pi), and squares and ellipses look almost
    the same after a quarter and a half turn: scores of `orientation` inherit this.

    Args:
        image_size: Height and width, 32, 64 (the original) or 128: the same outlines, drawn smaller
            or larger.

    Raises:
        ValueError: if `image_size` is another number.

    References:
        Matthey et al. 2017, https://github.com/google-deepmind/dsprites-dataset.
    """

    def __init__(self, image_size: int = 64) -> None:
        check_image_size(image_size)
        super().__init__("dsprites", "render", FACTORS, (image_size, image_size, 1))

    def images(self, indices: np.ndarray) -> np.ndarray:
        packed = render_packed(self.factors(indices), self.image_shape[0])
        return unpack(packed, self.image_shape)


def render_packed(factors: np.ndarray, image_size: int = 64) -> np.ndarray:
    """Draw sprites, one bit a pixel; each image depends on its own factors only.

    Args:
        factors: int64 array `(n, 5)`, in the range of `FACTORS` (not checked here).
        image_size: 32, 64 or 128 (not checked here).

    Returns:
        uint8 array `(n, image_size**2 / 8)`, each row `np.packbits` of an image.
    """
    shape, scale, orientation, x, y = factors.T
    half, margin = image_size // 2, image_size // 32  # no sprite reaches into the margin
    row, to_row = np.divmod(half * y + 15, _STEPS)
    crossings = _crossings(image_size)[shape, scale, orientation, _STEPS - 1 - to_row]
    # Column c is at or right of a crossing when 31 (c - half / 2) + 15 - half x >= crossing.
    shift = (half * x + half // 2 * _STEPS + 15).astype(np.int16)
    columns = (crossings + shift[:, None, None]) // np.int16(_STEPS)
    # A pixel is inside when the number of crossings at or left of it is odd.
    right_of = _on_from(image_size)[columns]
    images = np.zeros((len(factors), image_size, right_of.shape[-1]), right_of.dtype)
    rows = margin + row[:, None] + np.arange(crossings.shape[-1])
    images[np.arange(len(factors))[:, None], rows] = (
        right_of[:, 0] ^ right_of[:, 1] ^ right_of[:, 2] ^ right_of[:, 3]
    )
    return images.view(np.uint8).reshape(len(factors), image_size**2 // 8)


@functools.cache
def _on_from(image_size: int) -> np.ndarray:
    """Entry c is an image row, one bit a pixel, whose pixels c and later are on.

    Returns:
        uint32 or uint64 array `(image_size + 1, words a row)`.
    """
    bits = np.packbits(np.arange(image_size) >= np.arange(image_size + 1)[:, None], axis=1)
    return bits.view(np.uint32 if image_size == 32 else np.uint64)


@functools.cache
def _crossings(image_size: int) -> np.ndarray:
    """Crossings of all outlines with all lattice rows, in lattice points right of the centre.

    Returns:
        int16 array `(3, 6, 40, 31, 4, n_rows)`, 5 MB for the 28 rows of 64: shape, scale,
        orientation, offset of the lattice row below the first of its pixel, crossing, pixel row.
        Unused crossings come as equal pairs.
    """
    zoom = image_size / 64
    n_rows = _ROWS * image_size // 64
    n_levels = n_rows * _STEPS
    levels = (np.arange(n_levels) - n_levels // 2 + 0.5) / _STEPS
    table = np.zeros((*FACTORS.sizes[:3], _CROSSINGS, n_levels))
    for i, scale in enumerate(FACTORS.values[1]):
        for j, angle in enumerate(FACTORS.values[2]):
            cos, sin = zoom * scale * np.cos(angle), zoom * scale * np.sin(angle)
            turn = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise on screen
            table[0, i, j] = _polygon_crossings(turn @ _SQUARE, levels)
            table[1, i, j, :2] = _ellipse_crossings(turn @ _ELLIPSE, levels)
            table[2, i, j] = _polygon_crossings(turn @ _HEART, levels)
    points = np.ceil(_STEPS * table - 0.5).astype(np.int16)
    points = points.reshape(*FACTORS.sizes[:3], _CROSSINGS, n_rows, _STEPS)
    return np.ascontiguousarray(np.moveaxis(points, -1, 3))


def _polygon_crossings(corners: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Where a closed polygon meets horizontal lines: x, `(4, n_levels)`, in any order.

    `corners` is `(2, n_corners)`, x and y; `levels` the ascending y of the lines. A side owns its
    upper end only, so a line through a corner counts each side once. Unused places are 0.
    """
    x, y = corners
    next_x, next_y = np.roll(corners, -1, axis=1)
    ends = np.searchsorted(levels, [y, next_y])
    first, last = ends.min(axis=0), ends.max(axis=0)
    n_met = last - first
    side = np.repeat(np.arange(len(x)), n_met)
    level = np.arange(len(side)) - np.repeat(np.cumsum(n_met) - last, n_met)
    order = np.argsort(level, kind="stable")
    side, level = side[order], level[order]
    place = np.arange(len(level)) - np.searchsorted(level, level)
    slope = (next_x - x)[side] / (next_y - y)[side]
    crossings = np.zeros((_CROSSINGS, len(levels)))
    crossings[place, level] = x[side] + (levels[level] - y[side]) * slope
    return crossings


def _ellipse_crossings(axes: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Where the ellipse `axes @ (cos t, sin t)` meets horizontal lines: x, `(2, n_levels)`.

    `axes` is `(2, 2)`, `levels` the y of the lines. Lines that miss it get two equal numbers.
    """
    x, y = axes
    y_y = y @ y
    half = np.linalg.det(axes) / y_y * np.sqrt(np.maximum(y_y - levels**2, 0))
    middle = x @ y / y_y * levels
    return np.stack([middle - half, middle + half])
