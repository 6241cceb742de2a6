"""Strict reading of NumPy files from elsewhere: nothing is unpickled, all damage is named."""

import contextlib
import dataclasses
import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import MappedArray
from sparsevae.data.files import DataFileError, check_start, damage_named
from sparsevae.data.storage.cache import cached, stamps

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
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a zip member: lengths of its name and extra field
_PIECE = 2**24  # bytes unpacked at a time


@dataclasses.dataclass(frozen=True)
class ArrayHeader:
    """What the first bytes of a npy file promise; `n_bytes` is their own number."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    n_bytes: int

    def check(self, place: str, shape: tuple[int, ...], dtype: type) -> None:
        """Refuse any other array than the one expected; `place` names it.

        Raises:
            DataFileError: if shape, dtype or order in memory differ.
        """
        if (self.shape, self.dtype, self.fortran_order) != (shape, np.dtype(dtype), False):
            raise DataFileError(
                f"{place} is {self.dtype} {self.shape}"
                f"{' in Fortran order' if self.fortran_order else ''}; "
                f"expected {np.dtype(dtype)} {shape}"
            )


@contextlib.contextmanager
def open_npz(path: Path, keys: tuple[str, ...] = ()) -> Iterator[zipfile.ZipFile]:
    """Open an npz archive; within the context, damage of the file raises `DataFileError`.

    Args:
        path: The file.
        keys: Names of the arrays that it must hold; others are never touched.

    Yields:
        The archive, for `read_header`, `read_rows` and `random_rows`.

    Raises:
        DataFileError: if the file is empty, not an npz archive, damaged, or lacks a key.
    """
    check_start(path, b"PK\x03\x04", "an npz archive")
    with damage_named(path, _DAMAGE), zipfile.ZipFile(path) as archive:
        for key in keys:
            if key not in array_names(archive):
                raise DataFileError(f"{path} lacks {key!r}; it has {array_names(archive)}")
        yield archive


@contextlib.contextmanager
def open_npy(path: Path) -> Iterator[ArrayHeader]:
    """The header of a npy file; within the context, damage of the file raises `DataFileError`."""
    check_start(path, np.lib.format.MAGIC_PREFIX, "a npy file")
    with damage_named(path, _DAMAGE):
        with open(path, "rb") as file:
            header = _read_header(file)
        yield header


def array_names(archive: zipfile.ZipFile) -> list[str]:
    """Names of the arrays of an archive from `open_npz`."""
    return [member.removesuffix(".npy") for member in archive.namelist()]


def read_header(archive: zipfile.ZipFile, key: str) -> ArrayHeader:
    """What an array of an archive from `open_npz` promises to be, before any data is read."""
    with archive.open(f"{key}.npy") as stream:
        return _read_header(stream)


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
        _read_header(stream).check(f"{path}: {key}", shape, dtype)
        row_bytes = np.dtype(dtype).itemsize * int(np.prod(shape[1:]))
        for start in range(0, shape[0], n_rows):
            rows = min(n_rows, shape[0] - start)
            data = stream.read(rows * row_bytes)
            if len(data) < rows * row_bytes:
                raise DataFileError(f"{path} is damaged or truncated: {key} ends too early")
            yield np.frombuffer(data, dtype).reshape(rows, *shape[1:])
        if stream.read(1):  # reading to the end also checks the checksum
            raise DataFileError(f"{path} is damaged: {key} is longer than its header says")


def random_rows(
    archive: zipfile.ZipFile, key: str, shape: tuple[int, ...], name: str, *, verify: bool = False
) -> MappedArray:
    """A uint8 array of an archive from `open_npz`, to be read at random from the disk.

    One that is stored is read in place (the archive's own checksum, which would mean to read all
    of it, is not compared). One that is compressed is converted once into the cache.

    Args:
        archive: The open archive.
        key: Name of the array.
        shape: Its expected shape.
        name: Name of a converted copy.
        verify: Whether a converted copy is compared with its checksum.

    Raises:
        DataFileError: if the header promises another array, or the data has another length.
        CacheError: if a copy is needed and the disk is full.
    """
    path, member = Path(archive.filename), archive.getinfo(f"{key}.npy")
    header = read_header(archive, key)
    header.check(f"{path}: {key}", shape, np.uint8)
    if member.compress_type == zipfile.ZIP_STORED:
        if member.file_size != header.n_bytes + math.prod(shape):
            raise DataFileError(f"{path} is damaged: {key} has another length than its header says")
        return MappedArray(path, shape, _start(path, member) + header.n_bytes)

    def fill(target):
        n_rows = max(1, _PIECE // math.prod(shape[1:]))
        pieces = read_rows(archive, key, shape, np.uint8, n_rows)
        with tqdm(total=shape[0], desc=f"Unpacking {path.name}", unit=" images", delay=2) as bar:
            for rows in pieces:
                target[bar.n : bar.n + len(rows)] = rows
                bar.update(len(rows))

    return cached(name, shape, stamps([path]), fill, verify=verify)


def _start(path: Path, member: zipfile.ZipInfo) -> int:
    """Byte of the file where the data of a stored member begins."""
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        lengths = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    return member.header_offset + _LOCAL_HEADER.size + sum(lengths)


def _read_header(stream) -> ArrayHeader:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADER_READERS:
        raise ValueError(f"npy format {version} is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers written by Python 2, with 64L for 64, are fine
        shape, fortran_order, dtype = _HEADER_READERS[version](stream)
    return ArrayHeader(shape, dtype, fortran_order, stream.tell())
