"""The E and S of DCI-ES: how much capacity it takes to use a code, and its size."""

import dataclasses

import numpy as np

from sparsevae.metrics.validation import check_split, varying_factors

# Random features beside the codes themselves; each count is one capacity.
N_FEATURES = (0, 8, 16, 32, 64, 128, 256, 512)
_RIDGE = 1e-3  # per sample, on standardized features
_MIN_GAIN = 0.01  # a fall of the loss by less is noise: the factor is not predicted at all


@dataclasses.dataclass(frozen=True)
class DCIES:
    """Explicitness and size.

    Attributes:
        explicitness: Mean over factors.
        size: Factors that vary by latents.
        explicitness_per_factor: `(n_factors,)`, 0 for factors left out.
        losses: `(n_capacities, n_factors)`: squared test error at each capacity as a share of that
            of guessing the mean; 1 means nothing is predicted.
    """

    explicitness: float
    size: float
    explicitness_per_factor: np.ndarray
    losses: np.ndarray


def dci_es(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    *,
    continuous: bool = False,
    seed: int = 0,
) -> DCIES:
    """Explicitness by the loss-capacity curve, and size.

    Probes of growing capacity predict each factor as a number, classes by their index: ridge
    regressions, first on the codes, then on the codes with 8, 16, ..., 512 random Fourier features.
    With the lowest loss so far drawn over capacity, explicitness is one minus the area between
    the curve and its lowest value, as a share of the triangle that an even fall from guessing to
    the best loss would leave: 1 if the first probe is already the best, 0 if the fall is even,
    below 0 if only large probes see anything. Unchanged when latents are
    permuted, negated, rescaled or joined by dead ones (up to the random features).

    Args:
        codes: Float array `(n_train, latent_dim)`.
        factors: Integer array `(n_train, n_factors)`, class indices from 0; finite numbers if
            `continuous`. One-valued factors are left out.
        test_codes: Float array `(n_test, latent_dim)`.
        test_factors: Array `(n_test, n_factors)`.
        continuous: Whether factors may be any numbers; the probes are the same.
        seed: Of the random features.

    Returns:
        Explicitness in [-1, 1], higher is better, and size. A factor of which no probe predicts
        1 % has explicitness 0. Size is 1 for as many latents, dead ones included, as factors.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if sample counts or columns differ, a class is negative or not whole, a number
            or code is not finite, or an array is empty or not two-dimensional.

    References:
        Eastwood, Nicolicioiu, von Kügelgen et al. 2023, DCI-ES: An Extended Disentanglement
        Framework with Connections to Identifiability, 2210.00364, section 4. Random Fourier
        features are one of the paper's probes; capacities are evenly spaced here, one a doubling.
    """
    codes, factors, test_codes, test_factors = check_split(
        codes, factors, test_codes, test_factors, continuous=continuous
    )
    varied = varying_factors(factors)
    alive = np.ptp(codes, axis=0) > 0
    losses = np.ones((len(N_FEATURES), factors.shape[1]))
    if varied.any() and alive.any():
        features = _features(codes[:, alive], test_codes[:, alive], seed)
        losses[:, varied] = _losses(*features, factors[:, varied], test_factors[:, varied])
    per_factor = _explicitness(losses)
    per_factor[~varied] = 0.0
    return DCIES(
        explicitness=float(per_factor[varied].mean()) if varied.any() else 0.0,
        size=float(varied.sum() / codes.shape[1]),
        explicitness_per_factor=per_factor,
        losses=losses,
    )


def _features(codes, test_codes, seed):
    """Standardized codes and cosines of random projections, for training and test samples."""
    mean, spread = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    rng = np.random.default_rng(seed)
    # One draw a feature and latent, so that dead latents elsewhere do not change it.
    directions = rng.normal(size=(N_FEATURES[-1], codes.shape[1])).T
    phase = rng.uniform(0, 2 * np.pi, N_FEATURES[-1])
    scaled = [(sample - mean) / spread for sample in (codes, test_codes)]
    return [
        np.hstack([sample, np.cos(sample @ directions / np.sqrt(codes.shape[1]) + phase)])
        for sample in scaled
    ]


def _losses(train, test, factors, test_factors):
    """Squared test error as a share of that of guessing: `(n_capacities, n_factors)`."""
    mean, center = factors.mean(axis=0), train.mean(axis=0)
    targets, wanted = factors - mean, test_factors - mean
    train, test = train - center, test - center
    gram, moments = train.T @ train, train.T @ targets
    base = np.square(wanted).sum(axis=0)
    latent_dim = train.shape[1] - N_FEATURES[-1]
    losses = []
    for n in N_FEATURES:
        size = latent_dim + n
        ridge = _RIDGE * len(train) * np.eye(size)
        weights = np.linalg.solve(gram[:size, :size] + ridge, moments[:size])
        error = np.square(wanted - test[:, :size] @ weights).sum(axis=0)
        losses.append(error / np.where(base > 0, base, 1.0))
    return np.array(losses)


def _explicitness(losses):
    """One minus the area above the lowest loss, as a share of the triangle: `(n_factors,)`."""
    curve = np.minimum.accumulate(np.vstack([np.ones(losses.shape[1]), losses]), axis=0)
    gain = 1 - curve[-1]
    # The curve over capacities 0, 1, ..., n; the first probe counts as capacity 0 too, so that
    # a code that it reads in full has explicitness 1.
    above = (curve[1:] - curve[-1]).T
    area = np.trapezoid(above, dx=1 / (losses.shape[0] - 1), axis=1)
    predicted = gain > _MIN_GAIN
    return np.where(predicted, 1 - 2 * area / np.where(predicted, gain, 1.0), 0.0)
