"""Which picture of a folder each row of a table means: what can mean one only, or a refusal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_CALLED = {"file", "filename", "image", "img", "picture", "photo", "path", "name", "id", "index"}
_ENDING = re.compile(r"\.(png|jpe?g|bmp|tiff?|webp|p[gp]m|gif|npy)$")


def in_order_of_files(
    frame: pd.DataFrame, written: pd.DataFrame, file_names: Sequence[str]
) -> pd.DataFrame:
    """The rows of a table in the order of the files, without the column that names them.

    A column names files if it holds words that name files or that all differ, or, being called so,
    numbers that all differ and are those in the files' names. A name may lack its ending or have
    another one, have folders before it or lack some, be in another case, or be written with
    backslashes: it must then still mean one file only.

    Args:
        frame: A row an image.
        written: The same table as it is written: of a file, 01 or NA may be a name.
        file_names: Paths inside the folder, `/` between folders.

    Raises:
        ValueError: if a name means no file or several, or no row or several name a file; if
            several columns name files; or if none does and the files' order is not beyond doubt.
    """
    files = _Files(file_names)
    found = {column: _meant(frame[column], written[column], files) for column in frame}
    naming = {column: places for column, places in found.items() if places is not None}
    if not naming:
        if len(frame) == len(file_names):
            _check_numbers(frame, written, files)
            _check_order(file_names)
        return frame
    if len(naming) > 1:
        raise ValueError(
            f"`factors` must have one column that names files. Received: several, {list(naming)}"
        )
    ((column, places),) = naming.items()
    _check_meant(written[column], places, files)
    order = np.argsort([place for (place,) in places])
    return frame.drop(columns=column).iloc[order].reset_index(drop=True)


def are_names(column: pd.Series) -> bool:
    """Whether a column can only be names: words, another one in each row."""
    words = column.dtype.kind not in "biufc" and all(isinstance(v, str) for v in column)
    return words and len(column) > 1 and column.is_unique


class _Files:
    """Files by what may be written for them."""

    def __init__(self, names: Sequence[str]):
        self.names = list(names)
        # From the strictest reading to the freest.
        self._readings = [(way, *self._tables(way)) for way in (_exact, _any_case, _stem)]
        self.by_digits, self.by_value = self._tables(_last_digits)[0], self._tables(_value)[0]

    def _tables(self, way: Callable[[str], Hashable]) -> tuple[dict, dict]:
        """Places of files by their whole path, and by each ending of it."""
        whole, ends = {}, {}
        for place, name in enumerate(self.names):
            for k, end in enumerate(_ends(name)):
                ends.setdefault(way(end), []).append(place)
                if k == 0:
                    whole.setdefault(way(end), []).append(place)
        return whole, ends

    def meant(self, written: str) -> list[int]:
        """Places of the files that a name may mean: one path must be the end of the other."""
        written = _ends(written)
        for way, whole, ends in self._readings:
            for found in (
                *(whole.get(way(end)) for end in written),  # folders before it
                *(ends.get(way(end)) for end in written[:1]),  # or without its own
            ):
                if found:
                    return found
        return []


def _ends(path: str) -> list[str]:
    """A path, and what remains of it without its first folders."""
    parts = PurePosixPath(path.strip().replace("\\", "/")).parts
    parts = [part for part in parts if part not in (".", "/")]
    return ["/".join(parts[k:]) for k in range(len(parts))]


def _exact(path: str) -> str:
    return unicodedata.normalize("NFC", path)  # macOS writes accents as characters of their own


def _any_case(path: str) -> str:
    return _exact(path).casefold()


def _stem(path: str) -> str:
    return _ENDING.sub("", _any_case(path))


def _last_digits(path: str) -> int | None:
    digits = re.findall(r"\d+", PurePosixPath(_stem(path)).name)
    return int(digits[-1]) if digits else None


def _value(path: str) -> float | None:
    """What a name is as a number, as readers of tables take it: `True`, `0.10` and `1e5` are."""
    name = PurePosixPath(_stem(path)).name
    try:
        return {"true": 1.0, "false": 0.0}[name] if name in ("true", "false") else float(name)
    except ValueError:
        return None


def _meant(column, written, files):
    """Files that each row of a column may mean; None for a column that names none."""
    called = _CALLED & set(re.findall(r"[^\W\d_]+", str(column.name).casefold()))
    if column.dtype.kind in "biuf":
        return _by_number(column, written, files) if called else None
    if not all(isinstance(value, str) for value in written):
        return None
    places = [files.meant(value) for value in written]
    # Values of a factor may happen to be names without ending: `square` beside `square.png`.
    in_full = any(value.strip() in files.names for value in written)
    mostly = 2 * sum(map(bool, places)) > len(places)
    alone = len(places) == 1 and called  # one word does not tell names from values
    return places if are_names(written) or in_full or mostly or alone else None


def _by_number(column, written, files):
    """Files by number, if a column holds mostly names or numbers of files, another in each row."""
    if not written.is_unique:
        return None
    by_number = files.by_digits if column.dtype.kind in "iu" else files.by_value
    places = [
        files.meant(str(name)) or by_number.get(value, [])
        for value, name in zip(column.tolist(), written, strict=True)
    ]
    return places if 2 * sum(map(bool, places)) > len(places) else None


def _check_meant(column, places, files):
    n_rows = np.zeros(len(files.names), int)
    for written, found in zip(column, places, strict=True):
        if len(found) != 1:
            kind = f"means {files.names[found[0]]!r} or {files.names[found[1]]!r}" if found else ""
            raise ValueError(
                f"`factors` must name one file in each row of its column {column.name!r} (words "
                "that all differ are names). "
                f"Received: {written!r}, which {kind or 'names none'}"
            )
        n_rows[found[0]] += 1
    for problem, wrong in (("names files twice", n_rows > 1), ("lacks files", n_rows == 0)):
        if wrong.any():
            raise ValueError(
                f"`factors` must have one row for each image, but its column {column.name!r} "
                f"{problem}. Received: {files.names[wrong.argmax()]!r}, {wrong.sum():,} in all"
            )


def _check_numbers(frame, written, files):
    """Refuses a column that may be numbers of files in another order, or a factor."""
    for name in frame:
        numbers = frame[name].dtype.kind in "biuf"
        places = _by_number(frame[name], written[name], files) if numbers else None
        if places is not None and places != [[k] for k in range(len(places))]:
            raise ValueError(
                f"`factors` must say which row belongs to which image. Received: a column {name!r} "
                "with the numbers in the names of the files, in another order. Call it 'file' if "
                "they are meant; or add a column with the names of the files"
            )


def _check_order(file_names):
    """Refuses rows without names where people and programs order the files in different ways."""

    def natural(name):
        parts = re.split(r"(\d+)", name.casefold())
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    by_people = sorted(file_names, key=natural)
    for k, (name, other) in enumerate(zip(file_names, by_people, strict=True)):
        if name != other:
            raise ValueError(
                "`factors` must have a column with the names of the files, as their order is not "
                f"beyond doubt. Received: none; file {k} may be {name!r} or {other!r}"
            )
