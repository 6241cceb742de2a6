"""The original Shapes3D file, put once into a form that can be read at random.

Its images are compressed in chunks of thousands, so reading single ones from it is hopeless.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import GridArray
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.render.shapes3d import FACTORS
from sparsevae.data.storage.cache import Target, cached, stamps
from sparsevae.data.storage.checksums import check_digest
from sparsevae.data.storage.hdf5 import open_h5, read_rows

FILE_NAME = "3dshapes.h5"
IMAGE_SHAPE = (64, 64, 3)
_TOLERANCE = 1e-6  # of values in the file, which are floats


def read_shapes3d(
    path: Path, factor_space: FactorSpace = FACTORS, *, verify: bool = False
) -> GridArray:
    """Read a file in the format of Shapes3D.

    At the first call its images are converted into the cache, 5.9 GB, at most 0.6 GB of them in
    memory at a time.

    Args:
        path: The HDF5 file.
        factor_space: The factors that it must hold, with their values.
        verify: Whether to compare the file with the published checksum of its name, and the
            converted copy with its own.

    Returns:
        The data set, with source "file"; images `(64, 64, 3)` stay on disk.

    Raises:
        DataFileError: if the file is damaged, holds other arrays than expected, or images in
            another order.
        CacheError: if the converted copy cannot be written.

    References:
        Burgess and Kim 2018, https://github.com/google-deepmind/3d-shapes.
    """
    n_images = len(factor_space)
    shape = n_images, *IMAGE_SHAPE
    with open_h5(path, ("images", "labels")) as file:
        labels = read_rows(file, "labels", (n_images, len(factor_space.names)), np.float64)
        _check_order(path, np.concatenate(list(labels)), factor_space)
        pieces = read_rows(file, "images", shape, np.uint8)
        if verify:
            check_digest(path)

        def fill(target: Target) -> None:
            with tqdm(total=n_images, desc="Converting Shapes3D", unit=" images", delay=2) as bar:
                for images in pieces:
                    target[bar.n : bar.n + len(images)] = images
                    bar.update(len(images))

        rows = cached("shapes3d", shape, stamps([path]), fill, verify=verify)
    return GridArray("shapes3d", "file", factor_space, rows)


def _check_order(path: Path, labels: np.ndarray, factor_space: FactorSpace) -> None:
    factors = factor_space.factors(np.arange(len(factor_space)))
    values = [np.array(row)[k] for row, k in zip(factor_space.values, factors.T, strict=True)]
    expected = np.stack(values, axis=1)
    wrong = np.flatnonzero(~(np.abs(labels - expected) < _TOLERANCE).all(axis=1))  # NaN is wrong
    if len(wrong):
        row = wrong[0]
        raise DataFileError(
            f"{path}: row {row} of labels is {labels[row].round(6).tolist()}; expected "
            f"{expected[row].round(6).tolist()}: the images are not in the original order"
        )
