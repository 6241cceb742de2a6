"""Linear probes of units for factors, and what a rotation of the units does to them."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparsevae.metrics import dci_from_importance

_SHRINKAGES = 10.0 ** np.arange(-4, 2)  # of correlations, to choose from
_LEAST = 0.05  # R^2 below which a factor counts as absent


@dataclasses.dataclass(frozen=True)
class Targets:
    """What probes predict: columns of mean 0 and variance 1, some for each factor.

    Attributes:
        values: Float64 `(n_samples, n_columns)`.
        factor: Integers `(n_columns,)`: the factor that each column belongs to.
        names: Names of the factors.
    """

    values: np.ndarray
    factor: np.ndarray
    names: tuple[str, ...]

    def by_factor(self, columns: np.ndarray) -> np.ndarray:
        """Sums of `(..., n_columns)` over the columns of each factor, `(..., n_factors)`."""
        return np.stack(
            [columns[..., self.factor == k].sum(axis=-1) for k in range(len(self.names))], axis=-1
        )


def targets(
    factors: np.ndarray,
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    periods: Mapping[int, int],
) -> Targets:
    """Ordered factors as they are, cyclic ones as cosine and sine, categorical ones as indicators.

    Args:
        factors: Integers `(n_samples, n_factors)`; those with one value are left out.
        names, kinds: Of the columns.
        periods: Of cyclic factors, by column.
    """
    columns, owner, kept = [], [], []
    for k, kind in enumerate(kinds):
        values = factors[:, k]
        if (values == values[0]).all():
            continue
        if kind == "cyclic":
            angle = 2 * np.pi * values / periods[k]
            new = [np.cos(angle), np.sin(angle)]
        elif kind == "categorical":
            new = [(values == value).astype(float) for value in np.unique(values)]
        else:
            new = [values.astype(float)]
        new = [column for column in new if np.ptp(column) > 1e-9]
        columns += new
        owner += [len(kept)] * len(new)
        kept.append(names[k])
    values = np.stack(columns, axis=1)
    return Targets(
        (values - values.mean(axis=0)) / values.std(axis=0), np.array(owner), tuple(kept)
    )


@dataclasses.dataclass(frozen=True)
class Probed:
    """How well units tell factors: float arrays `(n_factors,)`, and a score of all.

    Attributes:
        probe: R^2 of a linear probe of all units, at least 0, on images of its own.
        best: R^2 of the best single unit for each target, the same.
        rotation: `1 - best / probe` in [0, 1]: 0 where one unit tells as much as all together; NaN
            where the probe explains less than 5 %.
        disentanglement: DCI's, of the absolute weights of the probe.
    """

    probe: np.ndarray
    best: np.ndarray
    rotation: np.ndarray
    disentanglement: float


class Probes:
    """Probes of the units of one layer, fitted once and looked at from any direction.

    Units are standardized first; those that do not vary are left out. A fifth of the samples
    chooses the shrinkage for each target, a fifth tests, the others fit.

    Args:
        units: Float array `(n_samples, n_units)`.
        wanted: Of the same samples, in random order.
    """

    def __init__(self, units: np.ndarray, wanted: Targets):
        self._wanted = wanted
        n = len(units)
        parts = np.split(np.arange(n), [n * 3 // 5, n * 4 // 5])
        units = standardized(units, parts[0])
        self.n_alive = units.shape[1]
        fit, choose, self._test = (units[part] for part in parts)
        y_fit, y_choose, self._y_test = (wanted.values[part] for part in parts)
        self._means = y_fit.mean(axis=0)
        self._covariance = fit.T @ fit / len(fit)
        self._relation = fit.T @ (y_fit - self._means) / len(fit)
        variances, axes = np.linalg.eigh(self._covariance)
        aligned = axes.T @ self._relation
        weights = [axes @ (aligned / (variances[:, None] + k)) for k in _SHRINKAGES]
        scores = [_r2(y_choose, choose @ w + self._means) for w in weights]
        best = np.argmax(scores, axis=0)
        self._weights = np.stack(weights)[best, :, np.arange(len(best))].T
        self._probe = np.maximum(_r2(self._y_test, self._test @ self._weights + self._means), 0)

    def seen(self, turn: np.ndarray | None = None) -> Probed:
        """What the units tell; with `turn`, orthogonal `(n_alive, n_alive)`, after a rotation."""
        covariance, relation, test, weights = (
            np.diag(self._covariance),
            self._relation,
            self._test,
            self._weights,
        )
        if turn is not None:
            covariance = np.einsum("ij,ij->j", turn, self._covariance @ turn)
            relation, test, weights = turn.T @ relation, test @ turn, turn.T @ weights
        best = self._best(covariance, relation, test)
        probe, best = (self._wanted.by_factor(values) for values in (self._probe, best))
        n_columns = self._wanted.by_factor(np.ones(len(self._means)))
        there = probe / n_columns >= _LEAST
        rotation = np.where(there, np.clip(1 - best / np.where(there, probe, 1), 0, 1), np.nan)
        sizes = self._wanted.by_factor(np.abs(weights) * np.sqrt(covariance)[:, None])
        disentanglement = dci_from_importance(sizes).disentanglement if self.n_alive else 0.0
        return Probed(probe / n_columns, best / n_columns, rotation, disentanglement)

    def _best(self, variance, relation, test):
        """R^2 of the unit that tells most of each target among the samples of the fit."""
        if not self.n_alive:
            return np.zeros(len(self._means))
        explained = relation**2 / variance[:, None]
        chosen = explained.argmax(axis=0)
        columns = np.arange(len(chosen))
        slope = relation[chosen, columns] / variance[chosen]
        return np.maximum(_r2(self._y_test, test[:, chosen] * slope + self._means), 0)


def standardized(units: np.ndarray, fit: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Float64 units of mean 0 and variance 1 in the rows `fit`, without those that are constant."""
    mean = units[fit].mean(axis=0, dtype=np.float64)
    spread = units[fit].std(axis=0, dtype=np.float64)
    alive = spread > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return (units[:, alive] - mean[alive]) / spread[alive]


def _r2(values, predicted):
    """`(n_columns,)`; 0 for a column without variance."""
    residual = np.square(values - predicted).sum(axis=0)
    total = np.square(values - values.mean(axis=0)).sum(axis=0)
    return np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), 0.0)


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Similarity of two layers that no rotation of either changes, in [0, 1].

    Args:
        first, second: Float arrays `(n_samples, n_units)` of the same samples.

    References:
        Kornblith et al. 2019, Similarity of Neural Network Representations Revisited, section 3,
        1905.00414.
    """
    first, second = (x - x.mean(axis=0, dtype=np.float64) for x in (first, second))
    scale = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    return float(np.linalg.norm(first.T @ second) ** 2 / scale) if scale > 0 else 0.0


def matching(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute correlation of units that are paired one to one as well as can be, in [0, 1].

    Unlike `linear_cka` it falls when one layer's units are rotated.

    Args:
        first, second: Float arrays `(n_samples, n_units)` of the same samples; units that do not
            vary correlate with nothing.
    """
    first, second = (standardized(x) for x in (first, second))
    if not first.shape[1] or not second.shape[1]:
        return 0.0
    correlation = np.abs(first.T @ second) / len(first)
    return float(correlation[linear_sum_assignment(correlation, maximize=True)].mean())


def participation(kernel: np.ndarray) -> float:
    """Share of the output channels that an input channel feeds, mean over input channels.

    `(sum_j e_j)^2 / (n_out sum_j e_j^2)` with e_j the sum of squares of its weights to channel j:
    1 if all are alike, 1 / n_out if only one is not 0. Input channels without weights do not count.

    Args:
        kernel: Float array `(..., in_channels, out_channels)`.
    """
    energy = np.square(np.asarray(kernel, np.float64))
    energy = energy.reshape(-1, *energy.shape[-2:]).sum(axis=0)
    energy = energy[energy.sum(axis=1) > 0]
    if not len(energy):
        return 0.0
    ratio = energy.sum(axis=1) ** 2 / np.square(energy).sum(axis=1)
    return float(ratio.mean() / energy.shape[1])
