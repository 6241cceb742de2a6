"""Images held as a uint8 array, in memory or in a file, with factors or without."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Protocol

import numpy as np

from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.ground_truth import GroundTruthData, LabelledData
from sparsevae.data.image_data import ImageData

_BLOCK = 256  # rows read before their memory is handed back


class Rows(Protocol):
    """What images are held in: a uint8 `np.ndarray`, a `MappedArray` or `Reordered` rows."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Rows by number, as a new array."""


class MappedArray:
    """A uint8 array that stays in its file; indexing reads the rows asked for and no more.

    The file is mapped into memory. Each page that is touched would count as memory of this
    process, up to the size of the file, so pages are handed back after every 256 rows (the
    system keeps what it has room for). A pickle holds the place in the file, not the data.

    Args:
        path: The file.
        shape: Shape of the array, rows first.
        offset: Byte where the array begins.

    Raises:
        DataFileError: if the file is too short, or was changed after the array was pickled.
        FileNotFoundError: if there is no such file.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, shape: tuple[int, ...], offset: int = 0) -> None:
        self.path, self.shape, self.offset = Path(path).resolve(), tuple(shape), offset
        self._stamp = _stamp(self.path)
        self._open()

    def _open(self) -> None:
        n_bytes = int(np.prod(self.shape, dtype=np.int64))
        if self._stamp[0] < self.offset + n_bytes:
            raise DataFileError(
                f"{self.path} has {self._stamp[0]} of {self.offset + n_bytes} bytes: truncated"
            )
        with open(self.path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        flat = np.frombuffer(self._map, np.uint8, n_bytes, self.offset)
        self._array = flat.reshape(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        rows = np.empty((len(indices), *self.shape[1:]), np.uint8)
        self._expect(indices)
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            rows[block] = self._array[indices[block]]
            if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
                self._map.madvise(mmap.MADV_DONTNEED)
        return rows

    def _expect(self, indices: np.ndarray) -> None:
        """Tells the system whether to read ahead, which makes rows in their order many times
        faster and random rows half as fast."""
        if hasattr(mmap, "MADV_RANDOM"):
            dense = len(indices) > 1 and indices[-1] - indices[0] < 4 * len(indices)
            ordered = dense and bool((np.diff(indices) > 0).all())
            self._map.madvise(mmap.MADV_NORMAL if ordered else mmap.MADV_RANDOM)

    def __getstate__(self) -> tuple:
        return self.path, self.shape, self.offset, self._stamp

    def __setstate__(self, state: tuple) -> None:
        self.path, self.shape, self.offset, self._stamp = state
        if _stamp(self.path) != self._stamp:
            raise DataFileError(f"{self.path} was changed since it was opened; load the set again")
        self._open()


class Reordered:
    """Rows of an array in another order: row k is `rows[order[k]]`."""

    def __init__(self, rows: Rows, order: np.ndarray) -> None:
        self.shape, self.dtype = (len(order), *rows.shape[1:]), rows.dtype
        self._rows, self._order = rows, order

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return self._rows[self._order[indices]]


class PlainArray(ImageData):
    """Images `(n, height, width, channels)`, uint8, without factors.

    Raises:
        ValueError: if `rows` has another shape or dtype.
    """

    def __init__(self, name: str, source: str, rows: Rows) -> None:
        super().__init__(name, source, _checked(rows).shape[1:])
        self._rows = rows

    def __len__(self) -> int:
        return self._rows.shape[0]

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self._rows[self.checked(indices)]


class GridArray(GroundTruthData):
    """Images `(n, height, width, channels)`, uint8, in the order of `factor_space`.

    Raises:
        ValueError: if `rows` has another shape or dtype, or not one row for each combination.
    """

    def __init__(self, name: str, source: str, factor_space: FactorSpace, rows: Rows) -> None:
        super().__init__(name, source, factor_space, _checked(rows, len(factor_space)).shape[1:])
        self._rows = rows

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self._rows[self.checked(indices)]


class LabelledArray(LabelledData):
    """Images `(n, height, width, channels)`, uint8, and the factors of each: see `LabelledData`.

    Raises:
        ValueError: if `rows` has another shape or dtype, or not one row for each row of `labels`.
    """

    def __init__(
        self, name: str, source: str, factor_space: FactorSpace, rows: Rows, labels: np.ndarray
    ) -> None:
        shape = _checked(rows, len(labels)).shape[1:]
        super().__init__(name, source, factor_space, shape, labels)
        self._rows = rows

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self._rows[self.checked(indices)]


def _checked(rows: Rows, n: int | None = None) -> Rows:
    n = rows.shape[0] if n is None and rows.shape else n
    if len(rows.shape) != 4 or rows.shape[0] != n or not n or rows.dtype != np.uint8:
        raise ValueError(
            f"`rows` must be a uint8 array ({n or 'n'}, height, width, channels), n at least 1. "
            f"Received: dtype {rows.dtype}, shape {rows.shape}"
        )
    return rows


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file, which change when its content does."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
