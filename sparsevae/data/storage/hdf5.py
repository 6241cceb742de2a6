"""Strict reading of HDF5 files from elsewhere, in the order in which they lie on the disk."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparsevae.data.files import DataFileError, check_start, damage_named

if TYPE_CHECKING:
    import h5py

_MAGIC = b"\x89HDF\r\n\x1a\n"
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)  # what h5py raises
_PIECE = 2**26  # bytes read at a time, if chunks are smaller
_LARGEST_PIECE = 2**29  # never more, also if chunks are larger


@contextlib.contextmanager
def open_h5(path: Path, keys: tuple[str, ...]) -> Iterator[h5py.File]:
    """Open an HDF5 file; within the context, damage of the file raises `DataFileError`.

    Args:
        path: The file.
        keys: Names of the arrays that it must hold, such as "latents/classes".

    Yields:
        The file, for `read_rows`.

    Raises:
        DataFileError: if the file is empty, not HDF5, damaged, or lacks a key.
    """
    import h5py  # here, so that sets that need no HDF5 load without it

    check_start(path, _MAGIC, "an HDF5 file")
    with damage_named(path, _DAMAGE), _truncation_named(path), h5py.File(path, "r") as file:
        for key in keys:
            if not isinstance(file.get(key), h5py.Dataset):
                raise DataFileError(f"{path} lacks {key!r}; it has {sorted(file)}")
        yield file


def read_rows(
    file: h5py.File, key: str, shape: tuple[int, ...], dtype: type
) -> Iterator[np.ndarray]:
    """Stream an array of a file from `open_h5`, in whole chunks, so that each is unpacked once.

    Args:
        file: The open file.
        key: Name of the array.
        shape: Its expected shape.
        dtype: Its expected dtype.

    Yields:
        Arrays `(n_rows, *shape[1:])`, in order; about 64 MB each, or one row of chunks.

    Raises:
        DataFileError: if shape or dtype differ, which is found before any data is read.
    """
    array = file[key]
    if (array.shape, array.dtype) != (shape, np.dtype(dtype)):
        raise DataFileError(
            f"{file.filename}: {key} is {array.dtype} {array.shape}; "
            f"expected {np.dtype(dtype)} {shape}"
        )
    row_bytes = array.dtype.itemsize * math.prod(shape[1:])
    n_chunk = array.chunks[0] if array.chunks else 1
    n_rows = n_chunk * max(1, _PIECE // (n_chunk * row_bytes))
    n_rows = min(n_rows, max(1, _LARGEST_PIECE // row_bytes))
    for start in range(0, shape[0], n_rows):
        yield array[start : start + n_rows]


@contextlib.contextmanager
def _truncation_named(path: Path) -> Iterator[None]:
    """Both sizes of a truncated file, which HDF5 hides in a long message."""
    try:
        yield
    except OSError as error:
        sizes = re.search(r"truncated file: eof = (\d+),.* stored_eof = (\d+)", str(error))
        if not sizes:
            raise
        found, expected = (f"{int(size):,}" for size in sizes.groups())
        raise DataFileError(f"{path} has {found} of {expected} bytes: truncated") from error
