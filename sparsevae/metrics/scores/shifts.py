"""Which samples the downstream tasks learn from and test on; `metrics.downstream` scores them.

A set is either the full grid of its factors, where any factor can be given any value, or rows of
images and factors, of which some are chosen.
"""

from collections.abc import Mapping

import numpy as np


def disjoint_rows(
    n_rows: int, n_train: int, n_test: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, drawn without replacement: no row is in both.

    Args:
        n_rows: Rows there are.
        n_train: Rows to learn from.
        n_test: Rows to test on.
        rng: The draw advances it.

    Returns:
        Integer arrays `(n_train,)` and `(n_test,)`.

    Raises:
        ValueError: if there are fewer rows than wanted.
    """
    if n_train + n_test > n_rows:
        raise ValueError(
            f"`n_train` and `n_test` must add up to at most the {n_rows} rows there are. "
            f"Received: n_train={n_train}, n_test={n_test}"
        )
    rows = rng.permutation(n_rows)
    return rows[:n_train], rows[n_train : n_train + n_test]


def shift_values(factors: np.ndarray, predicted: int) -> dict[int, np.ndarray]:
    """Values of other factors by which rows can be set apart: in training, and never in testing.

    Two rows at least have the value, to learn from, and one has another, to test on.

    Args:
        factors: Integer array `(n_rows, n_factors)`.
        predicted: The factor that is learned, which is not among the others.

    Returns:
        Dict from factor to its values, sorted; factors without such a value are not in it.
    """
    found = {}
    for other in range(factors.shape[1]):
        values, counts = np.unique(factors[:, other], return_counts=True)
        splitting = values[(counts >= 2) & (counts < len(factors))]
        if other != predicted and len(splitting):
            found[other] = splitting
    return found


def draw_shift(values: Mapping[int, np.ndarray], rng: np.random.Generator) -> tuple[int, int]:
    """A factor, uniformly, and then one of its values.

    Args:
        values: Values of each factor to choose from, at least one.
        rng: The draw advances it.
    """
    other = int(rng.choice(list(values)))
    return other, int(rng.choice(values[other]))


def rows_apart(
    column: np.ndarray, value: int, n_train: int, n_test: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have a value, to learn from, and rows that have others; without replacement.

    Args:
        column: Integer array `(n_rows,)`, values of the shifted factor.
        value: The value in training.
        n_train: Most rows to learn from.
        n_test: Most rows to test on.
        rng: The draw advances it.

    Returns:
        Integer arrays of row numbers, as many as wanted, or all there are.
    """
    train, test = np.flatnonzero(column == value), np.flatnonzero(column != value)
    return rng.permutation(train)[:n_train], rng.permutation(test)[:n_test]


def factors_apart(
    factors: np.ndarray,
    test_factors: np.ndarray,
    other: int,
    value: int,
    size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Factors with `other` at one value for training and at any other for testing.

    Args:
        factors: Integer array `(n_train, n_factors)`.
        test_factors: Integer array `(n_test, n_factors)`.
        other: The shifted factor.
        value: Its value in training.
        size: Values it can take, at least 2; those in testing are uniform.
        rng: The draw advances it.

    Returns:
        Two arrays, shapes as they came; the given ones are not changed.

    References:
        `strong_downstream_task` of disentanglement_lib (commit 86a644d).
    """
    factors, test_factors = factors.copy(), test_factors.copy()
    factors[:, other] = value
    shift = rng.integers(1, size, size=len(test_factors))
    test_factors[:, other] = (value + shift) % size
    return factors, test_factors


def interventions(factors: np.ndarray, sensitive: int, size: int) -> np.ndarray:
    """The same samples under every value of a factor, one value after the other.

    Args:
        factors: Integer array `(n, n_factors)`.
        sensitive: The factor that is set.
        size: Values it can take.

    Returns:
        Integer array `(size * n, n_factors)`.
    """
    intervened = np.tile(factors, (size, 1))
    intervened[:, sensitive] = np.repeat(np.arange(size), len(factors))
    return intervened
