"""The Jacobian of a representation by the factors, and how far it is from one factor a latent."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from sparsevae.analysis.interventions import responses
from sparsevae.data import GroundTruthData
from sparsevae.metrics import active_latents

_N_ROTATIONS = 100
_NAMES = ["modularity", "compactness", "score", "gain"]
_COLUMNS = ["modularity", "compactness", "score", "chance", "gain", "null_low", "null_high"]
_THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@dataclasses.dataclass(frozen=True)
class FactorJacobian:
    """How much each latent answers to each factor.

    Attributes:
        matrix: Float64 `(latent_dim, n_factors)`, at least 0: root mean square over base points of
            the change of a latent for a change of a factor, both in standard deviations. 1 where
            the latent is a linear function of that factor alone, of a cyclic one of its cosine.
        local: `(n_points, latent_dim, n_factors)`: the same at each base point, with its sign.
        active: Booleans `(latent_dim,)`, of `metrics.active_latents` of the base points.
        factor_names: Of the columns; factors with one value are left out.
        modularity, compactness, score, gain: Of all latents, floats; see `factor_jacobian`.
        modularity_active, compactness_active, score_active, gain_active: Of the active ones.
        table: pandas table of these, rows `all`, `active`, `local`, `local_active`, which has
            beside them `chance`, the mean score of 100 random rotations of the latents, and
            `null_low` and `null_high`, between which 95 % of the gains of rotations lie.
        support: pandas table by `threshold`, a share of a latent's (or factor's) largest entry,
            over active latents: `factors_per_latent` and `latents_per_factor`, means over those
            with any response, and `one_factor`, the share of latents that answer to at most one
            factor: the definition of disentanglement.
    """

    matrix: np.ndarray
    local: np.ndarray
    active: np.ndarray
    factor_names: tuple[str, ...]
    modularity: float
    compactness: float
    score: float
    gain: float
    modularity_active: float
    compactness_active: float
    score_active: float
    gain_active: float
    table: pd.DataFrame
    support: pd.DataFrame

    @property
    def matrix_active(self) -> np.ndarray:
        """Rows of `matrix` of the active latents."""
        return self.matrix[self.active]

    def __str__(self) -> str:
        rows = [f"latent {k}{'' if on else ' (dead)'}" for k, on in enumerate(self.active)]
        matrix = pd.DataFrame(self.matrix, rows, self.factor_names).to_string(float_format="%.2f")
        return f"{matrix}\n\n{self.table.to_string(float_format='%.3f')}"


def factor_jacobian(
    encode: Callable[[np.ndarray], np.ndarray],
    data: GroundTruthData,
    n_points: int = 512,
    seed: int = 0,
    kinds: Mapping[str, str] | None = None,
    active_threshold: float = 0.05,
    batch_size: int = 1_000,
) -> FactorJacobian:
    """Changes one factor at a time and looks at which latents move.

    Finite differences at random base points: central ones for ordered factors (one-sided at the
    ends of the range), around the circle for cyclic ones, to another value for categorical ones.
    They are divided by the standard deviation of the latent and multiplied by that of the factor,
    so that neither scale nor range matters.

    With A the matrix, the modularity of a latent is `(max_j A_ij / sum_j A_ij - 1/F) / (1 - 1/F)`
    for F factors, and the whole is their mean weighted by `sum_j A_ij`; the compactness of a
    factor is the same over latents, 0 for a factor that moves none, and the whole is their mean;
    `score` is the harmonic mean of both. `gain` is `(score - chance) / (1 - chance)`, where chance
    is the mean score of random rotations of the standardized latents: 1 if each latent answers to
    one factor and each factor to one latent, near 0 for a random rotation of such a code, whatever
    has been lost; 0 with fewer than two latents. The local scores are those of each base point,
    averaged: a code that is rotated differently here and there has lower ones.

    Unchanged when latents are permuted, negated or scaled, as long as the same are active: that is
    a matter of their scale, and where none is, all is 0. Dead latents count in the rows without
    `active` where they move at all, since they are divided by their own spread.

    Args:
        encode: Callable from uint8 images `(n, height, width, channels)` to codes
            `(n, latent_dim)`, such as `vae.codes`.
        data: Data set with one image for each combination of its factors.
        n_points: Base points, at least 2; `(2 F + 1) n_points` images are encoded.
        seed: Of base points, swaps and rotations.
        kinds: Of factors by name, where `data.factor_space.kinds` is not what you want.
        active_threshold: See `metrics.active_latents`.
        batch_size: Images a call of `encode`, at least 1.

    Raises:
        TypeError: if `data` has no grid of factors, a count is no integer, `encode` is not
            callable, or `kinds` is no mapping.
        ValueError: if fewer than two factors take two values, for an unknown factor or kind, if
            the codes have a wrong shape or are not finite, or a count is too small.

    References:
        The definition: a representation is disentangled if each latent answers to at most one
        factor, |{j: dr_i / dg_j != 0}| <= 1. Modularity and compactness in the sense of Ridgeway &
        Mozer 2018, 1802.05312, on derivatives instead of information. The rotations are ours.
    """
    found = responses(encode, data, n_points, seed, kinds, batch_size)
    active = active_latents(found.codes, active_threshold)
    spread = found.codes.std(axis=0)
    moving = spread > 1e-9 * np.abs(found.codes).max(initial=1.0)
    slopes = np.zeros_like(found.slopes)
    slopes[:, moving] = found.slopes[:, moving] / spread[moving, None]
    rng = np.random.default_rng(seed)
    rows = {}
    for kept, n, names in (
        (moving, len(moving), ("all", "local")),
        (active & moving, None, ("active", "local_active")),
    ):
        both = _scores(slopes[:, kept], _correlation(found.codes[:, kept]), n, rng)
        rows |= dict(zip(names, both, strict=True))
    table = pd.DataFrame(rows).T.loc[["all", "active", "local", "local_active"]]
    return FactorJacobian(
        _root_mean_square(slopes),
        slopes,
        active,
        found.factor_names,
        *table.loc["all", _NAMES],
        *table.loc["active", _NAMES],
        table,
        _support(_root_mean_square(slopes[:, active & moving])),
    )


def _root_mean_square(slopes):
    return np.sqrt(np.mean(np.square(slopes), axis=0))


def _correlation(codes):
    """Of latents that all vary, `(n, n)`."""
    return np.corrcoef(codes.T).reshape(codes.shape[1], codes.shape[1])


def _scores(slopes, correlation, n_latents, rng):
    """Two rows of the table: of the matrix, and of the points.

    Args:
        slopes: `(n_points, n, n_factors)` of the latents that vary, in standard deviations.
        correlation: `(n, n)` of their codes.
        n_latents: Latents that compactness counts; None for n.
        rng: Of the rotations.
    """
    n = slopes.shape[1]
    n_latents = n if n_latents is None else n_latents
    found = [_both(slopes, n_latents)]
    if n > 1:
        for turn in stats.ortho_group.rvs(n, _N_ROTATIONS, random_state=rng):
            spread = np.sqrt(np.einsum("ji,jk,ki->i", turn, correlation, turn))
            found.append(_both(np.einsum("pjf,ji->pif", slopes, turn / spread), n_latents))
    else:
        found.append(found[0])  # there is nothing to rotate
    return [_row(*np.array(values)) for values in zip(*found, strict=True)]


def _both(slopes, n_latents):
    """Modularity, compactness and score of the matrix, and means of those of the points."""
    points = _three(np.abs(slopes), n_latents)
    return _three(_root_mean_square(slopes), n_latents), [values.mean() for values in points]


def _three(sizes, n_latents):
    """Modularity, compactness and their harmonic mean of matrices `(..., latents, factors)`."""
    n_factors = sizes.shape[-1]
    if not sizes.shape[-2]:
        return np.zeros((3, *sizes.shape[:-2]))
    with np.errstate(invalid="ignore"):
        share = sizes.max(axis=-1).sum(axis=-1) / sizes.sum(axis=(-2, -1))
        of_factors = sizes.max(axis=-2) / sizes.sum(axis=-2)
    modularity = np.nan_to_num((share - 1 / n_factors) / (1 - 1 / n_factors))
    if n_latents > 1:
        of_factors = (of_factors - 1 / n_latents) / (1 - 1 / n_latents)
    compactness = np.nan_to_num(of_factors).mean(axis=-1)
    both = modularity + compactness
    score = 2 * modularity * compactness / np.where(both > 0, both, 1.0)
    return modularity, compactness, score


def _row(found, *of_rotations):
    """A row of the table."""
    modularity, compactness, score = found
    scores = np.array(of_rotations)[:, 2]
    chance = scores.mean()
    room = max(1 - chance, 1e-9)
    low, high = np.percentile(scores, [2.5, 97.5])
    cells = [modularity, compactness, score, chance, (score - chance) / room]
    cells += [(low - chance) / room, (high - chance) / room]
    return dict(zip(_COLUMNS, map(float, cells), strict=True))


def _support(matrix):
    """The table of thresholds, of the latents that are active."""
    rows = []
    for threshold in _THRESHOLDS:
        largest = matrix.max(axis=1, keepdims=True, initial=0.0)
        by_latent = np.sum((matrix > threshold * largest), axis=1)
        by_factor = np.sum(matrix > threshold * matrix.max(axis=0, initial=0.0), axis=0)
        counts = [_mean(by_latent[by_latent > 0]), _mean(by_factor[by_factor > 0])]
        rows.append((threshold, *counts, _mean(by_latent <= 1)))
    names = ["threshold", "factors_per_latent", "latents_per_factor", "one_factor"]
    return pd.DataFrame(rows, columns=names)


def _mean(values):
    return float(np.mean(values)) if len(values) else 0.0
