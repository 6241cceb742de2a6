"""Sets that TensorFlow Datasets prepared earlier, put back in order and kept once more.

It shuffles images when it writes them, so the labels say which image is which. Nothing is ever
downloaded here.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import GridArray, LabelledArray
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError, check_complete, damage_named
from sparsevae.data.packed import PackedData
from sparsevae.data.read import dsprites, shapes3d, smallnorb
from sparsevae.data.storage.cache import Target, cached, stamps
from sparsevae.data.storage.fitting import fitted_arrays

_BATCH = 256


@dataclasses.dataclass(frozen=True)
class _Layout:
    """How a prepared set is laid out, and what becomes of its images.

    Attributes:
        labels: Names of the features that hold the factors, in the order of `factor_space`.
        splits: Splits that together make the set.
        image_shape: Shape of its images.
        row_shape: Shape of an image as it is kept.
        convert: Images `(n, *image_shape)` to what is kept, `(n, *row_shape)`; may refuse.
    """

    name: str
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    image_shape: tuple[int, int, int]
    row_shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray]


def read_dsprites(
    path: Path, factor_space: FactorSpace = dsprites.FACTORS, *, verify: bool = False
) -> PackedData:
    """dSprites as prepared by TensorFlow Datasets; kept as bits, 377 MB.

    Args:
        path: Folder of a prepared version, such as `~/tensorflow_datasets/dsprites/2.0.0`.
        factor_space: The factors that it must hold.
        verify: Whether to compare the converted copy with its checksum.

    Returns:
        The data set, with source "tfds".

    Raises:
        DataFileError: if a file is damaged, the features are others, pixels are neither 0 nor 1,
            or a combination is not there exactly once.
        CacheError: if the converted copy cannot be written.
    """
    labels = ("shape", "scale", "orientation", "x_position", "y_position")
    layout = _Layout(
        name="dsprites",
        labels=tuple(f"label_{label}" for label in labels),
        splits=("train",),
        image_shape=dsprites.IMAGE_SHAPE,
        row_shape=(512,),
        convert=functools.partial(_packed, path),
    )
    rows = _converted(path, layout, factor_space, verify)
    return PackedData("dsprites", "tfds", factor_space, dsprites.IMAGE_SHAPE, rows)


def read_shapes3d(
    path: Path, factor_space: FactorSpace = shapes3d.FACTORS, *, verify: bool = False
) -> GridArray:
    """Shapes3D as prepared by TensorFlow Datasets, 5.9 GB: see `read_dsprites`."""
    layout = _Layout(
        name="shapes3d",
        labels=tuple(f"label_{name}" for name in factor_space.names),
        splits=("train",),
        image_shape=shapes3d.IMAGE_SHAPE,
        row_shape=shapes3d.IMAGE_SHAPE,
        convert=lambda images: images,
    )
    rows = _converted(path, layout, factor_space, verify)
    return GridArray("shapes3d", "tfds", factor_space, rows)


def read_smallnorb(
    path: Path, grid: FactorSpace = smallnorb.GRID, *, verify: bool = False
) -> LabelledArray:
    """SmallNORB as prepared by TensorFlow Datasets, resized to 199 MB: see `read_dsprites`."""
    size = smallnorb.IMAGE_SHAPE[0]
    layout = _Layout(
        name="smallnorb",
        labels=("label_category", "instance", "label_elevation", "label_azimuth", "label_lighting"),
        splits=("train", "test"),
        image_shape=(96, 96, 1),
        row_shape=smallnorb.IMAGE_SHAPE,
        convert=lambda images: fitted_arrays(images, size),
    )
    rows = _converted(path, layout, grid, verify)
    return smallnorb.without_instance("tfds", grid, rows)


def _packed(path: Path, images: np.ndarray) -> np.ndarray:
    if images.max() > 1:
        raise DataFileError(f"{path}: pixels are 0 ... {images.max()}; expected 0 and 1")
    return np.packbits(images.reshape(len(images), -1), axis=1)


def _converted(path: Path, layout: _Layout, factor_space: FactorSpace, verify: bool):
    def fill(target: Target) -> None:
        seen = np.zeros(len(factor_space), np.int64)
        with tqdm(total=len(seen), desc=f"Converting {path}", unit=" images", delay=2) as bar:
            for images, factors in _batches(path, layout, factor_space):
                numbers = factor_space.index(factors)
                seen += np.bincount(numbers, minlength=len(seen))
                order = np.argsort(numbers)
                target[numbers[order]] = layout.convert(images[order])
                bar.update(len(images))
        check_complete(path, seen, factor_space)

    files = sorted(file for file in path.iterdir() if file.is_file())
    shape = len(factor_space), *layout.row_shape
    return cached(f"{layout.name}_tfds", shape, stamps(files), fill, verify=verify)


def _batches(
    path: Path, layout: _Layout, factor_space: FactorSpace
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images `(n, height, width, channels)` and factors `(n, n_factors)`, in any order."""
    # Here, as these two take seconds to import.
    import tensorflow as tf
    import tensorflow_datasets as tfds

    # TypeError and AttributeError: what its parsers make of JSON of another kind.
    errors = (tf.errors.OpError, OSError, ValueError, KeyError, TypeError, AttributeError)
    with damage_named(path, errors):
        builder = tfds.builder_from_directory(path)
        _check_features(path, builder.info.features, layout, factor_space)
        _check_counts(path, builder.info.splits, layout, factor_space)
        others = set(builder.info.features) - {"image", *layout.labels}
        decoders = {key: tfds.decode.SkipDecoding() for key in others}
        for split in layout.splits:
            batches = builder.as_dataset(
                split=split, batch_size=_BATCH, decoders=decoders, shuffle_files=False
            )
            for batch in tfds.as_numpy(batches):
                yield batch["image"], np.stack([batch[key] for key in layout.labels], axis=1)


def _check_features(path: Path, features, layout: _Layout, factor_space: FactorSpace) -> None:
    missing = {"image", *layout.labels} - set(features)
    if missing:
        raise DataFileError(f"{path} lacks {sorted(missing)}; it has {sorted(features)}")
    if (shape := features["image"].shape) != layout.image_shape:
        raise DataFileError(f"{path}: image is {shape}; expected {layout.image_shape}")
    for label, size in zip(layout.labels, factor_space.sizes, strict=True):
        if (found := features[label].num_classes) != size:
            raise DataFileError(f"{path}: {label} has {found} classes; expected {size}")


def _check_counts(path: Path, splits, layout: _Layout, factor_space: FactorSpace) -> None:
    missing = set(layout.splits) - set(splits)
    if missing:
        raise DataFileError(f"{path} lacks the splits {sorted(missing)}; it has {sorted(splits)}")
    n_images = sum(splits[split].num_examples for split in layout.splits)
    if n_images != len(factor_space):
        raise DataFileError(f"{path} has {n_images} images; expected {len(factor_space)}")
