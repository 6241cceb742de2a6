"""What every score asks of its arrays, checked in one place and refused by name."""

import operator

import numpy as np


def check_codes(codes: np.ndarray) -> np.ndarray:
    """Codes as a float array, or one clear error.

    Args:
        codes: Real array `(n_samples, latent_dim)`, finite, neither axis empty.

    Returns:
        Float array `(n_samples, latent_dim)`: float32 and float64 as they came, all else float64.

    Raises:
        TypeError: if the values are not real numbers.
        ValueError: if the shape is not two-dimensional, an axis is empty, a value is NaN or
            infinite, or the range of a latent overflows its float type.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            "`codes` must be a non-empty array (n_samples, latent_dim). "
            f"Received: codes.shape={codes.shape}"
        )
    if not np.can_cast(codes.dtype, np.float64, casting="same_kind"):
        raise TypeError(f"`codes` must be real numbers. Received: codes.dtype={codes.dtype}")
    if codes.dtype not in (np.float32, np.float64):
        codes = codes.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(np.ptp(codes, axis=0))  # NaN and infinity both reach the range
    if not finite.all():
        latents = np.flatnonzero(~finite).tolist()
        raise ValueError(
            "`codes` must be finite, with a finite range in each latent. "
            f"Received: NaN, infinite or overflowing values in latents {latents}"
        )
    return codes


def check_factors(factors: np.ndarray) -> np.ndarray:
    """Factors as an int64 array, or one clear error.

    Args:
        factors: Array `(n_samples, n_factors)` of class indices: whole numbers, 0 or above, in any
            numeric dtype; gaps are allowed.

    Returns:
        Int64 array `(n_samples, n_factors)`.

    Raises:
        TypeError: if the values are not numbers.
        ValueError: if the shape is not two-dimensional, an axis is empty, a value is negative or
            not whole, or a factor is constant.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or 0 in factors.shape:
        raise ValueError(
            "`factors` must be a non-empty array (n_samples, n_factors). "
            f"Received: factors.shape={factors.shape}"
        )
    if not np.can_cast(factors.dtype, np.float64, casting="same_kind"):
        raise TypeError(f"`factors` must be integers. Received: factors.dtype={factors.dtype}")
    values = factors.astype(np.float64)
    wrong = ~((values >= 0) & (values <= 2**53) & (values == np.floor(values)))
    if wrong.any():
        raise ValueError(
            "`factors` must be class indices: whole numbers from 0 to 2**53. "
            f"Received: {factors[wrong][0]} in factor {np.argwhere(wrong)[0, 1]}; "
            "bin real-valued factors first"
        )
    constant = np.flatnonzero(factors.min(axis=0) == factors.max(axis=0)).tolist()
    if constant:
        raise ValueError(
            "`factors` must take at least two values each. "
            f"Received: one value only in factors {constant} of {factors.shape[0]} samples"
        )
    return factors.astype(np.int64)


def check_codes_and_factors(
    codes: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors of the same samples, or one clear error.

    Args:
        codes: Array `(n_samples, latent_dim)`, see `check_codes`.
        factors: Array `(n_samples, n_factors)`, see `check_factors`.

    Returns:
        Float codes `(n_samples, latent_dim)` and int64 factors `(n_samples, n_factors)`.

    Raises:
        TypeError: as `check_codes` and `check_factors`.
        ValueError: as `check_codes` and `check_factors`, and if the sample counts differ.
    """
    codes, factors = check_codes(codes), check_factors(factors)
    if len(codes) != len(factors):
        raise ValueError(
            "`codes` and `factors` must hold the same number of samples. "
            f"Received: codes.shape={codes.shape}, factors.shape={factors.shape}"
        )
    return codes, factors


def check_count(name: str, value: int, minimum: int) -> int:
    """`value` as an int of at least `minimum`, or an error that names the argument.

    Args:
        name: Argument name for the message.
        value: Python or numpy integer.
        minimum: Smallest value allowed.

    Returns:
        Python int.

    Raises:
        TypeError: if `value` is not an integer.
        ValueError: if it is below `minimum`.
    """
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be an integer. Received: {name}={value!r}") from None
    if count < minimum:
        raise ValueError(
            f"`{name}` must be an integer of at least {minimum}. Received: {name}={value!r}"
        )
    return count
