"""The 480 views of Shapes3D, ray cast: where floor, wall, object and sky are seen, and how bright.

Camera, room, solids and light were fitted to the frames of the authors' `3dshapes.gif`. The camera
goes around the object, which stands on the floor at the origin; x is right, y is away, z is up.
"""

import itertools

import numpy as np
from tqdm import tqdm

from sparsevae.data.render.solids import Cube, Disc, Solid, Sphere, Tube

SCALES = np.linspace(0.75, 1.25, 8)
DEGREES = np.linspace(-30, 30, 15)

_SHAPES = (  # parts, in half sides of the cube
    (Cube(1.0),),
    (Tube(1.095, low=0.0, high=2.12), Disc(1.095, height=2.12)),
    (Sphere(1.245, height=1.21),),
    (Tube(0.905, low=0.88, high=2.87), Sphere(0.905, height=0.88), Sphere(0.905, height=2.87)),
)
_RADII, _HEIGHTS = (2**0.5, 1.095, 1.245, 0.905), (2.0, 2.12, 2.455, 3.775)
_UNIT = 0.1447 / 0.75  # half the side of the cube at scale 1

_DISTANCE, _EYE, _FOCAL = 1.1454, 0.4118, 56.047 / 64  # of the camera; focal length in image widths
_BACK, _SIDE, _HEIGHT = 1.5793, 1.825, 1.1313  # of the walls
_WALLS = np.array([1, 0.80, 0.71])  # brightness of the back, left and right wall
_FLOOR = np.array([0.999, -0.167, 0.025, -0.115, 0.014, -0.114])  # of 1, x, y, x^2, xy, y^2
_SHADOW = 0.33
_LIGHT = np.array([-0.25, 0.1, 1.0])  # towards the light that casts the shadow
_AMBIENT, _DIFFUSE, _HEADLIGHT = 0.75, np.array([-0.05, 0.0, 0.62]), 0.18  # on the object

FLOOR, WALL, OBJECT, SKY = range(4)

_STEP = 2.0**-12


def render_views(image_size: int) -> np.ndarray:
    """Brightness of each surface in each pixel of each view.

    Values are whole multiples of 2^-12 up to 1.4, so that their products with whole numbers up to
    255 and sums of these are exact in float32, in whatever order they are added up.

    Args:
        image_size: Height and width of the views in pixels.

    Returns:
        float32 array `(480, image_size**2, 4)`: views in the order scale, shape, orientation;
        pixels; floor, wall, object and sky. A pixel at an edge shares itself out among them.
    """
    eye, d = _rays(image_size)
    room, distance = _room(eye, d)
    views = np.empty((len(SCALES), len(_SHAPES), len(DEGREES), image_size**2, 4), np.float32)
    kinds = list(itertools.product(range(len(SCALES)), range(len(_SHAPES))))
    for i, shape in tqdm(kinds, desc="Rendering Shapes3D", unit=" shapes", delay=2):
        fine = room.copy()
        _cast_shadow(fine, eye, d, distance, shape, SCALES[i])
        _place_object(fine, eye, d, distance, shape, SCALES[i])
        fine = fine.reshape(15, image_size, 2, image_size, 2, 4)
        mean = (
            fine[:, :, 0, :, 0] + fine[:, :, 0, :, 1] + fine[:, :, 1, :, 0] + fine[:, :, 1, :, 1]
        ) / 4
        # Rounded up, so that 0.8 of 255 stays 204 when the fraction is cut off.
        views[i, shape] = (np.ceil(mean / _STEP) * _STEP).reshape(15, -1, 4)
    return views.reshape(-1, image_size**2, 4)


def _rays(image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Eye and direction, `(3, n)` each, of the rays of all orientations, row by row."""
    n = 2 * image_size  # two rays a pixel, each way
    grid = (np.arange(n) + 0.5) / n - 0.5
    angle, y, x = np.meshgrid(np.radians(DEGREES), grid, grid, indexing="ij")
    sin, cos = np.sin(angle), np.cos(angle)
    d = np.stack([x * cos - _FOCAL * sin, x * sin + _FOCAL * cos, -y]).reshape(3, -1)
    eye = np.stack([_DISTANCE * sin, -_DISTANCE * cos, np.full_like(sin, _EYE)]).reshape(3, -1)
    return eye, d / np.sqrt((d * d).sum(axis=0))


def _room(eye: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps `(n, 4)` of the empty room and the distance `(n,)` of what is seen there."""
    # Through the planes behind the eye the distance is negative.
    planes = np.stack(
        [
            (_BACK - eye[1]) / d[1],
            (-_SIDE - eye[0]) / d[0],
            (_SIDE - eye[0]) / d[0],
            -eye[2] / d[2],
        ]
    )
    planes[planes < 0] = np.inf
    nearest, distance = planes.argmin(axis=0), planes.min(axis=0)
    x, y, z = eye + distance * d
    is_floor = nearest == 3
    is_wall = ~is_floor & (z < _HEIGHT)
    maps = np.zeros((len(distance), 4))
    light = _FLOOR @ np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    maps[is_floor, FLOOR] = np.clip(light[is_floor], 0.5, 1)
    maps[is_wall, WALL] = _WALLS[nearest[is_wall]]
    maps[~is_floor & ~is_wall, SKY] = 1
    return maps, distance


def _cast_shadow(maps, eye, d, distance, shape, scale) -> None:
    """Darken the floor where the object hides the light."""
    size = _UNIT * scale
    reach = size * (_RADII[shape] + _HEIGHTS[shape] * np.linalg.norm(_LIGHT[:2] / _LIGHT[2]))
    floor = np.flatnonzero(maps[:, FLOOR])
    points = eye[:, floor] + distance[floor] * d[:, floor]
    close = (points[:2] ** 2).sum(axis=0) < reach**2
    points = points[:, close]
    light = np.broadcast_to(_LIGHT[:, None] / np.linalg.norm(_LIGHT), points.shape)
    hidden = np.isfinite(_nearest_part(points / size, light, _SHAPES[shape])[1])
    maps[floor[close][hidden], FLOOR] = _SHADOW


def _place_object(maps, eye, d, distance, shape, scale) -> None:
    """Draw the object over the room."""
    size, parts = _UNIT * scale, _SHAPES[shape]
    # Only rays that meet a ball around the object can meet it.
    from_center = eye - [[0], [0], [size * _HEIGHTS[shape] / 2]]
    squared = (from_center**2).sum(axis=0) - (from_center * d).sum(axis=0) ** 2
    rays = np.flatnonzero(squared <= size**2 * (_HEIGHTS[shape] ** 2 / 4 + _RADII[shape] ** 2))
    part, t = _nearest_part(eye[:, rays] / size, d[:, rays], parts)
    seen = size * t < distance[rays]
    rays, part, t = rays[seen], part[seen], t[seen]
    points = eye[:, rays] / size + t * d[:, rays]
    normals = np.empty_like(points)
    for k, solid in enumerate(parts):
        normals[:, part == k] = solid.normal(points[:, part == k])
    facing = -(normals * d[:, rays]).sum(axis=0)
    maps[rays] = 0
    brightness = _AMBIENT + _DIFFUSE @ normals + _HEADLIGHT * facing
    maps[rays, OBJECT] = np.clip(brightness, 0.3, 1.4)


def _nearest_part(
    o: np.ndarray, d: np.ndarray, parts: tuple[Solid, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Which part each ray meets first, and its distance, infinite if it meets none."""
    distances = np.stack([part.distance(o, d) for part in parts])
    return distances.argmin(axis=0), distances.min(axis=0)
