"""Interventional robustness score (IRS)."""

import dataclasses

import numpy as np

from sparsevae.metrics.information import bin_codes
from sparsevae.metrics.validation import check_codes_and_factors, varying_factors

N_BINS = 20


@dataclasses.dataclass(frozen=True)
class IRS:
    """Interventional robustness.

    Attributes:
        score: Mean over latents, weighted by `max_deviations`.
        matrix: `(latent_dim, n_factors)`, robustness of each latent if that factor is its parent.
        disentanglement_scores: `(latent_dim,)`, largest entry of each row.
        parents: `(latent_dim,)`, the factor where it is largest; -1 for a dead latent, and if no
            factor varies.
        max_deviations: `(latent_dim,)`, largest deviation from the mean, same unit as the codes.
    """

    score: float
    matrix: np.ndarray
    disentanglement_scores: np.ndarray
    parents: np.ndarray
    max_deviations: np.ndarray


def irs(codes: np.ndarray, factors: np.ndarray, *, quantile: float = 0.99) -> IRS:
    """Interventional robustness: how little a latent moves while its own factor is held.

    For a latent, D is the `quantile` of its absolute deviation from its mean among samples that
    share a value of a factor, averaged over the values, and M its largest absolute deviation from
    its mean over all samples. The robustness with that factor as parent is `1 - D / M`; a latent
    scores its largest, and the score is their mean weighted by M.

    Unchanged when latents are permuted, negated or all scaled alike; scaling one latent changes
    its weight, so a noise latent costs more the larger it is. Dead latents have weight 0.
    Several latents may share a parent unpunished.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        factors: Integer array `(n_samples, n_factors)`, class indices from 0. Values are put into
            20 equal-width bins first, as in the reference, which merges values of factors that
            have more. One-valued factors are left out: zero columns.
        quantile: Of the deviations, in (0, 1]. 1 is the paper's maximum, which one far point
            decides.

    Returns:
        The score, at most 1, higher is better, and its parts; 0 if no factor or latent varies.
        Entries of `matrix` lie in [-1, 1], and are rarely below 0. Noise does not score 0, as
        typical deviations fall short of the largest: a Gaussian latent of 10,000 samples scores
        about 0.35, a uniform one 0.02.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if the sample counts differ, a factor is negative or not whole, a code is not
            finite, an array is empty or not two-dimensional, or `quantile` is not in (0, 1].

    References:
        Suter et al. 2019, Robustly Disentangled Causal Mechanisms, 1811.00007, section 4; quantile
        and bins as in disentanglement_lib.
    """
    codes, factors = check_codes_and_factors(codes, factors)
    if not 0 < quantile <= 1:
        raise ValueError(f"`quantile` must be in (0, 1]. Received: quantile={quantile!r}")
    alive = np.ptp(codes, axis=0) > 0
    living = codes[:, alive].astype(np.float64)
    max_deviations = np.zeros(codes.shape[1])
    max_deviations[alive] = np.abs(living - living.mean(axis=0)).max(axis=0)
    matrix = np.zeros((codes.shape[1], factors.shape[1]))
    best = np.zeros(codes.shape[1])
    parents = np.full(codes.shape[1], -1)
    varied = np.flatnonzero(varying_factors(factors))
    for k in varied:
        groups = bin_codes(factors[:, [k]].astype(np.float64), N_BINS)[:, 0]
        held = _deviation_within_groups(living, groups, quantile)
        matrix[alive, k] = 1 - held / max_deviations[alive]
    if alive.any() and len(varied):
        best[alive] = matrix[np.ix_(alive, varied)].max(axis=1)
        parents[alive] = varied[matrix[np.ix_(alive, varied)].argmax(axis=1)]
    weight = max_deviations.sum()
    score = float(max_deviations @ best / weight) if weight else 0.0
    return IRS(score, matrix, best, parents, max_deviations)


def _deviation_within_groups(codes, groups, quantile):
    """Mean over groups of the quantile of |codes - mean of the group|: `(latent_dim,)`."""
    members = [codes[groups == group] for group in np.unique(groups)]
    deviations = [np.abs(part - part.mean(axis=0)) for part in members]
    return np.mean([np.quantile(part, quantile, axis=0) for part in deviations], axis=0)
