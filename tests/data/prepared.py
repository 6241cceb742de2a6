"""Tiny sets as TensorFlow Datasets itself prepares them, with the features of its own builders."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
import true_files

_POSITIONS = ("shape", "scale", "orientation", "x_position", "y_position")


def prepare(name, folder, version="2.0.0", **changes):
    """Writes `folder/name/version`; `changes` replace a feature and its array (None: left out)."""
    features, arrays, splits = _PARTS[name]()
    for key, change in changes.items():
        features[key], arrays[key] = change or (None, None)
        if change is None:
            del features[key], arrays[key]
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(
                {key: array[rows] for key, array in arrays.items()}
            )
            for split, rows in splits.items()
        },
        data_dir=folder,
    )
    return folder / name / version


def _labels(names, space):
    features = {
        name: tfds.features.ClassLabel(num_classes=size)
        for name, size in zip(names, space.sizes, strict=True)
    }
    factors = space.factors(np.arange(len(space)))
    return features, dict(zip(names, factors.T, strict=True))


def _set(shape, images, names, space):
    features, arrays = _labels(names, space)
    return {"image": tfds.features.Image(shape=shape)} | features, {"image": images} | arrays


def _dsprites():
    names = [f"label_{name}" for name in _POSITIONS]
    images = true_files.sprites()[..., None]
    return *_set((64, 64, 1), images, names, true_files.DSPRITES), {"train": slice(None)}


def _shapes3d():
    space = true_files.SHAPES3D
    names = [f"label_{name}" for name in space.names]
    images = true_files.banded(space, (64, 64, 3))
    return *_set((64, 64, 3), images, names, space), {"train": slice(None)}


def _smallnorb():
    space = true_files.SMALLNORB
    names = [name if name == "instance" else f"label_{name}" for name in space.names]
    images = true_files.banded(space, (96, 96, 1))
    features, arrays = _set((96, 96, 1), images, names, space)
    features["image2"], arrays["image2"] = tfds.features.Image(shape=(96, 96, 1)), 255 - images
    rows = arrays["instance"]
    return features, arrays, {"train": rows == 0, "test": rows == 1}


_PARTS = {"dsprites": _dsprites, "shapes3d": _shapes3d, "smallnorb": _smallnorb}
