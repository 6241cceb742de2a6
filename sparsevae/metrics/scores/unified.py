"""Unified scores: one matrix of what each latent has to do with each factor, many readings."""

import dataclasses
import itertools

import numpy as np

from sparsevae.metrics.information import entropies
from sparsevae.metrics.scores.dci import dci_from_importance
from sparsevae.metrics.scores.modularity import modularity_per_code
from sparsevae.metrics.validation import check_factors, varying_factors


@dataclasses.dataclass(frozen=True)
class UnifiedScores:
    """Readings of one matrix; higher is better.

    Attributes:
        disentanglement, completeness: As DCI, in [0, 1].
        mig: Mean over factors of the gap of the two largest entries by the factor's entropy, in
            nats; in [0, 1] for a matrix of information.
        sap: The same gap, not divided; in [0, 1] for shares and accuracies.
        modularity: As the score of this name, in [0, 1].
        area_precision: Area under `precision_curve` by the trapezoid rule, in the matrix's unit.
        max_precision: The curve's maximum, at most the lesser number of latents and factors.
        disentanglement_per_code, modularity_per_code: `(latent_dim,)`.
        completeness_per_factor, mig_per_factor, sap_per_factor: `(n_factors,)`.
    """

    disentanglement: float
    completeness: float
    mig: float
    sap: float
    modularity: float
    area_precision: float
    max_precision: float
    disentanglement_per_code: np.ndarray
    modularity_per_code: np.ndarray
    completeness_per_factor: np.ndarray
    mig_per_factor: np.ndarray
    sap_per_factor: np.ndarray


def unified_scores(matrix: np.ndarray, factors: np.ndarray) -> UnifiedScores:
    """Every way of aggregating on one matrix, whichever score it comes from.

    DCI, MIG, SAP and modularity each build a matrix of latents and factors and aggregate it; all
    matrices with all aggregations tell what comes from which. The matrices of the reference are
    `dci(...).importance`, mutual information and `sap_matrix`. Unchanged when latents are permuted.

    Args:
        matrix: Float array `(latent_dim, n_factors)`, finite, 0 or above.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0, for the entropies.
            One-valued factors are left out: their column does not count, and they score 0.

    Returns:
        The readings; all 0 if no factor varies. With one latent its runner-up is 0; with one
        factor modularity and disentanglement are 1 for each latent in use.

    Raises:
        TypeError: if the factors are not numbers.
        ValueError: if the matrix has a wrong shape, an entry is negative or not finite, or the
            factors are not one for each column.

    References:
        Locatello et al. 2020, A Sober Look at the Unsupervised Learning of Disentangled
        Representations and their Evaluation, JMLR, 2010.14766, section 5.4; as in
        disentanglement_lib.
    """
    matrix, factors = check_matrix(matrix), check_factors(factors)
    if matrix.shape[1] != factors.shape[1]:
        raise ValueError(
            "`factors` must have a column for each column of `matrix`. "
            f"Received: factors.shape={factors.shape}, matrix.shape={matrix.shape}"
        )
    latent_dim, n_factors = matrix.shape
    varied = varying_factors(factors)
    if not varied.any():
        none = [0.0] * 7, [np.zeros(latent_dim)] * 2, [np.zeros(n_factors)] * 3
        return UnifiedScores(*itertools.chain(*none))
    matrix = matrix[:, varied]
    of_dci = dci_from_importance(matrix)
    ranked = np.sort(np.vstack([np.zeros_like(matrix[:1]), matrix]), axis=0)
    gaps = ranked[-1] - ranked[-2]
    by_entropy = gaps / entropies(factors[:, varied])
    modularity = modularity_per_code(matrix)
    thresholds, precision = precision_curve(matrix)

    def per_factor(values):
        return np.bincount(np.flatnonzero(varied), values, minlength=n_factors)

    return UnifiedScores(
        disentanglement=of_dci.disentanglement,
        completeness=of_dci.completeness,
        mig=float(by_entropy.mean()),
        sap=float(gaps.mean()),
        modularity=float(modularity.mean()),
        area_precision=float(-np.diff(thresholds) @ (precision[1:] + precision[:-1]) / 2),
        max_precision=float(precision.max()),
        disentanglement_per_code=of_dci.disentanglement_per_code,
        modularity_per_code=modularity,
        completeness_per_factor=per_factor(of_dci.completeness_per_factor),
        mig_per_factor=per_factor(by_entropy),
        sap_per_factor=per_factor(gaps),
    )


def precision_curve(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many groups of latents and factors stand apart, as the threshold falls.

    Latents and factors are linked where their entry is at least the threshold (and not 0). A
    perfect code shows as many groups as factors over a wide range of thresholds, an entangled one
    soon falls together into one.

    Args:
        matrix: Float array `(latent_dim, n_factors)`, finite, 0 or above.

    Returns:
        Thresholds, the entries in falling order, and for each the number of connected groups of at
        least one latent and one factor; both `(latent_dim * n_factors,)`.

    Raises:
        ValueError: as `unified_scores`.
    """
    matrix = check_matrix(matrix)
    thresholds = np.sort(matrix.ravel())[::-1]
    counts = np.cumsum([change for change, _ in _links(matrix)])
    # Equal entries are linked together: each threshold has the count after the last of them.
    last = np.searchsorted(-thresholds, -thresholds, side="right") - 1
    return thresholds, counts[last]


def merge_thresholds(matrix: np.ndarray) -> np.ndarray:
    """The dendrogram of factors: the threshold at which two factors fall into one group.

    Args:
        matrix: Float array `(latent_dim, n_factors)`, finite, 0 or above.

    Returns:
        Float array `(n_factors, n_factors)`, symmetric: the largest threshold at which a path of
        entries of at least that much links the two; 0 if none does, infinity on the diagonal.

    Raises:
        ValueError: as `unified_scores`.
    """
    matrix = check_matrix(matrix)
    merges = np.zeros((matrix.shape[1], matrix.shape[1]))
    np.fill_diagonal(merges, np.inf)
    thresholds = np.sort(matrix.ravel())[::-1]
    for threshold, (_, merged) in zip(thresholds, _links(matrix), strict=True):
        if merged:
            first, second = merged
            merges[np.ix_(first, second)] = merges[np.ix_(second, first)] = threshold
    return merges


def _links(matrix):
    """For each entry in falling order: change in the number of groups, factors that it merged.

    A link between two lone nodes makes a group (+1), one that joins two groups merges them (-1),
    any other changes nothing (0). Merged factors come as two lists.
    """
    latent_dim, n_factors = matrix.shape
    group = {node: [node] for node in range(latent_dim + n_factors)}  # factors come last
    for entry in np.argsort(-matrix, axis=None, kind="stable"):
        latent, factor = divmod(int(entry), n_factors)
        first, second = group[latent], group[latent_dim + factor]
        if matrix[latent, factor] == 0 or first is second:
            yield 0, None
            continue
        sizes = len(first), len(second)
        factors = [[node - latent_dim for node in g if node >= latent_dim] for g in (first, second)]
        both = first + second
        group.update(dict.fromkeys(both, both))
        change = 1 if sizes == (1, 1) else -1 if min(sizes) > 1 else 0
        yield change, factors if all(factors) else None


def check_matrix(matrix: np.ndarray) -> np.ndarray:
    """A matrix of relations as float64, or one clear error.

    Raises:
        ValueError: if it is empty, not two-dimensional, or an entry is negative or not finite.
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape or not (np.isfinite(matrix) & (matrix >= 0)).all():
        raise ValueError(
            "`matrix` must be a non-empty array (latent_dim, n_factors) of finite numbers of 0 or "
            f"above. Received: shape {matrix.shape}"
        )
    return matrix
