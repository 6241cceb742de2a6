"""Where rays first meet a few simple solids.

Rays start at `o` and run along unit vectors `d` without a zero, both `(n, 3)` with z up. Distances
are infinite where a ray misses; `normal` takes points `(m, 3)` of the surface.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Sphere:
    """A ball on the z axis."""

    radius: float
    height: float
    """Of its center."""

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        o = o - [0, 0, self.height]
        return _entry(np.ones(len(d)), (o * d).sum(axis=1), (o * o).sum(axis=1) - self.radius**2)

    def normal(self, points: np.ndarray) -> np.ndarray:
        return (points - [0, 0, self.height]) / self.radius


@dataclasses.dataclass(frozen=True)
class Tube:
    """The side of an upright cylinder about the z axis, without its ends."""

    radius: float
    low: float
    high: float

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        across, along = o[:, :2], d[:, :2]
        distance = _entry(
            (along**2).sum(axis=1),
            (across * along).sum(axis=1),
            (across**2).sum(axis=1) - self.radius**2,
        )
        met = np.isfinite(distance)
        height = o[met, 2] + distance[met] * d[met, 2]
        distance[met] = np.where((height < self.low) | (height > self.high), np.inf, distance[met])
        return distance

    def normal(self, points: np.ndarray) -> np.ndarray:
        return points * [1, 1, 0] / self.radius


@dataclasses.dataclass(frozen=True)
class Disc:
    """A level disc about the z axis, seen from above."""

    radius: float
    height: float

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        distance = (self.height - o[:, 2]) / d[:, 2]
        off_axis = (o + distance[:, None] * d)[:, :2]
        missed = (distance <= 0) | ((off_axis**2).sum(axis=1) > self.radius**2)
        return np.where(missed, np.inf, distance)

    def normal(self, points: np.ndarray) -> np.ndarray:
        return np.broadcast_to([0.0, 0.0, 1.0], points.shape)


@dataclasses.dataclass(frozen=True)
class Cube:
    """A cube with axis-parallel sides that stands on the floor at the origin."""

    half: float

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        first = (np.array([-1, -1, 0]) * self.half - o) / d
        second = (np.array([1, 1, 2]) * self.half - o) / d
        near = np.minimum(first, second).max(axis=1)
        far = np.maximum(first, second).min(axis=1)
        return np.where((near <= far) & (near > 0), near, np.inf)

    def normal(self, points: np.ndarray) -> np.ndarray:
        from_center = points - [0, 0, self.half]
        side = abs(from_center).argmax(axis=1)[:, None]
        normals = np.zeros_like(points)
        np.put_along_axis(normals, side, np.sign(np.take_along_axis(from_center, side, 1)), axis=1)
        return normals


Solid = Sphere | Tube | Disc | Cube


def _entry(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The smaller solution of a t^2 + 2 b t + c = 0 where it is real and above 0, else infinity."""
    under_root = b * b - a * c
    t = (-b - np.sqrt(np.maximum(under_root, 0))) / a
    return np.where((under_root >= 0) & (t > 0), t, np.inf)
