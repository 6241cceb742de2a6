"""The original dSprites file, read strictly and held in bits (377 MB instead of 3 GB)."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
from tqdm import tqdm

from sparsevae.data.dsprites import FACTORS, IMAGE_SHAPE
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.npz import open_npz, read_rows
from sparsevae.data.packed import PackedData

FILE_NAME = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"

_ROWS = 1024  # images read at a time, 4 MB


def read_dsprites(path: Path, factor_space: FactorSpace = FACTORS) -> PackedData:
    """Read a file in the format of dSprites; only `imgs` and `latents_classes` are touched.

    Args:
        path: The npz file.
        factor_space: The factors that it must hold, without `color`.

    Returns:
        The data set, with source "file".

    Raises:
        DataFileError: if the file is damaged, holds other arrays than expected, pixels other than
            {0, 1} or {0, 255}, or images in another order.
    """
    with open_npz(path, keys=("imgs", "latents_classes")) as archive:
        _check_order(archive, factor_space)
        packed = _read_images(archive, len(factor_space))
    return PackedData("dsprites", "file", factor_space, IMAGE_SHAPE, packed)


def _check_order(archive: ZipFile, factor_space: FactorSpace) -> None:
    # One column more than factors: `color`, always 0.
    shape = len(factor_space), 1 + len(factor_space.names)
    start = 0
    for classes in read_rows(archive, "latents_classes", shape, np.int64, _ROWS):
        expected = np.zeros_like(classes)
        expected[:, 1:] = factor_space.factors(np.arange(start, start + len(classes)))
        wrong = np.flatnonzero((classes != expected).any(axis=1))
        if len(wrong):
            row = wrong[0]
            raise DataFileError(
                f"{archive.filename}: row {start + row} of latents_classes is "
                f"{classes[row].tolist()}; expected {expected[row].tolist()}: "
                "the images are not in the original order"
            )
        start += len(classes)


def _read_images(archive: ZipFile, n_images: int) -> np.ndarray:
    height, width, _ = IMAGE_SHAPE
    packed = np.empty((n_images, height * width // 8), np.uint8)
    on = start = 0
    # The bar appears only when reading takes longer than two seconds.
    with tqdm(total=n_images, desc="Reading dSprites", unit=" images", delay=2) as bar:
        for images in read_rows(archive, "imgs", (n_images, height, width), np.uint8, _ROWS):
            on = on or images.max()
            if on not in (0, 1, 255) or not np.isin(images, (0, on)).all():
                raise DataFileError(
                    f"{archive.filename}: imgs holds values other than {{0, 1}} or {{0, 255}}, "
                    f"found in images {start} ... {start + len(images) - 1}"
                )
            packed[start : start + len(images)] = np.packbits(images.reshape(len(images), -1), 1)
            start += len(images)
            bar.update(len(images))
    return packed
