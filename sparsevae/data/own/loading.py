"""Anybody's own images: a folder, an array, or what TensorFlow Datasets prepared."""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.data.array import PlainArray, Rows
from sparsevae.data.files import DataFileError
from sparsevae.data.image_data import ImageData
from sparsevae.data.images import check_bytes
from sparsevae.data.own.array import as_bytes, is_images, read_array, with_channels
from sparsevae.data.own.table import Table, with_factors
from sparsevae.data.storage.fitting import fitted_arrays

TFDS = "tfds:"

_ARRAYS = (".npy", ".npz")
_SAMPLE = 64  # images


def is_own(name: str | os.PathLike) -> bool:
    """Whether a name means the user's own data, not a set of the catalog.

    That is a `Path`, what begins with "tfds:", and strings that look like a path: with a slash, a
    tilde or a dot in front, or ending in .npy or .npz.
    """
    if isinstance(name, os.PathLike):
        return True
    if not isinstance(name, str):
        raise TypeError(f"`name` must be a name or a path. Received: name={name!r}")
    looks_like_path = "/" in name or os.sep in name or name.startswith(("~", "."))
    return looks_like_path or name.startswith(TFDS) or name.endswith(_ARRAYS)


def load_own(
    path: str | os.PathLike,
    factors: Table | None = None,
    *,
    image_size: int | None = None,
    data_dir: str | os.PathLike | None = None,
    verify: bool = False,
) -> ImageData:
    """A user's images, with factors if there is a table of them.

    Args:
        path: One of

            - a folder: all images in it and below (png, jpg, bmp, tif, webp, pgm, ppm), in the
              order of their names, decoded once into the cache;
            - a .npy or .npz file with one array of images, uint8 `(n, height, width)` or
              `(n, height, width, 1 or 3)`; booleans and floats in [0, 1] are converted;
            - "tfds:NAME" or "tfds:NAME:SPLIT": images of a set that TensorFlow Datasets has
              prepared before, split "train" unless named. Nothing is downloaded.
        factors: None, or a table with a row an image: see `with_factors`.
        image_size: Height and width wanted: the middle of each image is cut to a square, then
            resized. Without it images stay as they are and must have one size.
        data_dir: For "tfds:" only, a folder to look in first.
        verify: Whether a copy made before is compared with its checksum.

    Returns:
        Without `factors` images alone, else `GroundTruthData` if there is exactly one image for
        each combination, else `LabelledData`. Its name is that of folder, file or set; its source
        "file" or "tfds".

    Raises:
        DataFileError: if an image or file is damaged or not what it should be.
        FileNotFoundError: if `path`, `data_dir` or the table does not exist.
        CacheError: if the disk is full or the cache cannot be written.
        TypeError: if an argument has a wrong type.
        ValueError: if `path` is of another kind, or the table does not fit the images.
    """
    if image_size is not None:
        image_size = check_integer("image_size", image_size, minimum=1)
    text = os.fspath(path)
    if text.startswith(TFDS):
        from sparsevae.data.own.tfds import read_tfds

        name, rows = read_tfds(text.removeprefix(TFDS), data_dir, image_size, verify=verify)
        return _named(name, "tfds", rows, factors, place=text)
    if data_dir is not None:
        raise ValueError(
            f"`data_dir` must be None for a path. Received: data_dir={str(data_dir)!r}"
        )
    path = Path(text).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"`name`: there is no file or folder {text}")
    if path.is_dir():
        from sparsevae.data.own.folder import image_names, read_folder

        names = image_names(path)
        rows = read_folder(path, names, image_size, verify=verify)
        return _named(path.resolve().name, "file", rows, factors, names, place=path)
    if path.suffix not in _ARRAYS:
        raise ValueError(
            "`name` must be a known set, a folder of images, a .npy or .npz file, or tfds:NAME. "
            f"Received: {path}"
        )
    rows = read_array(path, image_size, verify=verify)
    return _named(path.stem, "file", rows, factors, place=path)


def from_array(
    images: np.ndarray,
    factors: Table | None = None,
    name: str = "array",
    *,
    image_size: int | None = None,
) -> ImageData:
    """Images held in memory as a set; the same kinds of set and errors as for a file.

    Args:
        images: `(n, height, width)` or `(n, height, width, 1 or 3)`, uint8, bool or floats in
            [0, 1]. uint8 is kept as it is, not copied.
        factors: As for `load_own`.
        name: Name of the set, whose source is "array".
        image_size: As for `load_own`.
    """
    images = np.asarray(images)
    if not is_images(images.shape, images.dtype):
        raise ValueError(
            "`images` must be (n, height, width) or (n, height, width, 1 or 3), of uint8, bool or "
            f"floats in [0, 1]. Received: dtype {images.dtype}, shape {images.shape}"
        )
    rows = as_bytes("`images`", images).reshape(with_channels(images.shape))
    if image_size is not None:
        rows = fitted_arrays(rows, check_integer("image_size", image_size, minimum=1))
    return _named(name, "array", rows, factors)


def _named(
    name: str,
    source: str,
    rows: Rows,
    factors: Table | None,
    file_names: Sequence[str] | None = None,
    *,
    place: str | Path = "`images`",
) -> ImageData:
    _check_scale(place, rows)
    if factors is None:
        return PlainArray(name, source, rows)
    return with_factors(name, source, rows, factors, file_names)


def _check_scale(place, rows):
    """Refuses a set whose bytes are 0 and 1 only; of others few rows are read."""
    n = rows.shape[0]
    some = np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64)
    blocks = (np.arange(k, min(k + _SAMPLE, n)) for k in range(0, n, _SAMPLE))
    try:
        check_bytes(rows[numbers] for numbers in itertools.chain([some], blocks))
    except ValueError as error:
        raise DataFileError(f"{place}: {error}") from None
