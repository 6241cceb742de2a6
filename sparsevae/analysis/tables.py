"""Tables of studies at the door: columns, numbers, conditions; what is wrong is said in a line."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sparsevae.checks import check_choice


def check_columns(argument: str, names: str | Sequence[str], table: pd.DataFrame) -> list[str]:
    """Names of columns as a list.

    Raises:
        TypeError: if `table` is not a pandas table, or a name is not a string.
        ValueError: if there is no name, one is given twice, or the table has no such column.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"`table` must be a pandas DataFrame. Received: {type(table).__name__}")
    one_or_more = isinstance(names, (str, list, tuple))
    columns = [names] if isinstance(names, str) else list(names) if one_or_more else []
    for name in columns:
        check_choice(argument, name, [column for column in table if isinstance(column, str)])
        if not isinstance(table[name], pd.Series):
            raise ValueError(f"`table` must have one column of a name. Received: {name!r} twice")
    if not columns or len(set(columns)) < len(columns):
        raise ValueError(
            f"`{argument}` must name one column or more, each once. Received: {argument}={names!r}"
        )
    return columns


def check_numbers(argument: str, columns: list[str], table: pd.DataFrame) -> None:
    """Refuses columns that do not hold a finite number in every row.

    Raises:
        TypeError: if a column is not numeric.
        ValueError: if a value is missing or infinite.
    """
    for column in columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise TypeError(
                f"`{argument}` must name columns of numbers. "
                f"Received: {column!r} of dtype {table[column].dtype}"
            )
        wrong = ~np.isfinite(table[column].to_numpy(np.float64, na_value=np.nan))
        if wrong.any():
            raise ValueError(
                f"`{argument}` must name columns with a finite number in every row; leave out "
                "those rows if that is what you mean. "
                f"Received: {wrong.sum()} of {len(table)} NaN or infinite in {column!r}, first in "
                f"row {_plain(table.index[wrong][0])!r}"
            )


def check_apart(**columns: list[str]) -> None:
    """Refuses a column that two arguments name.

    Raises:
        ValueError: naming the column and both arguments.
    """
    for (one, first), (other, second) in itertools.combinations(columns.items(), 2):
        if both := set(first) & set(second):
            raise ValueError(
                f"`{one}` and `{other}` must name columns of their own. "
                f"Received: {min(both)!r} in both"
            )


def check_free(columns: Sequence[str], taken: Sequence[str]) -> None:
    """Refuses columns that the result has already.

    Raises:
        ValueError: naming the column.
    """
    for column in columns:
        if column in taken:
            raise ValueError(
                f"`table` must not use names of the result for its columns: rename {column!r}. "
                f"Received: {column!r}, one of {', '.join(taken)}"
            )


def conditions(table: pd.DataFrame, by: list[str]) -> list[tuple[tuple, pd.DataFrame]]:
    """Rows of each condition with its labels, in order of appearance; missing is a label too."""
    return list(table.groupby(by, dropna=False, sort=False, observed=True))


def split_off(
    table: pd.DataFrame, by: list[str], against: Any
) -> tuple[pd.DataFrame, list[tuple[tuple, pd.DataFrame]]]:
    """Rows of the condition that the others are compared with, and those others.

    Args:
        table: Table of runs.
        by: Columns that tell conditions apart.
        against: The label in `by`, or a tuple of labels if these are several; None for missing.

    Raises:
        ValueError: if there is no such condition, or no other one.
    """
    found = conditions(table, by)
    wanted = tuple(against) if isinstance(against, (tuple, list)) else (against,)
    twins = [rows for labels, rows in found if _same(labels, wanted)]
    others = [(labels, rows) for labels, rows in found if not _same(labels, wanted)]
    if not (twins and others):
        names = "; ".join(described(by, labels) for labels, _ in found)
        raise ValueError(
            "`against` must be one of two conditions or more. "
            f"Received: {against!r} among {names or 'none'}"
        )
    return twins[0], others


def check_once(rows: pd.DataFrame, pairs: list[str], condition: str) -> None:
    """Refuses rows of a condition that agree in `pairs`, or have nothing there.

    Raises:
        ValueError: naming the condition and the pair.
    """
    check_pairs(rows, pairs)
    again = rows.duplicated(pairs)
    if again.any():
        values = described(pairs, tuple(rows.loc[again, pairs].iloc[0]))
        raise ValueError(
            "`pairs` must tell the runs of a condition apart; what else varies belongs into `by` "
            f"or `pairs`. Received: {values} more than once where {condition}"
        )


def check_pairs(rows: pd.DataFrame, pairs: list[str]) -> None:
    """Refuses rows that have nothing in a column of `pairs`.

    Raises:
        ValueError: naming the column.
    """
    for column in pairs:
        missing = rows.index[rows[column].isna()]
        if len(missing):
            raise ValueError(
                "`pairs` must name columns that are filled in every row. "
                f"Received: {column!r}, missing in row {_plain(missing[0])!r}"
            )


def described(columns: list[str], labels: tuple) -> str:
    """Labels for messages, such as `gate='binary', strength=3`."""
    parts = zip(columns, labels, strict=True)
    return ", ".join(f"{c}={_plain(label)!r}" for c, label in parts)


def _plain(label):
    if _missing(label):
        return None
    return label.item() if isinstance(label, np.generic) else label


def _same(labels, wanted):
    return len(labels) == len(wanted) and all(
        (_missing(a) and _missing(b)) or (not _missing(a) and not _missing(b) and a == b)
        for a, b in zip(labels, wanted, strict=True)
    )


def _missing(label):
    return pd.api.types.is_scalar(label) and pd.isna(label)
