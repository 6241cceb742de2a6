"""Strict reading of NumPy archives from elsewhere: nothing is unpickled, all damage is named."""

import contextlib
import lzma
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# What zipfile, its decompressors and NumPy's header parser raise on bytes that they cannot read.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    OSError,
    EOFError,
    RuntimeError,
    SyntaxError,
    ValueError,
)
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class DataFileError(ValueError):
    """A data file exists, but is not what it should be. The message names the file."""


@contextlib.contextmanager
def open_npz(path: Path, keys: tuple[str, ...]) -> Iterator[zipfile.ZipFile]:
    """Open an npz archive; within the context, damage of the file raises `DataFileError`.

    Args:
        path: The file.
        keys: Names of the arrays that it must hold; others are never touched.

    Yields:
        The archive, for `read_rows`.

    Raises:
        DataFileError: if the file is empty, not an npz archive, damaged, or lacks a key.
    """
    _check_start(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            for key in keys:
                if f"{key}.npy" not in members:
                    present = [member.removesuffix(".npy") for member in members]
                    raise DataFileError(f"{path} lacks {key!r}; it has {present}")
            yield archive
    except DataFileError:
        raise
    except _DAMAGE as error:
        raise DataFileError(f"{path} is damaged or truncated: {error!r}") from error


def read_rows(
    archive: zipfile.ZipFile, key: str, shape: tuple[int, ...], dtype: type, n_rows: int
) -> Iterator[np.ndarray]:
    """Stream an array of an archive from `open_npz`, so that it never lies in memory whole.

    Args:
        archive: The open archive.
        key: Name of the array.
        shape: Its expected shape.
        dtype: Its expected dtype.
        n_rows: Rows a piece, at least 1; the last piece may have fewer.

    Yields:
        Read-only arrays `(n_rows, *shape[1:])`, in order.

    Raises:
        DataFileError: if the header promises another array than expected (found before any data is
            read), or the data is shorter or longer than the header says.
    """
    path = archive.filename
    with archive.open(f"{key}.npy") as stream:
        found_shape, fortran_order, found_dtype = _read_header(stream)
        if (found_shape, found_dtype, fortran_order) != (shape, np.dtype(dtype), False):
            raise DataFileError(
                f"{path}: {key} is {found_dtype} {found_shape}"
                f"{' in Fortran order' if fortran_order else ''}; "
                f"expected {np.dtype(dtype)} {shape}"
            )
        row_bytes = np.dtype(dtype).itemsize * int(np.prod(shape[1:]))
        for start in range(0, shape[0], n_rows):
            rows = min(n_rows, shape[0] - start)
            data = stream.read(rows * row_bytes)
            if len(data) < rows * row_bytes:
                raise DataFileError(f"{path} is damaged or truncated: {key} ends too early")
            yield np.frombuffer(data, dtype).reshape(rows, *shape[1:])
        if stream.read(1):  # reading to the end also checks the checksum
            raise DataFileError(f"{path} is damaged: {key} is longer than its header says")


def _check_start(path: Path) -> None:
    with open(path, "rb") as file:
        start = file.read(40)
    if not start:
        raise DataFileError(f"{path} is empty. Probably a failed download.")
    if start.startswith(b"version https://git-lfs"):
        raise DataFileError(
            f"{path} is a Git LFS pointer, not the data itself. Fetch it with `git lfs pull`."
        )
    if not start.startswith(b"PK\x03\x04"):
        raise DataFileError(
            f"{path} is not an npz archive (starts with {start!r}). Probably a failed download."
        )


def _read_header(stream) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADER_READERS:
        raise ValueError(f"npy format {version} is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers written by Python 2, with 64L for 64, are fine
        return _HEADER_READERS[version](stream)
