"""Conditions of a study beside each other: means, paired differences, many comparisons at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sparsevae.analysis.resampling import (
    check_resampling,
    differences_of,
    interval,
    sign_flip_p,
    t_p,
)
from sparsevae.analysis.tables import (
    check_apart,
    check_columns,
    check_free,
    check_numbers,
    check_once,
    conditions,
    described,
    split_off,
)
from sparsevae.checks import check_choice

CORRECTIONS = ("holm", "fdr_bh")
TESTS = ("signs", "t")
_OF_PAIRS = ("value", "n", "unpaired", "mean", "mean_against", "difference", "low", "high")
_OF_PAIRS += ("interval", "p", "p_corrected")
_OF_MEANS = ("value", "n", "mean", "std", "low", "high", "interval")


def paired(
    table: pd.DataFrame,
    *,
    by: str | Sequence[str],
    against: Any,
    value: str | Sequence[str],
    pairs: str | Sequence[str] = "seed",
    test: str = "signs",
    correction: str = "holm",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each condition minus its twin of the same seed, over all seeds.

    Seeds differ more than conditions, so runs are compared within a seed. The interval is that of
    `interval` in `resampling`: BCa bootstrap, Student's t below 20 pairs. The p-value of "signs" is
    that of random signs of the differences, exact up to 13 pairs; it assumes no distribution, and
    5 pairs cannot bring it below 0.0625. That of "t" takes the differences for normal ones.

    Args:
        table: One row for each run, such as a study's table.
        by: Column or columns that tell conditions apart.
        against: Label of the condition that the others are compared with, in `by`; a tuple of
            labels if `by` names several columns. None stands for a missing label.
        value: Column or columns of what is compared.
        pairs: Column or columns in which two runs of a pair agree.
        test: "signs" or "t".
        correction: "holm" or "fdr_bh", over all rows of the result; see `corrected`.
        confidence: Of the intervals.
        n_resamples: Bootstrap samples, and most flips of signs.
        seed: Of both. A row does not depend on what other rows there are, but for `p_corrected`.

    Returns:
        One row for each condition and value: the columns of `by`; `value`; `n` pairs; `unpaired`
        runs, of both conditions, that have no partner; `mean` and `mean_against` of the pairs;
        `difference` of these, its interval `low`, `high` and `interval` ("bca", "t", "no spread");
        `p`, `p_corrected`.

    Raises:
        TypeError: if `table` is not a pandas table or a value is not numeric.
        ValueError: for an unknown column, condition, test or correction, a value that is NaN or
            infinite, two runs of a condition that agree in `pairs`, less than 2 pairs, or a number
            out of range.
    """
    check_choice("test", test, TESTS)
    check_choice("correction", correction, CORRECTIONS)
    check_resampling(confidence, n_resamples, seed)
    by, values = check_columns("by", by, table), check_columns("value", value, table)
    pairs = check_columns("pairs", pairs, table)
    check_numbers("value", values, table)
    check_apart(by=by, pairs=pairs, value=values)
    check_free(by, _OF_PAIRS)
    twin, others = split_off(table, by, against)
    check_once(twin, pairs, described(by, tuple(twin[by].iloc[0])))
    rows = []
    for labels, condition in others:
        name = described(by, labels)
        check_once(condition, pairs, name)
        both = condition.merge(twin, on=pairs, suffixes=("", " of the twin"))
        if len(both) < 2:
            raise ValueError(
                f"`pairs` must be shared by 2 runs or more of each condition and of `against`. "
                f"Received: {len(both)} where {name}"
            )
        for column in values:
            first = both[column].to_numpy(np.float64)
            second = both[f"{column} of the twin"].to_numpy(np.float64)
            measured = _compared(first, second, test, confidence, n_resamples, seed)
            unpaired = len(condition) + len(twin) - 2 * len(both)
            counts = {"value": column, "n": len(both), "unpaired": unpaired}
            rows.append(dict(zip(by, labels, strict=True)) | counts | measured)
    result = pd.DataFrame(rows)
    return result.assign(p_corrected=corrected(result["p"], correction))


def _compared(first, second, test, confidence, n_resamples, seed):
    differences = differences_of(first, second)
    ends = interval(differences, confidence, n_resamples, seed)
    by_signs = test == "signs"
    return {
        "mean": first.mean(),
        "mean_against": second.mean(),
        "difference": differences.mean(),
        "low": ends.low,
        "high": ends.high,
        "interval": ends.kind,
        "p": sign_flip_p(differences, n_resamples, seed) if by_signs else t_p(differences),
    }


def corrected(p_values: Sequence[float] | np.ndarray, method: str = "holm") -> np.ndarray:
    """p-values of many comparisons, raised so that one bound holds for all.

    Args:
        p_values: Floats `(n,)` in [0, 1], at least one.
        method: "holm": those below a bound hold a false one with at most that probability. "fdr_bh"
            (Benjamini-Hochberg): at most that share of them is false, on average; for p-values that
            are independent or depend positively.

    Returns:
        Float64 `(n,)`, in the order given; none is below its own p-value.

    Raises:
        ValueError: if `method` is unknown or a p-value is not in [0, 1].

    References:
        Holm 1979; Benjamini and Hochberg 1995; `scipy.stats.false_discovery_control`.
    """
    from scipy import stats  # half a second, and most of this room does without

    check_choice("method", method, CORRECTIONS)
    p_values = np.asarray(p_values, np.float64)
    if p_values.ndim != 1 or not p_values.size or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(
            "`p_values` must be one float or more in [0, 1], one after the other. "
            f"Received: {np.array2string(p_values, threshold=8).replace(chr(10), '')}"
        )
    if method == "fdr_bh":
        return stats.false_discovery_control(p_values)
    order = np.argsort(p_values)
    raised = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    result = np.empty_like(p_values)
    result[order] = np.minimum(raised, 1.0)
    return result


def summary(
    table: pd.DataFrame,
    by: str | Sequence[str],
    values: str | Sequence[str],
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of each condition over its runs, with the interval of `paired`.

    Runs of a condition must be independent, such as seeds. For differences between conditions
    use `paired`: these intervals hold the seeds' spread, which pairs do not.

    Args:
        table: One row for each run.
        by: Column or columns that tell conditions apart; a missing label is a condition.
        values: Column or columns of numbers.
        confidence: Of the intervals.
        n_resamples: Bootstrap samples.
        seed: Of these.

    Returns:
        One row for each condition and value: the columns of `by`, `value`, `n` runs, `mean`, `std`
        (of the runs, ddof 1), `low`, `high`, `interval`.

    Raises:
        TypeError: if `table` is not a pandas table or a value is not numeric.
        ValueError: for an unknown column, a value that is NaN or infinite, a condition of less than
            2 runs, or a number out of range.
    """
    check_resampling(confidence, n_resamples, seed)
    by, values = check_columns("by", by, table), check_columns("values", values, table)
    check_apart(by=by, values=values)
    check_free(by, _OF_MEANS)
    check_numbers("values", values, table)
    rows = []
    for labels, runs in conditions(table, by):
        if len(runs) < 2:
            raise ValueError(
                "`table` must hold 2 runs or more of each condition. "
                f"Received: {len(runs)} where {described(by, labels)}"
            )
        for column in values:
            found = runs[column].to_numpy(np.float64)
            ends = interval(found, confidence, n_resamples, seed)
            rows.append(
                {
                    **dict(zip(by, labels, strict=True)),
                    "value": column,
                    "n": len(runs),
                    "mean": found.mean(),
                    "std": found.std(ddof=1),
                    "low": ends.low,
                    "high": ends.high,
                    "interval": ends.kind,
                }
            )
    return pd.DataFrame(rows)
