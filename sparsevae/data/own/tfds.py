"""The images of any set that TensorFlow Datasets has prepared before."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sparsevae.checks import check_choice
from sparsevae.data.array import MappedArray
from sparsevae.data.files import DataFileError, damage_named
from sparsevae.data.storage.cache import Target, cached, copy_name, stamps
from sparsevae.data.storage.fitting import fitted
from sparsevae.data.storage.places import find_prepared, roots, tfds_root


def read_tfds(
    name: str,
    data_dir: str | os.PathLike | None = None,
    image_size: int | None = None,
    *,
    verify: bool = False,
) -> tuple[str, MappedArray]:
    """Images of a prepared set, in the order of its files, decoded once into the cache.

    Args:
        name: Name as for `tfds.load`, with the configuration after a slash if there are several,
            and the split after a colon if it is not "train": "mnist", "mnist:test".
        data_dir: Folder to look in before the usual ones and that of TensorFlow Datasets.
        image_size: As for `load_own`.
        verify: Whether a copy made before is compared with its checksum.

    Returns:
        The name, and uint8 `(n, height, width, channels)`.

    Raises:
        DataFileError: if a file is damaged, or the set has no or several images an example, other
            than 8-bit grey or RGB ones, or images of several sizes and no `image_size`.
        FileNotFoundError: if the set was not prepared.
        ValueError: if there is no such split.
    """
    set_name, _, split = name.partition(":")
    folders = [*roots(data_dir), tfds_root()]
    folder = find_prepared(folders, set_name)
    if folder is None:
        raise FileNotFoundError(
            f"{set_name} was not prepared by TensorFlow Datasets in {', '.join(map(str, folders))}."
            f" Prepare it with tensorflow_datasets.load({set_name!r}), or set TFDS_DATA_DIR"
        )
    return name, _converted(folder, split or "train", image_size, verify)


def _converted(folder: Path, split: str, image_size: int | None, verify: bool) -> MappedArray:
    # Here, as these two take seconds to import.
    import tensorflow as tf
    import tensorflow_datasets as tfds

    # TypeError and AttributeError: what its parsers make of JSON of another kind.
    errors = (tf.errors.OpError, OSError, ValueError, KeyError, TypeError, AttributeError)
    with damage_named(folder, errors):
        builder = tfds.builder_from_directory(folder)
        key, shape = _feature(folder, builder.info.features, image_size)
        splits = {name: info.num_examples for name, info in builder.info.splits.items()}
    check_choice("split", split, tuple(splits))
    shape = (splits[split], *shape)

    def fill(target: Target) -> None:
        with (
            damage_named(folder, errors),
            tqdm(total=shape[0], desc=f"Reading {folder}", unit=" images", delay=2) as bar,
        ):
            only_images = tfds.decode.PartialDecoding({key: True})
            examples = builder.as_dataset(split=split, decoders=only_images, shuffle_files=False)
            for number, example in enumerate(tfds.as_numpy(examples)):
                target[number : number + 1] = _fitted(example[key], shape[1:])[None]
                bar.update()

    files = sorted(file for file in folder.iterdir() if file.is_file())
    copy = f"{copy_name(folder, image_size)}-{split}"
    return cached(copy, shape, stamps(files), fill, verify=verify)


def _feature(folder: Path, features, image_size: int | None) -> tuple[str, tuple[int, int, int]]:
    """Key of the images of a set, and the shape that they will have."""
    import tensorflow_datasets as tfds

    images = sorted(key for key in features if type(features[key]) is tfds.features.Image)
    if len(images) != 1:
        raise DataFileError(
            f"{folder} must have one image an example. Received: {images or 'none'} of "
            f"{sorted(features)}"
        )
    height, width, n_channels = features[images[0]].shape
    if n_channels not in (1, 3) or features[images[0]].np_dtype != np.uint8:
        raise DataFileError(
            f"{folder} has images of {n_channels} channels of {features[images[0]].np_dtype}; "
            "expected 1 or 3 of uint8"
        )
    if image_size:
        height = width = image_size
    if None in (height, width):
        raise DataFileError(
            f"`image_size` must be given, as {folder} has images of several sizes. Received: None"
        )
    return images[0], (height, width, n_channels)


def _fitted(image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    if image.shape == shape:
        return image
    picture = Image.fromarray(image[..., 0] if shape[2] == 1 else image)
    return np.reshape(fitted(picture, *shape[:2]), shape)
