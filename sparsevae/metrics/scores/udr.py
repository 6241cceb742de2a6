"""Unsupervised disentanglement ranking (UDR): choosing among models without labels."""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from sparsevae.checks import check_choice
from sparsevae.metrics.validation import check_codes

PENALTY = 0.1  # of the lasso
MIN_KL = 0.01  # nats; a latent below is not informative


@dataclasses.dataclass(frozen=True)
class UDR:
    """Agreement of models.

    Attributes:
        model_scores: `(n_models,)`, median of each model's column over the other models.
        pairwise: `(n_models, n_models)`, agreement of two models, 0 on the diagonal. The lasso's
            is not symmetric.
    """

    model_scores: np.ndarray
    pairwise: np.ndarray


def udr(
    list_of_codes: Sequence[np.ndarray],
    list_of_kl: Sequence[np.ndarray] | None = None,
    *,
    method: str = "lasso",
) -> UDR:
    """UDR: how well models that differ in their seed alone agree, latent by latent.

    Disentangled models should agree up to order and sign of their latents; entangled ones differ
    by rotations. R holds how strongly each latent of one model goes with each of the other:
    absolute lasso coefficients at 0.1 or Spearman correlations, on standardized codes. The
    agreement is the mean of two means, over rows and over columns, of `max(R)^2 / sum(R)`, taken
    over informative latents only. Unchanged when latents are permuted, negated or rescaled.

    Args:
        list_of_codes: One float array `(n_samples, latent_dim)` for each of at least two models,
            codes of the same images; `latent_dim` may differ.
        list_of_kl: One array `(latent_dim,)` for each model: mean KL of each latent in nats.
            Latents of 0.01 or less are not informative. None filters none: dead latents, which
            go with no other, then count 0 in the means.
        method: "lasso" or "spearman".

    Returns:
        Scores in about [0, 1], higher is better. A model without informative latents scores 0.

    Raises:
        TypeError: if an array is not numeric or `method` not a string.
        ValueError: if there are fewer than two models, sample counts differ, lengths disagree, a
            value is not finite or `method` is unknown.

    References:
        Duan et al. 2020, Unsupervised Model Selection for Variational Disentangled Representation
        Learning, 1905.12614, section 4. They divide the sum over the latents of both models by
        their total number; as in disentanglement_lib it is the mean of two means here, which is
        the same where both models have as many informative latents.
    """
    check_choice("method", method, ("lasso", "spearman"))
    models, informative = _check_models(list_of_codes, list_of_kl)
    correlate = {"lasso": _lasso, "spearman": _correlations}[method]
    samples = [
        _standardized(_ranks(codes[:, kept]) if method == "spearman" else codes[:, kept])
        for codes, kept in zip(models, informative, strict=True)
    ]
    n_models = len(models)
    pairwise = np.zeros((n_models, n_models))
    for i, j in itertools.permutations(range(n_models), 2):
        if samples[i].size and samples[j].size:
            pairwise[i, j] = _agreement(correlate(samples[i], samples[j]))
    columns = [np.delete(pairwise[:, j], j) for j in range(n_models)]
    return UDR(np.array([np.median(column) for column in columns]), pairwise)


def _check_models(list_of_codes, list_of_kl):
    """Codes of each model, and which of its latents are informative."""
    models = [check_codes(codes) for codes in list_of_codes]
    if len(models) < 2 or len({len(codes) for codes in models}) > 1:
        raise ValueError(
            "`list_of_codes` must hold codes of the same samples from at least 2 models. "
            f"Received: shapes {[codes.shape for codes in models]}"
        )
    if list_of_kl is None:
        return models, [np.ones(codes.shape[1], bool) for codes in models]
    kls = [np.asarray(kl, np.float64) for kl in list_of_kl]
    expected = [codes.shape[1:] for codes in models]
    if [kl.shape for kl in kls] != expected or not all(np.isfinite(kl).all() for kl in kls):
        raise ValueError(
            "`list_of_kl` must hold a finite KL for each latent of each model, shapes "
            f"{expected}. Received: shapes {[kl.shape for kl in kls]}, or a KL that is not finite"
        )
    return models, [kl > MIN_KL for kl in kls]


def _ranks(codes):
    # Loaded only where used: half a second.
    from scipy.stats import rankdata

    return rankdata(codes, axis=0)


def _standardized(codes):
    """Mean 0 and variance 1 in each latent; constant latents are 0, so they go with none."""
    codes = codes.astype(np.float64)
    alive = np.ptp(codes, axis=0) > 0
    return np.where(alive, codes - codes.mean(axis=0), 0.0) / np.where(alive, codes.std(axis=0), 1)


def _correlations(first, second):
    """Absolute correlations `(latent_dim of first, of second)`."""
    return np.abs(first.T @ second) / len(first)


def _lasso(first, second):
    """Absolute coefficients that predict the second model's latents from the first's."""
    # Loaded only where used: half a second.
    from sklearn.linear_model import Lasso

    model = Lasso(alpha=PENALTY, precompute=first.T @ first).fit(first, second)
    return np.abs(model.coef_).reshape(second.shape[1], first.shape[1]).T


def _agreement(strength):
    """Mean over latents of both sides of `max^2 / sum`; a latent that goes with none counts 0."""
    sides = []
    for axis in (0, 1):
        total = strength.sum(axis=axis)
        best = np.square(strength.max(axis=axis))
        sides.append(np.mean(best / np.where(total > 0, total, 1.0)))
    return np.mean(sides)
