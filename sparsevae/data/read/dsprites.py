"""The original dSprites file, read strictly and held in bits (377 MB instead of 3 GB)."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.packed import PackedData
from sparsevae.data.render.dsprites import FACTORS, IMAGE_SHAPE
from sparsevae.data.storage import hdf5, npz
from sparsevae.data.storage.checksums import check_digest

FILE_NAME = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
FILE_NAMES = (FILE_NAME, "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5")

_ROWS = 1024  # images read at a time from an npz archive, 4 MB

_Reader = Callable[[str, tuple[int, ...], type], Iterator[np.ndarray]]


def read_dsprites(
    path: Path, factor_space: FactorSpace = FACTORS, *, verify: bool = False
) -> PackedData:
    """Read a file in one of the two formats of dSprites; only images and classes are touched.

    Args:
        path: The npz file, or the HDF5 file if its name ends in .hdf5 or .h5.
        factor_space: The factors that it must hold, without `color`.
        verify: Whether to compare the file with the published checksum of its name.

    Returns:
        The data set, with source "file".

    Raises:
        DataFileError: if the file is damaged, holds other arrays than expected, pixels other than
            {0, 1} or {0, 255}, or images in another order.
    """
    h5 = path.suffix in (".hdf5", ".h5")
    classes = "latents/classes" if h5 else "latents_classes"
    with _open(path, h5, ("imgs", classes)) as rows:
        # One column more than factors: `color`, always 0.
        shape = len(factor_space), 1 + len(factor_space.names)
        _check_order(path, classes, rows(classes, shape, np.int64), factor_space)
        if verify:
            check_digest(path)
        shape = len(factor_space), *IMAGE_SHAPE[:2]
        packed = _read_images(path, rows("imgs", shape, np.uint8), len(factor_space))
    return PackedData("dsprites", "file", factor_space, IMAGE_SHAPE, packed)


@contextlib.contextmanager
def _open(path: Path, h5: bool, keys: tuple[str, ...]) -> Iterator[_Reader]:
    """A function that streams an array of the file, whichever of the two formats it has."""
    if h5:
        with hdf5.open_h5(path, keys) as file:
            yield lambda key, shape, dtype: hdf5.read_rows(file, key, shape, dtype)
    else:
        with npz.open_npz(path, keys) as archive:
            yield lambda key, shape, dtype: npz.read_rows(archive, key, shape, dtype, _ROWS)


def _check_order(
    path: Path, key: str, pieces: Iterator[np.ndarray], factor_space: FactorSpace
) -> None:
    start = 0
    for classes in pieces:
        expected = np.zeros_like(classes)
        expected[:, 1:] = factor_space.factors(np.arange(start, start + len(classes)))
        wrong = np.flatnonzero((classes != expected).any(axis=1))
        if len(wrong):
            row = wrong[0]
            raise DataFileError(
                f"{path}: row {start + row} of {key} is "
                f"{classes[row].tolist()}; expected {expected[row].tolist()}: "
                "the images are not in the original order"
            )
        start += len(classes)


def _read_images(path: Path, pieces: Iterator[np.ndarray], n_images: int) -> np.ndarray:
    height, width, _ = IMAGE_SHAPE
    packed = np.empty((n_images, height * width // 8), np.uint8)
    on = start = 0
    # The bar appears only when reading takes longer than two seconds.
    with tqdm(total=n_images, desc="Reading dSprites", unit=" images", delay=2) as bar:
        for images in pieces:
            on = on or images.max()
            if on not in (0, 1, 255) or not np.isin(images, (0, on)).all():
                raise DataFileError(
                    f"{path}: imgs holds values other than {{0, 1}} or {{0, 255}}, "
                    f"found in images {start} ... {start + len(images) - 1}"
                )
            packed[start : start + len(images)] = np.packbits(images.reshape(len(images), -1), 1)
            start += len(images)
            bar.update(len(images))
    return packed
