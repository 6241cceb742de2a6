"""Images in a user's npy or npz file: read in place where they can be, else converted once."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import MappedArray
from sparsevae.data.files import DataFileError
from sparsevae.data.storage.cache import cached, copy_name, stamps
from sparsevae.data.storage.fitting import fitted_arrays
from sparsevae.data.storage.npz import (
    ArrayHeader,
    open_npy,
    open_npz,
    random_rows,
    read_header,
    read_rows,
)

_PIECE = 2**24  # bytes converted at a time
_EXPECTED = (
    "expected (n, height, width) or (n, height, width, 1 or 3), of uint8, bool or floats in [0, 1]"
)


def read_array(path: Path, image_size: int | None = None, *, verify: bool = False) -> MappedArray:
    """The images of a npy or npz file, uint8 `(n, height, width, channels)`, left on disk.

    Bytes are read where they lie. Floats in [0, 1], rounded to 255 steps, booleans, as 0 and 255,
    and compressed arrays are converted, once, into the cache.

    Args:
        path: The file; an npz archive must have one array of images, its others are not read.
        image_size: Height and width wanted: the middle of each image is cut to a square, then
            resized.
        verify: Whether a copy made before is compared with its checksum.

    Raises:
        DataFileError: if the file is damaged, has no array of images or several, or floats
            outside [0, 1].
        CacheError: if a copy is needed and the disk is full.
    """
    read = _read_npy if path.suffix == ".npy" else _read_npz
    return read(path, image_size, verify)


def as_bytes(place: str, images: np.ndarray) -> np.ndarray:
    """Images as uint8: floats in [0, 1] times 255, rounded; booleans as 0 and 255.

    Raises:
        DataFileError: if a float is not in [0, 1]; `place` says where it comes from.
    """
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images * np.uint8(255)
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # written so that NaN fails too
        raise DataFileError(f"{place}: values from {low:g} to {high:g}; floats must lie in [0, 1]")
    return np.rint(images.astype(np.float32) * 255).astype(np.uint8)


def is_images(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an array can be images: see `read_array`."""
    right_shape = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))
    return right_shape and 0 not in shape and (dtype == np.uint8 or dtype.kind in "bf")


def with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """`(n, height, width, channels)` of a shape that may lack channels."""
    return shape if len(shape) == 4 else (*shape, 1)


def _read_npy(path, image_size, verify):
    with open_npy(path) as header:
        _check(f"{path}", header)
        n_bytes = header.n_bytes + math.prod(header.shape) * header.dtype.itemsize
        if (size := path.stat().st_size) != n_bytes:
            raise DataFileError(f"{path} has {size:,} of {n_bytes:,} bytes: damaged or truncated")
        if header.dtype == np.uint8 and not image_size:
            return MappedArray(path, with_channels(header.shape), header.n_bytes)
        stored = np.memmap(path, header.dtype, "r", header.n_bytes, header.shape)

        def pieces(n_rows):
            return (stored[k : k + n_rows] for k in range(0, len(stored), n_rows))

        return _converted(path, header, pieces, image_size, verify)


def _read_npz(path, image_size, verify):
    with open_npz(path) as archive:
        key, header = _the_images(archive)
        _check(f"{path}: {key}", header)
        if header.dtype == np.uint8 and not image_size:
            rows = random_rows(archive, key, header.shape, copy_name(path), verify=verify)
            return MappedArray(rows.path, with_channels(header.shape), rows.offset)

        def pieces(n_rows):
            return read_rows(archive, key, header.shape, header.dtype, n_rows)

        return _converted(path, header, pieces, image_size, verify)


def _the_images(archive: zipfile.ZipFile) -> tuple[str, ArrayHeader]:
    """The one array of images of an archive: of bytes if there is one, else of another kind."""
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    headers = {name[:-4]: read_header(archive, name[:-4]) for name in names}
    images = {key: h for key, h in headers.items() if is_images(h.shape, h.dtype)}
    of_bytes = {key: h for key, h in images.items() if h.dtype == np.uint8}
    found = of_bytes or images
    if len(found) != 1:
        listed = ", ".join(f"{key} {h.dtype} {h.shape}" for key, h in headers.items()) or "nothing"
        problem = f"{len(found)} arrays that can be images" if found else "no array of images"
        advice = "; save the one wanted as a npy file" if found else f"; {_EXPECTED}"
        raise DataFileError(f"{archive.filename} has {problem}: {listed}{advice}")
    return next(iter(found.items()))


def _check(place: str, header: ArrayHeader) -> None:
    if not is_images(header.shape, header.dtype):
        raise DataFileError(f"{place} is {header.dtype} {header.shape}; {_EXPECTED}")
    header.check(place, header.shape, header.dtype)  # refuses Fortran order


def _converted(
    path: Path,
    header: ArrayHeader,
    pieces: Callable[[int], Iterable[np.ndarray]],
    image_size: int | None,
    verify: bool,
) -> MappedArray:
    """A copy as uint8, of `image_size`, made of pieces of so many rows."""
    shape = with_channels(header.shape)
    n_rows = max(1, _PIECE // (math.prod(shape[1:]) * header.dtype.itemsize))

    def fill(target):
        done = 0
        with tqdm(total=shape[0], desc=f"Converting {path.name}", unit=" images", delay=2) as bar:
            for piece in pieces(n_rows):
                images = as_bytes(f"{path}, images {done} to {done + len(piece) - 1}", piece)
                images = images.reshape(len(piece), *shape[1:])
                if image_size:
                    images = fitted_arrays(images, image_size)
                target[done : done + len(piece)] = images
                done += len(piece)
                bar.update(len(piece))

    size = (image_size, image_size) if image_size else shape[1:3]
    copy = (shape[0], *size, shape[3])
    return cached(copy_name(path, image_size), copy, stamps([path]), fill, verify=verify)
