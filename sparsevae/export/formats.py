"""The encoder in other formats, through Keras's own `export`, each compared with the SavedModel."""

import contextlib
import os
import warnings
from collections.abc import Collection, Iterator
from importlib import metadata
from pathlib import Path

import keras
import numpy as np

from sparsevae.checks import check_choice
from sparsevae.export.runtimes import PACKAGES, RUNTIMES, SavedModel, import_extra

FILES = {"onnx": "encoder.onnx", "litert": "encoder.tflite", "openvino": "encoder.xml"}
TOLERANCE = 1e-5  # of codes, absolute, or relative where codes are larger than 1
N_IMAGES = 32


def check_formats(formats: Collection[str]) -> None:
    """Refuses unknown formats, and those whose packages are not installed.

    Raises:
        TypeError: for a name alone instead of a list of names.
        ValueError: for an unknown name.
        ImportError: naming the extra to install.
    """
    if isinstance(formats, str):
        raise TypeError(f"`formats` must be a list of names. Received: formats={formats!r}")
    for name in formats:
        check_choice("formats", name, tuple(FILES))
        for package in PACKAGES[name]:
            import_extra(package, name)


def export_formats(encoder: keras.Model, formats: Collection[str], folder: Path) -> dict:
    """Writes the encoder in each format beside the SavedModel that lies in the folder.

    Args:
        encoder: From images to mean and log variance, in stock layers.
        formats: Names in `FILES`.
        folder: Holds the SavedModel; gets `encoder.onnx`, `encoder.tflite`, or `encoder.xml` with
            `encoder.bin`. All take `images` and give `codes` and `log_variance`, any batch size.

    Returns:
        What the card says: by format its file, the largest difference of its outputs from the
        SavedModel's over 64 images in batches of 1, 7 and 56, and the versions of its packages.

    Raises:
        RuntimeError: if a format gives other codes.
    """
    if not formats:
        return {}
    images = encoder.inputs[0]
    named = keras.Model(images, dict(zip(("codes", "log_variance"), encoder.outputs, strict=True)))
    model = SavedModel(folder)
    rng = np.random.default_rng(0)
    test_images = rng.random((N_IMAGES, *images.shape[1:]), np.float32)
    codes = rng.standard_normal((N_IMAGES, encoder.outputs[0].shape[-1]), np.float32)
    test_images = np.concatenate([test_images, model.call("decode", codes)["images"]])
    named(test_images)  # Keras's ONNX export asks for a model that has been called
    found = {}
    for name in formats:
        with _quiet_exporters():
            named.export(str(folder / FILES[name]), format=name, verbose=False)
        found[name] = {
            "file": FILES[name],
            "max_difference": _largest_difference(name, folder, model, test_images),
            "versions": {package: _version(package) for package in PACKAGES[name]},
        }
    return found


def _largest_difference(name, folder, model, images):
    """Between all outputs of a format and of the SavedModel, over several batch sizes."""
    call = RUNTIMES[name](folder / FILES[name])
    largest = 0.0
    for batch in np.split(images, (1, 8)):
        found, expected = call(batch), model.call("encode", batch)
        for output, values in expected.items():
            difference = float(np.abs(found[output] - values).max())
            if not difference <= TOLERANCE * max(1.0, float(np.abs(values).max())):
                raise RuntimeError(
                    f"The {name} export gives other {output} than the SavedModel: they differ by "
                    f"up to {difference:.3g}. Leave {name!r} out of `formats`"
                )
            largest = max(largest, difference)
    return largest


def _version(package):
    return metadata.version({"ai_edge_litert": "ai-edge-litert"}.get(package, package))


@contextlib.contextmanager
def _quiet_exporters() -> Iterator[None]:
    """Converters that neither warn about their own code nor report their use.

    OpenVINO's sends each conversion to Google Analytics, except where `CI` is set.
    """
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before
