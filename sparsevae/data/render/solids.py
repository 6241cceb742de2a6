"""Where rays first meet a few simple solids.

Rays start at `o` and run along unit vectors `d` without a zero, both `(3, n)` with z up. Distances
are infinite where a ray misses; `normal` takes points `(3, m)` of the surface.
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
        o = o - _above(self.height)
        return _entry(1.0, (o * d).sum(axis=0), (o * o).sum(axis=0) - self.radius**2)

    def normal(self, points: np.ndarray) -> np.ndarray:
        return (points - _above(self.height)) / self.radius


@dataclasses.dataclass(frozen=True)
class Tube:
    """The side of an upright cylinder about the z axis, without its ends."""

    radius: float
    low: float
    high: float

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        off_axis, turn = o[:2], d[:2]
        distance = _entry(
            (turn**2).sum(axis=0),
            (off_axis * turn).sum(axis=0),
            (off_axis**2).sum(axis=0) - self.radius**2,
        )
        met = np.isfinite(distance)
        height = o[2, met] + distance[met] * d[2, met]
        distance[met] = np.where((height < self.low) | (height > self.high), np.inf, distance[met])
        return distance

    def normal(self, points: np.ndarray) -> np.ndarray:
        return points * [[1], [1], [0]] / self.radius


@dataclasses.dataclass(frozen=True)
class Disc:
    """A level disc about the z axis, seen from above."""

    radius: float
    height: float

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        distance = (self.height - o[2]) / d[2]
        off_axis = o[:2] + distance * d[:2]
        missed = (distance <= 0) | ((off_axis**2).sum(axis=0) > self.radius**2)
        return np.where(missed, np.inf, distance)

    def normal(self, points: np.ndarray) -> np.ndarray:
        return np.broadcast_to(_above(1.0), points.shape)


@dataclasses.dataclass(frozen=True)
class Cube:
    """A cube with axis-parallel sides that stands on the floor at the origin."""

    half: float

    def distance(self, o: np.ndarray, d: np.ndarray) -> np.ndarray:
        first = (self.half * np.array([[-1], [-1], [0]]) - o) / d
        second = (self.half * np.array([[1], [1], [2]]) - o) / d
        near = np.minimum(first, second).max(axis=0)
        far = np.maximum(first, second).min(axis=0)
        return np.where((near <= far) & (near > 0), near, np.inf)

    def normal(self, points: np.ndarray) -> np.ndarray:
        from_center = points - _above(self.half)
        faced = abs(from_center).argmax(axis=0) == [[0], [1], [2]]
        return np.where(faced, np.sign(from_center), 0)


Solid = Sphere | Tube | Disc | Cube


def _above(height: float) -> np.ndarray:
    """The point of this height on the z axis, `(3, 1)`."""
    return np.array([[0.0], [0.0], [height]])


def _entry(a: np.ndarray | float, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The smaller solution of a t^2 + 2 b t + c = 0 where it is real and above 0, else infinity."""
    under_root = b * b - a * c
    t = (-b - np.sqrt(np.maximum(under_root, 0))) / a
    return np.where((under_root >= 0) & (t > 0), t, np.inf)
