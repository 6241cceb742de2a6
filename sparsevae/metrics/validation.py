"""What every score asks of its arrays, checked in one place and refused by name."""

import numpy as np

# Said where real-valued factors reach a score of classes.
_REAL_VALUED = (
    "bin real-valued factors first, or use a score that takes them: sap, dci_es and "
    'infomec_published with continuous=True, dci with estimator="lasso" or "random_forest"'
)


def check_codes(codes: np.ndarray, min_samples: int = 2) -> np.ndarray:
    """Codes as a float array, or one clear error.

    Args:
        codes: Real array `(n_samples, latent_dim)`, finite, at least one latent.
        min_samples: Fewest samples that make sense.

    Returns:
        Float array `(n_samples, latent_dim)`: float32 and float64 as they came, all else float64.

    Raises:
        TypeError: if the values are not real numbers.
        ValueError: if the shape is not two-dimensional, there are too few samples or no
            latent, a value is NaN or infinite, or the range of a latent overflows its float type.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or len(codes) < min_samples or not codes.shape[1]:
        raise ValueError(
            "`codes` must be an array (n_samples, latent_dim) with n_samples of at least "
            f"{min_samples} and latent_dim of at least 1. Received: codes.shape={codes.shape}"
        )
    if not np.can_cast(codes.dtype, np.float64, casting="same_kind"):
        raise TypeError(f"`codes` must be real numbers. Received: codes.dtype={codes.dtype}")
    if codes.dtype not in (np.float32, np.float64):
        codes = codes.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        # NaN and infinity both reach the range; that of all latents together is quickly found.
        finite = np.isfinite(codes.max() - codes.min()) or np.isfinite(np.ptp(codes, axis=0))
    if not np.all(finite):
        latents = np.flatnonzero(~finite).tolist()
        raise ValueError(
            "`codes` must be finite, with a finite range in each latent. "
            f"Received: NaN, infinite or overflowing values in latents {latents}"
        )
    return codes


def check_factors(factors: np.ndarray, *, continuous: bool = False) -> np.ndarray:
    """Factors as an int64 array, or as a float64 array of numbers, or one clear error.

    Args:
        factors: Array `(n_samples, n_factors)` of class indices: whole numbers, 0 or above, in any
            numeric dtype; gaps are allowed.
        continuous: Whether factors are any finite numbers instead.

    Returns:
        Array `(n_samples, n_factors)`: int64, or float64 if `continuous`.

    Raises:
        TypeError: if the values are not numbers.
        ValueError: if the shape is not two-dimensional, an axis is empty, or a value is negative
            or not whole, or not finite if `continuous`.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or 0 in factors.shape:
        raise ValueError(
            "`factors` must be a non-empty array (n_samples, n_factors). "
            f"Received: factors.shape={factors.shape}"
        )
    if not np.can_cast(factors.dtype, np.float64, casting="same_kind"):
        kind = "real numbers" if continuous else "integers"
        raise TypeError(f"`factors` must be {kind}. Received: factors.dtype={factors.dtype}")
    values = factors.astype(np.float64)
    if continuous:
        allowed, right = "finite numbers", np.isfinite(values)
    else:
        allowed = "class indices: whole numbers from 0 to 2**53"
        right = (values >= 0) & (values <= 2**53) & (values == np.floor(values))
    if not right.all():
        advice = "" if continuous else f"; {_REAL_VALUED}"
        raise ValueError(
            f"`factors` must be {allowed}. Received: {factors[~right][0]} in factor "
            f"{np.argwhere(~right)[0, 1]}{advice}"
        )
    return values if continuous else factors.astype(np.int64)


def check_codes_and_factors(
    codes: np.ndarray, factors: np.ndarray, *, continuous: bool = False, min_samples: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors of the same samples, or one clear error.

    Args:
        codes: Array `(n_samples, latent_dim)`, see `check_codes`.
        factors: Array `(n_samples, n_factors)`, see `check_factors`.
        continuous: Whether factors are numbers, see `check_factors`.
        min_samples: Fewest samples that make sense.

    Returns:
        Float codes `(n_samples, latent_dim)` and factors `(n_samples, n_factors)`, int64 or float64
        if `continuous`.

    Raises:
        TypeError: as `check_codes` and `check_factors`.
        ValueError: as `check_codes` and `check_factors`, and if the sample counts differ.
    """
    codes = check_codes(codes, min_samples)
    factors = check_factors(factors, continuous=continuous)
    if len(codes) != len(factors):
        raise ValueError(
            "`codes` and `factors` must hold the same number of samples. "
            f"Received: codes.shape={codes.shape}, factors.shape={factors.shape}"
        )
    return codes, factors


def check_split(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray,
    test_factors: np.ndarray,
    *,
    continuous: bool = False,
    min_test: int = 2,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test samples of the same latents and factors, or one clear error.

    Args:
        codes: Array `(n_train, latent_dim)`, see `check_codes`.
        factors: Array `(n_train, n_factors)`, see `check_factors`.
        test_codes: Array `(n_test, latent_dim)`.
        test_factors: Array `(n_test, n_factors)`.
        continuous: Whether factors are numbers, see `check_factors`.
        min_test: Fewest test samples that make sense.

    Returns:
        The four arrays, codes as floats and factors as int64, or float64 if `continuous`.

    Raises:
        TypeError: as `check_codes` and `check_factors`.
        ValueError: as `check_codes_and_factors`, and if latents or factors differ in number.
    """
    codes, factors = check_codes_and_factors(codes, factors, continuous=continuous)
    test_codes, test_factors = check_codes_and_factors(
        test_codes, test_factors, continuous=continuous, min_samples=min_test
    )
    for name, train, test in (("codes", codes, test_codes), ("factors", factors, test_factors)):
        if train.shape[1] != test.shape[1]:
            raise ValueError(
                f"`{name}` and `test_{name}` must have the same number of columns. "
                f"Received: {name}.shape={train.shape}, test_{name}.shape={test.shape}"
            )
    return codes, factors, test_codes, test_factors


def varying_factors(factors: np.ndarray) -> np.ndarray:
    """Factors that take at least two values: the one rule for one-valued factors.

    A one-valued factor carries no information: every score leaves it out, as if its column were
    not there. Where none is left a score is 0.

    Args:
        factors: Array `(n_samples, n_factors)`.

    Returns:
        Boolean array `(n_factors,)`.
    """
    return factors.min(axis=0) != factors.max(axis=0)


def check_batches(
    prefix: str, factor: np.ndarray, latent_dim: int, *batches: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Batches of codes and the factor that each holds, or one clear error.

    Args:
        prefix: Beginning of the argument names, for the message.
        factor: Integer array `(n_votes,)`, 0 or above.
        latent_dim: Number of latents expected.
        batches: Float arrays `(n_votes, batch, latent_dim)` of one shape, batch of at least 2.

    Returns:
        Int64 factor `(n_votes,)`, then the batches as float arrays.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if shapes disagree, a value is not finite, or a factor is negative or not whole.
    """
    arrays = [np.asarray(array) for array in batches]
    shape = arrays[0].shape
    if any(a.ndim != 3 or a.shape != shape for a in arrays) or not (
        shape[0] >= 1 and shape[1] >= 2 and shape[2] == latent_dim >= 1
    ):
        raise ValueError(
            f"`{prefix}` codes must have the shape (n_votes, batch, latent_dim={latent_dim}), a "
            f"batch of at least 2. Received: shapes {[array.shape for array in arrays]}"
        )
    if np.ndim(factor) != 1 or len(factor) != shape[0]:
        raise ValueError(
            f"`{prefix}_factor` must hold one factor for each of the {shape[0]} votes. "
            f"Received: shape {np.shape(factor)}"
        )
    codes = [check_codes(array.reshape(-1, latent_dim)).reshape(shape) for array in arrays]
    return check_factors(np.asarray(factor)[:, None])[:, 0], *codes
