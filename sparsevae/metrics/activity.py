"""Which latents are in use: the one rule for dead latents that all scores share."""

import numpy as np

from sparsevae.metrics.validation import check_codes


def active_latents(codes: np.ndarray, threshold: float = 0.05) -> np.ndarray:
    """Latents whose codes vary: standard deviation over the samples of at least `threshold`.

    A latent below it is dead: it tells nothing, and scores of active latents leave it out. The
    rule depends on the scale of the codes, so it fits posterior means under a unit-scale prior.

    Args:
        codes: Float array `(n_samples, latent_dim)`, at least two samples.
        threshold: Standard deviation, same unit as the codes, 0 or above. 0 keeps every latent,
            constant ones too.

    Returns:
        Boolean array `(latent_dim,)`, True where the latent is active.

    Raises:
        TypeError: if the codes are not real numbers.
        ValueError: if the codes are not finite, not two-dimensional or fewer than two samples, or
            `threshold` is below 0.

    References:
        Kim & Mnih 2018, Disentangling by Factorising, 1802.05983, appendix; threshold and sample
        standard deviation (ddof 1) as in disentanglement_lib.
    """
    codes = check_codes(codes)
    if not threshold >= 0:  # written so that NaN fails too
        raise ValueError(
            f"`threshold` must be a float of 0 or above. Received: threshold={threshold!r}"
        )
    return np.std(codes, axis=0, ddof=1, dtype=np.float64) >= threshold
