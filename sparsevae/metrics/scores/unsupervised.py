"""Scores that need no factors: how far the latents are from independent."""

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.information import bin_codes, mutual_information_matrix
from sparsevae.metrics.validation import check_codes


def gaussian_total_correlation(codes: np.ndarray) -> float:
    """Total correlation of a Gaussian with the covariance of the codes, in nats.

    `-1/2 ln det R`, R the correlation matrix of the latents: the divergence of the joint Gaussian
    from the product of its marginals. Unchanged when latents are permuted, negated, rescaled or
    joined by dead ones. Blind to dependence that is not linear.

    Args:
        codes: Float array `(n_samples, latent_dim)`.

    Returns:
        Nats, 0 or above, lower is better; 0 with fewer than two latents that vary. Latents that
        determine each other exactly would give infinity: eigenvalues of R count as at least
        `latent_dim` times the float64 epsilon, about 17 nats for each such dependence.

    Raises:
        TypeError: if the codes are not real numbers.
        ValueError: if the codes are not finite, empty or not two-dimensional.

    References:
        Watanabe 1960; as in disentanglement_lib (Locatello et al. 2019, 1811.12359).
    """
    covariance = _covariance(codes)
    alive = np.diag(covariance) > 0
    if alive.sum() < 2:
        return 0.0
    covariance = covariance[np.ix_(alive, alive)]
    spread = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(covariance / np.outer(spread, spread))
    floor = len(eigenvalues) * np.finfo(np.float64).eps
    return max(0.0, float(-0.5 * np.log(np.maximum(eigenvalues, floor)).sum()))


def gaussian_wasserstein_correlation(codes: np.ndarray, *, normalized: bool = False) -> float:
    """Squared 2-Wasserstein distance of a Gaussian from the product of its marginals.

    `2 tr S - 2 tr (S^1/2 diag(S) S^1/2)^1/2` with S the covariance of the codes. Unchanged when
    latents are permuted, negated or joined by dead ones; it grows with the square of the scale,
    the normalized form (divided by tr S) does not when all latents are scaled alike.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        normalized: Whether to divide by the total variance.

    Returns:
        Float of 0 or above, lower is better, in squared units of the codes or, normalized, of the
        total variance. 0 if no latent varies.

    Raises:
        TypeError: if the codes are not real numbers.
        ValueError: if the codes are not finite, empty or not two-dimensional.

    References:
        Gelbrich 1990 for the distance of two Gaussians; as in disentanglement_lib (Locatello et
        al. 2019, 1811.12359), whose general matrix root this symmetric form avoids.
    """
    covariance = _covariance(codes)
    total = np.trace(covariance)
    if not total > 0:
        return 0.0
    # tr (S diag(S))^1/2 = tr (D^1/2 S D^1/2)^1/2, D = diag(S): symmetric, so its root is real.
    root = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(root[:, None] * covariance * root)
    distance = 2 * total - 2 * np.sqrt(np.maximum(eigenvalues, 0.0)).sum()
    return max(0.0, float(distance / total if normalized else distance))


def mutual_information_score(codes: np.ndarray, *, n_bins: int = 20) -> float:
    """Mean mutual information of two latents, over all pairs of binned codes, in nats.

    Unchanged when latents are permuted, negated or rescaled. A dead latent shares nothing with any
    other, so it lowers the mean.

    Args:
        codes: Float array `(n_samples, latent_dim)`.
        n_bins: Equal-width bins per latent, at least 2.

    Returns:
        Nats in [0, ln n_bins], lower is better; 0 with a single latent. Independent latents give
        about `(n_bins - 1)^2 / (2 n_samples)`.

    Raises:
        TypeError: if the codes are not real numbers or `n_bins` is not an integer.
        ValueError: if the codes are not finite, empty or not two-dimensional, or `n_bins` below 2.

    References:
        As in disentanglement_lib (Locatello et al. 2019, 1811.12359).
    """
    codes = check_codes(codes)
    n_bins = check_integer("n_bins", n_bins, minimum=2)
    latent_dim = codes.shape[1]
    if latent_dim == 1:
        return 0.0
    bins = bin_codes(codes, n_bins)
    information = mutual_information_matrix(bins, bins, n_bins)
    return float((information.sum() - np.trace(information)) / (latent_dim * (latent_dim - 1)))


def _covariance(codes):
    """Sample covariance `(latent_dim, latent_dim)`, float64, exactly 0 for constant latents."""
    codes = check_codes(codes).astype(np.float64)
    centered = codes - codes.mean(axis=0)
    centered[:, np.ptp(codes, axis=0) == 0] = 0.0
    return centered.T @ centered / (len(codes) - 1)
