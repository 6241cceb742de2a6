"""The model behind a server: ONNX Runtime where it can, TensorFlow for the rest."""

import importlib.util
from pathlib import Path

import numpy as np

from sparsevae.checks import check_choice
from sparsevae.cores import available_cores
from sparsevae.export import runtimes
from sparsevae.export.folder import read_card

BACKENDS = ("auto", "onnx", "tensorflow")


class Model:
    """An export, checked and loaded.

    With ONNX Runtime, `encode` needs no TensorFlow; `decode` and `reconstruct` load it when they
    are first called.

    Args:
        folder: Of `export.save`.
        backend: "onnx", "tensorflow", or "auto": ONNX Runtime if the export has that format and
            the package is installed.

    Attributes:
        backend: The one in use.
        image_shape: `(height, width, channels)`.
        latent_dim: Number of latents.
        n_threads: Calls that pay at a time. ONNX Runtime computes each on one core, and half of
            them are left to HTTP; TensorFlow spreads a call by itself.

    Raises:
        FileNotFoundError, ValueError: as `folder.read_card`; for "onnx" without that format.
        ImportError: for "onnx" without ONNX Runtime.
    """

    def __init__(self, folder: str | Path, backend: str = "auto"):
        check_choice("backend", backend, BACKENDS)
        folder = Path(folder)
        card = read_card(folder)
        self.image_shape = tuple(card["input"]["shape"][1:])
        self.latent_dim = card["output"]["codes"][1]
        file = card["formats"].get("onnx", {}).get("file")
        if backend == "onnx" and file is None:
            raise ValueError(
                f"`backend` 'onnx' needs an export with that format; {folder} has "
                f"{', '.join(card['formats']) or 'none'}. Export again with --formats onnx"
            )
        if backend == "auto":
            installed = importlib.util.find_spec("onnxruntime") is not None
            backend = "onnx" if file is not None and installed else "tensorflow"
        self.backend = backend
        self.n_threads = max(1, len(available_cores()) // 2) if backend == "onnx" else 1
        self._saved_model = runtimes.SavedModel(folder)
        self._onnx = runtimes.onnx(folder / file, n_threads=1) if backend == "onnx" else None
        if backend == "tensorflow":
            self._saved_model.load()

    def call(self, signature: str, array: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name of "encode", "decode" or "reconstruct" for a float32 array."""
        if signature == "encode" and self._onnx:
            return self._onnx(array)
        return self._saved_model.call(signature, array)
