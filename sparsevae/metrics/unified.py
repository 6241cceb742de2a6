"""Unified scores: one matrix of what each latent has to do with each factor, many readings."""

import dataclasses

import numpy as np

from sparsevae.metrics.dci import dci_from_importance
from sparsevae.metrics.information import entropies
from sparsevae.metrics.modularity import modularity_per_code


@dataclasses.dataclass(frozen=True)
class UnifiedScores:
    """Readings of one matrix; higher is better.

    Attributes:
        disentanglement, completeness: As DCI, in [0, 1].
        mig: Mean over factors of the gap of the two largest entries by the factor's entropy.
        sap: The same without the entropy.
        modularity: As the score of this name, in [0, 1].
        area_precision: Area under the precision curve, see `precision_curve`.
        max_precision: Its maximum.
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
        factors: Integer array `(n_samples, n_factors)`, for the entropies; all must vary.

    Returns:
        The readings. With one latent its runner-up is 0; with one factor modularity and
        disentanglement are 1.

    Raises:
        ValueError: if the matrix has a wrong shape, or an entry is negative or not finite.

    References:
        Locatello et al. 2020, A Sober Look at the Unsupervised Learning of Disentangled
        Representations and their Evaluation, JMLR, 2010.14766, section 5.4; as in
        disentanglement_lib.
    """
    matrix = check_matrix(matrix)
    of_dci = dci_from_importance(matrix)
    ranked = np.sort(np.vstack([np.zeros_like(matrix[:1]), matrix]), axis=0)
    gaps = ranked[-1] - ranked[-2]
    by_entropy = gaps / entropies(factors)
    modularity = modularity_per_code(matrix)
    thresholds, precision = precision_curve(matrix)
    return UnifiedScores(
        disentanglement=of_dci.disentanglement,
        completeness=of_dci.completeness,
        mig=float(by_entropy.mean()),
        sap=float(gaps.mean()),
        modularity=float(modularity.mean()),
        area_precision=float(np.trapezoid(precision[::-1], thresholds[::-1])),
        max_precision=float(precision.max()),
        disentanglement_per_code=of_dci.disentanglement_per_code,
        modularity_per_code=modularity,
        completeness_per_factor=of_dci.completeness_per_factor,
        mig_per_factor=by_entropy,
        sap_per_factor=gaps,
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
    counts = np.cumsum([kind for kind, _ in _links(matrix)])
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
        if merged and threshold > 0:
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
