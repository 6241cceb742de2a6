"""Factors of a user's images from a table: CSV, Parquet, pandas, columns or an array."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np

from sparsevae.data.array import GridArray, LabelledArray, Reordered, Rows
from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import FactorData
from sparsevae.data.own.names import are_names, in_order_of_files
from sparsevae.data.own.reading import read_table

if TYPE_CHECKING:
    import pandas as pd

Table = Union[str, os.PathLike, np.ndarray, Mapping[str, Sequence], "pd.DataFrame"]

MAX_VALUES = 1_000
_FEW_VALUES = 20  # a measured column may have so many, whatever the number of images


def with_factors(
    name: str,
    source: str,
    rows: Rows,
    table: Table,
    file_names: Sequence[str] | None = None,
) -> FactorData:
    """Images with the factors of a table, a row an image.

    Each column is a factor, named by it. Its distinct values, sorted, become 0 ... size - 1 and
    are kept in `factor_space.values`; words are sorted too and stand for their place (their kind is
    categorical), booleans are 0 and 1. Where there is exactly one image for each combination,
    images are numbered in the order of the grid (last column fastest), else in that of the rows.

    Args:
        name: Name of the set.
        source: Where its images come from.
        rows: The images, in the order of the rows of the table.
        table: Path of a CSV or Parquet file (see `read_table`); pandas `DataFrame`, whose index is
            a column too if it has a name or holds other than integers; dict from name to column;
            or integer array `(n_images, n_factors)`, whose factors are called factor_0, factor_1
            ...
        file_names: Names of the files of the images. A column that has them says which row belongs
            to which image, and is no factor: see `in_order_of_files`. Without such a column rows
            are in the order of the names, which must not be in doubt: img_2 is before img_10 for
            people, behind it for programs.

    Raises:
        DataFileError: if the table is a file that cannot be read.
        FileNotFoundError: if it does not exist.
        TypeError: if `table` or a column is of another kind.
        ValueError: if there is not exactly one row for each image, a value is missing, or a column
            has too many values to be a factor.
    """
    frame = _frame(table)
    _check_names(frame)
    if file_names is not None:
        frame = in_order_of_files(frame, _written(table, frame), file_names)
    if names := [name for name in frame if are_names(frame[name])]:
        raise ValueError(
            "`factors` must have factors only, as these images have no file names. Received: a "
            f"column {names[0]!r} with another word in each row; leave it out"
        )
    if len(frame) != rows.shape[0]:
        raise ValueError(
            f"`factors` must have one row for each of the {rows.shape[0]:,} images. "
            f"Received: {len(frame):,} rows"
        )
    if not len(frame.columns):
        raise ValueError("`factors` must have a column for each factor. Received: none")
    columns = [_codes(name, frame[name]) for name in frame]
    space = FactorSpace(
        tuple(frame),
        tuple(len(values) for values, _ in columns),
        [values for values, _ in columns],
        ["ordered" if frame[name].dtype.kind in "biuf" else "categorical" for name in frame],
    )
    labels = np.stack([codes for _, codes in columns], axis=1)
    numbers = space.index(labels)
    if len(space) == len(labels) == len(np.unique(numbers)):
        order = np.argsort(numbers)
        in_order = (order[:-1] < order[1:]).all()
        return GridArray(name, source, space, rows if in_order else Reordered(rows, order))
    return LabelledArray(name, source, space, rows, labels)


def _frame(table: Table) -> pd.DataFrame:
    import pandas as pd

    if isinstance(table, str | os.PathLike):
        return _with_index(read_table(Path(table).expanduser()))
    if isinstance(table, pd.DataFrame):
        return _with_index(table.rename(columns=str))
    if isinstance(table, Mapping):
        shapes = {name: np.shape(column) for name, column in table.items()}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            raise ValueError(
                f"`factors` must have columns (n_images,) of one length. Received: {shapes}"
            )
        try:
            return pd.DataFrame({str(name): list(column) for name, column in table.items()})
        except UnicodeEncodeError as error:
            raise ValueError(
                f"`factors` must hold text that UTF-8 can write. Received: {error.object!r}"
            ) from None
    if not isinstance(table, np.ndarray):
        raise TypeError(
            "`factors` must be the path of a CSV or Parquet file, a pandas DataFrame, a dict of "
            f"columns or an integer array. Received: a {type(table).__name__}"
        )
    if table.ndim != 2 or table.dtype.kind not in "iu":
        raise ValueError(
            "`factors` must be an array of integers (n_images, n_factors). "
            f"Received: dtype {table.dtype}, shape {table.shape}"
        )
    return pd.DataFrame(table, columns=[f"factor_{k}" for k in range(table.shape[1])])


def _written(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with its cells as they are written, where it is a file of text."""
    if isinstance(table, str | os.PathLike):
        return _with_index(read_table(Path(table).expanduser(), as_text=True))
    return frame


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The index is a column too, unless it only numbers the rows: it may name the files."""
    if frame.index.name is None and frame.index.dtype.kind in "iu":
        return frame
    return frame.reset_index(allow_duplicates=True).rename(columns=str)


def _check_names(frame: pd.DataFrame) -> None:
    if frame.columns.nlevels > 1:
        raise ValueError(
            "`factors` must have a plain name for each column. Received: names of "
            f"{frame.columns.nlevels} levels, as {frame.columns[0]!r}"
        )
    if twice := list(frame.columns[frame.columns.duplicated()]):
        raise ValueError(
            f"`factors` must name each column differently. Received: {twice[0]!r} twice"
        )
    for name in frame.columns:
        if not name or name.startswith("Unnamed: "):
            raise ValueError(
                "`factors` must name every column (an index saved by pandas is left out with "
                f"index=False). Received: columns {list(frame.columns)}"
            )


def _codes(name: str, column: pd.Series) -> tuple[Sequence[float], np.ndarray]:
    """The values of a factor, sorted, and int64 `(n_images,)`: the place of each image's value."""
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise ValueError(
            f"`factors` must have a value in every row. Received: none for {name} in row "
            f"{missing[0]}"
        )
    values = column.to_numpy()
    words = values.dtype.kind not in "biuf"
    if words and not all(isinstance(value, str) for value in values):
        raise TypeError(
            f"`factors` must hold numbers, booleans or words. Received: {column.dtype} for {name}"
        )
    distinct, codes = np.unique(values, return_inverse=True)
    real = values.dtype.kind == "f" and not (distinct == np.floor(distinct)).all()
    many = len(distinct) > max(_FEW_VALUES, len(values) / 2) if real else False
    if many or len(distinct) > MAX_VALUES:
        raise ValueError(
            f"`factors`: {name} has {len(distinct):,} distinct values in {len(values):,} rows, too "
            "many for a factor. Put them into bins (pandas.cut), or leave the column out"
        )
    if not words and not np.isfinite(distinct.astype(float)).all():
        raise ValueError(f"`factors` must be finite. Received: an infinite value for {name}")
    return range(len(distinct)) if words else distinct.astype(float), codes.astype(np.int64)
