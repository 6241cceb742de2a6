"""Tables in files: CSV with any usual separator, and Parquet."""

from __future__ import annotations

import csv
import itertools
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from sparsevae.data.files import DataFileError, damage_named

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",;\t|"
_DECIMAL_COMMA = r"[+-]?\d*,\d+|[+-]?\d+"


def read_table(path: Path, as_text: bool = False) -> pd.DataFrame:
    """The table of a .csv, .tsv or .parquet file.

    The separator of columns is that of the header: comma, semicolon, tab or bar. Where it is no
    comma, numbers may have a decimal comma. Spaces around words do not count.

    Args:
        path: The file.
        as_text: Whether to leave what a .csv or .tsv file holds as it is written, since 01, 1e5, NA
            and True may be names.

    Raises:
        DataFileError: if it cannot be read, has no UTF-8, or rows of more values than columns.
        FileNotFoundError: if there is no such file.
        ValueError: if it is of another kind.
    """
    import pandas as pd

    if not path.is_file():
        raise FileNotFoundError(f"`factors`: there is no file {path}")
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".parquet"):
        raise ValueError(f"`factors` must be a .csv, .tsv or .parquet file. Received: {path}")
    with damage_named(path, (ValueError, OSError, csv.Error, pd.errors.ParserWarning)):
        return pd.read_parquet(path) if kind == ".parquet" else _read_csv(path, as_text)


def _read_csv(path, as_text):
    import pandas as pd

    separator = _separator(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # values beyond the columns
        frame = pd.read_csv(
            path,
            sep=separator,
            index_col=False,  # else values beyond the columns make the first one an index
            skipinitialspace=True,
            low_memory=False,  # one type a column
            encoding="utf-8-sig",
            **({"dtype": str, "keep_default_na": False} if as_text else {}),
        )
    frame.columns = [str(name).strip() for name in frame]
    for name in frame:
        if frame[name].dtype.kind not in "biufc" and not as_text:
            frame[name] = _words(frame[name], separator)
    return frame


def _words(column, separator):
    """Words without spaces around them; numbers, if all have a decimal comma."""
    column = column.map(lambda value: value.strip() if isinstance(value, str) else value)
    text = column.astype(str)
    if separator != "," and len(text) and text.str.fullmatch(_DECIMAL_COMMA).all():
        return text.str.replace(",", ".", regex=False).astype(float)
    return column


def _separator(path):
    """What separates the columns: by the header, and where that is unclear by the next row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(itertools.islice((line for line in file if line.strip()), 2))
    if any("\0" in line for line in lines):
        raise DataFileError(f"{path} is not text in UTF-8 (in UTF-16, perhaps); save it so")
    counts = {
        separator: [len(next(csv.reader([line], delimiter=separator))) for line in lines]
        for separator in _SEPARATORS
    }
    able = [separator for separator, count in counts.items() if count and count[0] > 1]
    if len(able) > 1:
        able = [separator for separator in able if len(set(counts[separator])) == 1]
    if len(able) > 1:
        listed = " and ".join(map(repr, able))
        raise DataFileError(f"{path}: {listed} may separate the columns; leave one in the header")
    names = next(csv.reader(lines[:1], delimiter=able[0] if able else ","), [])
    names = [name.strip() for name in names]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataFileError(f"{path} has two columns {twice[0]!r}; give each a name of its own")
    return able[0] if able else ","
