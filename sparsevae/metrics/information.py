"""Information that codes share with factors, by bins or neighbors; arguments are taken as valid."""

import numpy as np


def bin_codes(codes: np.ndarray, n_bins: int) -> np.ndarray:
    """Index of the equal-width bin that each code falls into, latent by latent.

    Bins run from a latent's smallest to its largest value, with edges in the dtype of the codes;
    the largest value falls into the last bin. All values of a constant latent share one bin.

    Args:
        codes: Finite float array `(n_samples, latent_dim)`.
        n_bins: Bins per latent, at least 2.

    Returns:
        Unsigned integer array `(n_samples, latent_dim)`, the smallest dtype that holds its values,
        0 to `n_bins - 1`.

    References:
        `numpy.histogram` as disentanglement_lib uses it. Unlike it, latents whose range is a
        few units of rounding are binned, not refused.
    """
    low, high = codes.min(axis=0), codes.max(axis=0)
    margin = np.where(low == high, 0.5, 0.0).astype(codes.dtype)
    inner_edges = np.linspace(low - margin, high + margin, n_bins + 1)[1:-1]
    columns = np.ascontiguousarray(codes.T)
    bins = np.zeros(columns.shape, np.min_scalar_type(n_bins - 1))
    # Comparing all codes with one edge after another is ten times faster than binary searches.
    for edges in inner_edges:
        bins += columns >= edges[:, None]
    return bins.T


def mutual_information_matrix(bins: np.ndarray, factors: np.ndarray, n_bins: int) -> np.ndarray:
    """Mutual information of each binned latent with each factor, from the observed counts.

    Plug-in estimate; its bias is about `(n_bins - 1) (n_values - 1) / (2 n_samples)` upwards.

    Args:
        bins: Integer array `(n_samples, latent_dim)`, values 0 to `n_bins - 1`.
        factors: Integer array `(n_samples, n_factors)`, any class labels.
        n_bins: Bins per latent.

    Returns:
        Float64 array `(latent_dim, n_factors)` in nats, from 0 (exactly 0 for a latent in one
        bin) to the entropy of the factor.
    """
    latent_dim = bins.shape[1]
    cells = bins.T + n_bins * np.arange(latent_dim)[:, None]
    columns = []
    for factor in factors.T:
        classes, counts = _classes(factor)
        joint = np.bincount(
            (cells * len(counts) + classes).ravel(), minlength=latent_dim * n_bins * len(counts)
        )
        columns.append(_information_of_counts(joint.reshape(latent_dim, n_bins, len(counts))))
    return np.stack(columns, axis=1)


def _information_of_counts(joint: np.ndarray) -> np.ndarray:
    """Mutual information in nats `(latent_dim,)` of counts `(latent_dim, n_bins, n_values)`."""
    joint = joint.astype(np.float64)
    n_samples = joint[0].sum()
    independent = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint * n_samples, independent, out=np.ones_like(joint), where=joint > 0)
    information = (joint * np.log(ratio)).sum(axis=(1, 2)) / n_samples
    return np.maximum(information, 0.0)  # rounding alone can go below


def neighbor_information(
    codes: np.ndarray, factors: np.ndarray, n_neighbors: int, *, continuous: bool, seed: int
) -> np.ndarray:
    """Mutual information of each latent with each factor, from distances to nearest neighbors.

    Unchanged when a latent is moved, rescaled or negated, but for rounding and, among equal values,
    the jitter of a ten-billionth of the spread that keeps them apart. An estimate below 0 is 0.

    Args:
        codes: Finite float array `(n_samples, latent_dim)`, no latent constant.
        factors: Class labels, or numbers if `continuous`; `(n_samples, n_factors)`.
        n_neighbors: Neighbors looked at; fewer in a class of up to as many samples.
        continuous: Whether factors are numbers; needs more than `n_neighbors` samples.
        seed: Of the jitter, the same for every latent.

    Returns:
        Float64 array `(latent_dim, n_factors)` in nats, 0 or above; may exceed the entropy of the
        factor by the error of the estimate. A class of one sample has no part in it.

    References:
        Ross 2014, Mutual Information between Discrete and Continuous Data Sets, and for numbers
        Kraskov, Stögbauer & Grassberger 2004, Estimating mutual information, as in scikit-learn.
    """
    # Loaded only where used: half a second.
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    estimate = mutual_info_regression if continuous else mutual_info_classif
    jitter = int(np.random.default_rng(seed).integers(2**32))  # scikit-learn's seeds end there
    # One call a pair: a latent's jitter depends on no other.
    columns = codes.astype(np.float64)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    information = np.zeros((codes.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        if not continuous and _classes(factor)[1].max() == 1:
            continue  # no sample has a neighbor of its class
        for i, column in enumerate(columns.T):
            information[i, k] = estimate(
                column[:, None],
                factor,
                discrete_features=False,
                n_neighbors=n_neighbors,
                random_state=jitter,
            )[0]
    return information


def entropies(factors: np.ndarray) -> np.ndarray:
    """Entropy of each factor, from the observed counts.

    Args:
        factors: Integer array `(n_samples, n_factors)`, any class labels.

    Returns:
        Float64 array `(n_factors,)` in nats, 0 or above.
    """
    shares = [_classes(factor)[1] / len(factor) for factor in factors.T]
    return np.array([-(share * np.log(share)).sum() for share in shares])


def _classes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels `(n,)` in order as numbers 0, 1, 2, ... without gaps, and how often each comes."""
    if labels.min() < 0 or labels.max() > len(labels):
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        return classes, counts
    counts = np.bincount(labels)  # no sorting where labels are small
    present = counts > 0
    return (np.cumsum(present) - 1)[labels], counts[present]
