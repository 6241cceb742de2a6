"""The six SmallNORB files, read strictly and made smaller once."""

import contextlib
import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import LabelledArray, Rows
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError, check_complete, check_first_bytes, damage_named
from sparsevae.data.storage.cache import Target, cached, stamps
from sparsevae.data.storage.checksums import check_digest
from sparsevae.data.storage.fitting import fitted_arrays

_SPLITS = (
    "smallnorb-5x46789x9x18x6x2x96x96-training",
    "smallnorb-5x01235x9x18x6x2x96x96-testing",
)
_PARTS = ("dat", "cat", "info")
FILE_NAMES = (f"{_SPLITS[0]}-dat.mat", f"{_SPLITS[0]}-dat.mat.gz")
IMAGE_SHAPE = (64, 64, 1)
# One image for each combination. Scores leave out `instance`, the toy within its category: five
# toys of each are for training, the others for testing, and what they share is not known.
GRID = FactorSpace(
    names=("category", "instance", "elevation", "azimuth", "lighting"),
    sizes=(5, 10, 9, 18, 6),
    values=(range(5), range(10), range(30, 71, 5), range(0, 360, 20), range(6)),  # degrees
    kinds=("categorical", "categorical", "ordered", "cyclic", "categorical"),
)

_ORIGINAL_SIZE = 96
_TYPES = {
    0x1E3D4C51: "<f4",
    0x1E3D4C53: "<f8",
    0x1E3D4C54: "<i4",
    0x1E3D4C55: "u1",
    0x1E3D4C56: "<i2",
}
_DAMAGE = (OSError, EOFError, zlib.error, struct.error)
_ROWS = 256


def read_smallnorb(path: Path, grid: FactorSpace = GRID, *, verify: bool = False) -> LabelledArray:
    """Read files in the format of SmallNORB, plain or compressed: the left image of each pair.

    At the first call its images are resized into the cache, 199 MB.

    Args:
        path: Any file in the folder that holds all six.
        grid: The factors that they must hold; images are numbered in its order.
        verify: Whether to compare all six with their published checksums (known for compressed
            files), and the converted copy with its own.

    Returns:
        The data set, with source "file"; images `(64, 64, 1)`. Its factors are those of `grid`
        without `instance`, so each combination has as many images as there are instances.

    Raises:
        DataFileError: if a file is missing, damaged or holds another array than expected, or a
            combination is not there exactly once.
        CacheError: if the converted copy cannot be written.

    References:
        LeCun et al. 2004, Learning Methods for Generic Object Recognition with Invariance to Pose
        and Lighting, CVPR, https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/.
    """
    files = {
        (split, part): _file(path.parent, f"{split}-{part}.mat")
        for split in _SPLITS
        for part in _PARTS
    }
    if verify:
        for file in files.values():
            check_digest(file)

    def fill(target: Target) -> None:
        seen = np.zeros(len(grid), np.int64)
        with tqdm(total=len(grid), desc="Resizing SmallNORB", unit=" images", delay=2) as bar:
            for split in _SPLITS:
                parts = [files[split, part] for part in _PARTS]
                numbers = _numbers(*parts, grid)
                seen += np.bincount(numbers, minlength=len(grid))
                _convert(parts[0], numbers, target, bar)
        check_complete(path.parent, seen, grid)

    rows = cached(
        "smallnorb", (len(grid), *IMAGE_SHAPE), stamps(list(files.values())), fill, verify=verify
    )
    return without_instance("file", grid, rows)


def without_instance(source: str, grid: FactorSpace, rows: Rows) -> LabelledArray:
    """SmallNORB of images `rows` in the order of `grid`, whose `instance` is not reported."""
    kept = [k for k, name in enumerate(grid.names) if name != "instance"]
    reported = FactorSpace(
        *([row[k] for k in kept] for row in (grid.names, grid.sizes, grid.values, grid.kinds))
    )
    labels = grid.factors(np.arange(len(grid)))[:, kept]
    return LabelledArray("smallnorb", source, reported, rows, labels)


def _file(folder: Path, name: str) -> Path:
    """The file, plain or compressed."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataFileError(f"{folder} lacks {name} or {name}.gz; all six files are needed")


def _numbers(dat: Path, cat: Path, info: Path, grid: FactorSpace) -> np.ndarray:
    """Image numbers, int64 `(n,)`, of the rows of a split."""
    with _matrix(dat) as (_, (n_images, *_), _):
        pass
    with _matrix(cat) as (stream, shape, dtype):
        _check(cat, shape, dtype, (n_images,), "<i4")
        category = _read(cat, stream, shape, dtype)
    with _matrix(info) as (stream, shape, dtype):
        _check(info, shape, dtype, (n_images, 4), "<i4")
        instance, elevation, azimuth, lighting = _read(info, stream, shape, dtype).T
    # Azimuth is stored in steps of 10 degrees, of which every other one is there.
    factors = np.stack([category, instance, elevation, azimuth // 2, lighting], axis=1)
    outside = ((factors < 0) | (factors >= grid.sizes)).any(axis=1) | (azimuth % 2 != 0)
    if outside.any():
        row = np.flatnonzero(outside)[0]
        found = [int(column[row]) for column in (instance, elevation, azimuth, lighting)]
        raise DataFileError(
            f"{info}: row {row} is {found} in category {category[row]}; expected instance, "
            f"elevation, azimuth (even) and lighting below "
            f"{(*grid.sizes[1:3], 2 * grid.sizes[3], grid.sizes[4])}, category below "
            f"{grid.sizes[0]}"
        )
    return grid.index(factors)


def _convert(path: Path, numbers: np.ndarray, target: Target, bar: tqdm) -> None:
    with _matrix(path) as (stream, shape, dtype):
        expected = len(numbers), 2, _ORIGINAL_SIZE, _ORIGINAL_SIZE
        _check(path, shape, dtype, expected, "u1")
        for start in range(0, len(numbers), _ROWS):
            rows = numbers[start : start + _ROWS]
            pairs = _read(path, stream, (len(rows), *shape[1:]), dtype)
            target[rows] = fitted_arrays(pairs[:, 0, :, :, None], IMAGE_SHAPE[0])
            bar.update(len(rows))
        if stream.read(1):  # reading to the end also checks the checksum of a compressed file
            raise DataFileError(f"{path} is longer than its header says")


@contextlib.contextmanager
def _matrix(path: Path) -> Iterator[tuple[BinaryIO, tuple[int, ...], np.dtype]]:
    """Stream behind the header of a binary matrix, its shape and its dtype."""
    with damage_named(path, _DAMAGE):
        if path.suffix == ".gz":
            with open(path, "rb") as file:
                check_first_bytes(path, file.read(40), b"\x1f\x8b", "a gzip file")
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            magics = tuple(struct.pack("<i", magic) for magic in _TYPES)
            check_first_bytes(path, stream.peek(40), magics, "a matrix of the NORB format")
            magic, n_dims = struct.unpack("<ii", stream.read(8))
            if not 1 <= n_dims <= 8:
                raise DataFileError(f"{path} is damaged: its matrix has {n_dims} dimensions")
            n_sizes = max(3, n_dims)
            shape = struct.unpack(f"<{n_sizes}i", stream.read(4 * n_sizes))[:n_dims]
            dtype = np.dtype(_TYPES[magic])
            n_bytes = stream.tell() + math.prod(shape) * dtype.itemsize
            if path.suffix != ".gz" and (size := path.stat().st_size) < n_bytes:
                raise DataFileError(f"{path} has {size:,} of {n_bytes:,} bytes: truncated")
            yield stream, shape, dtype


def _check(
    path: Path, shape: tuple[int, ...], dtype: np.dtype, expected: tuple[int, ...], kind: str
) -> None:
    if (shape, dtype) != (expected, np.dtype(kind)):
        raise DataFileError(f"{path} is {dtype} {shape}; expected {np.dtype(kind)} {expected}")


def _read(path: Path, stream: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    n_bytes = math.prod(shape) * dtype.itemsize
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise DataFileError(f"{path} is damaged or truncated: it ends too early")
    return np.frombuffer(data, dtype).reshape(shape)
