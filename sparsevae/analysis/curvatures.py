"""Second derivatives of a decoder: which latents work together."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

_FINER = 100  # the step at which rounding shows, as a part of the step of the differences
_MARGIN = 4


@dataclasses.dataclass(frozen=True)
class Curvature:
    """Squared second derivatives at one base point.

    Attributes:
        squares: `(latent_dim, latent_dim)`, sum over outputs of the squared Hessian.
        penalty: Largest over outputs of twice the sum of squares off the Hessian's diagonal.
        error: Second derivatives up to this are taken for rounding, and are 0.
    """

    squares: np.ndarray
    penalty: float
    error: float

    @property
    def ratio(self) -> float:
        """Share of the squares off the diagonal, in [0, 1]; 0 if all are 0."""
        total = self.squares.sum()
        return float(1 - np.trace(self.squares) / total) if total > 0 else 0.0


def curvature(
    decode: Callable[[np.ndarray], np.ndarray],
    z: np.ndarray,
    latents: np.ndarray,
    step: float,
    batch_size: int,
) -> Curvature:
    """Hessians of all outputs by second differences, exact for quadratic decoders.

    Sums of functions of one latent each have exact zeros off the diagonal. Differences that are
    within four times the decoder's rounding are 0; that is the larger of its float type's and of
    what second differences at a hundredth of the step show.

    Args:
        decode: Callable from float `(n, latent_dim)` to float `(n, ...)`.
        z: Base point `(latent_dim,)`.
        latents: Booleans `(latent_dim,)`; those along which to look.
        step: Of the differences, in units of the latents. Kinks count as curvature if they are
            within a step.
        batch_size: Rows decoded at a time; one base point has `latents^2 + latents + 3`.
    """
    moves = step * np.eye(len(z))[latents]
    squares = np.zeros((len(moves), len(moves)))
    if not len(moves):
        return Curvature(np.zeros((len(z), len(z))), 0.0, 0.0)

    def outputs(offsets):
        points = (z + offsets).astype(z.dtype)
        parts = [decode(points[k : k + batch_size]) for k in range(0, len(points), batch_size)]
        return np.concatenate([part.reshape(len(part), -1) for part in parts])

    center = outputs(np.zeros((1, len(z))))
    up, down = outputs(moves), outputs(-moves)
    floor = _rounding(outputs, moves.sum(axis=0) / _FINER, center)
    around = up.astype(np.float64) + down - 2 * center
    squares[np.diag_indices(len(moves))] = np.square(_above(around, floor)).sum(axis=1)
    off_diagonal = np.zeros(center.shape[1])
    pairs = np.array(list(itertools.combinations(range(len(moves)), 2))).reshape(-1, 2)
    n = max(1, batch_size // 2)
    for first, second in (pairs[k : k + n].T for k in range(0, len(pairs), n)):
        both = moves[first] + moves[second]
        change = outputs(both).astype(np.float64) + outputs(-both) - 2 * center
        mixed = np.square(_above((change - around[first] - around[second]) / 2, floor))
        squares[first, second] = squares[second, first] = mixed.sum(axis=1)
        off_diagonal += 2 * mixed.sum(axis=0)
    whole = np.zeros((len(z), len(z)))
    whole[np.ix_(latents, latents)] = squares / step**4
    penalty = float(2 * off_diagonal.max() / step**4)
    return Curvature(whole, penalty, float(floor / step**2))


def _rounding(outputs, move, center):
    """Size of a second difference that is nothing but rounding."""
    near = outputs(np.stack([move, -move])).astype(np.float64)
    seen = np.abs(near.sum(axis=0) - 2 * center).max()
    return _MARGIN * max(seen, _MARGIN * np.finfo(center.dtype).eps * np.abs(center).max())


def _above(differences, floor):
    return np.where(np.abs(differences) > floor, differences, 0.0)
