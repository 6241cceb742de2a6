"""What runs an export: TensorFlow, ONNX Runtime, LiteRT or OpenVINO; arrays in, arrays out.

Nothing here needs the training side, and each runtime is imported when it is first used.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

Call = Callable[[np.ndarray], dict[str, np.ndarray]]

SIGNATURES = {"encode": "images", "decode": "codes", "reconstruct": "images"}
"""Signatures of float32 arrays, and the name of each one's input."""

PACKAGES = {
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
    "litert": ("ai_edge_litert",),
    "openvino": ("openvino",),
}
"""What each extra installs, by the name that Python imports."""


class SavedModel:
    """A SavedModel, loaded by TensorFlow when it is first called; safe to share among threads.

    Args:
        folder: Of the export.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._signatures = None

    def load(self) -> "SavedModel":
        """Loads it now.

        Raises:
            ValueError: if TensorFlow cannot read it.
        """
        with self._lock:
            if self._signatures is None:
                import tensorflow as tf

                try:
                    self._model = tf.saved_model.load(str(self._folder))
                except (OSError, tf.errors.OpError) as error:
                    raise ValueError(
                        f"{self._folder} is damaged; export the model again ({error})"
                    ) from error
                self._signatures = self._model.signatures
        return self

    def call(self, signature: str, array: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name of one signature of `SIGNATURES`, for a float32 array."""
        outputs = self.load()._signatures[signature](**{SIGNATURES[signature]: array})
        return {name: output.numpy() for name, output in outputs.items()}


def onnx(path: Path, n_threads: int = 0) -> Call:
    """An ONNX file in ONNX Runtime; safe to share among threads.

    Args:
        path: The file.
        n_threads: Threads of one call; 0 is one a core.

    Raises:
        ImportError: if it is not installed, naming the extra.
    """
    package = import_extra("onnxruntime", "onnx")
    options = package.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = package.InferenceSession(str(path), options)
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {"images": images}), strict=True))


def litert(path: Path) -> Call:
    """A LiteRT file; raises as `onnx`. For one thread at a time."""
    interpreter = import_extra("ai_edge_litert.interpreter", "litert").Interpreter(str(path))
    runner = interpreter.get_signature_runner()
    return lambda images: runner(images=images)  # copies already


def openvino(path: Path) -> Call:
    """An OpenVINO model on the CPU in float32 (it would choose bfloat16); raises as `onnx`."""
    package = import_extra("openvino", "openvino")
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    model = package.Core().compile_model(str(path), "CPU", precision)
    names = ("codes", "log_variance")
    return lambda images: {name: model([images])[name].copy() for name in names}


RUNTIMES: dict[str, Callable[[Path], Call]] = {
    "onnx": onnx,
    "litert": litert,
    "openvino": openvino,
}


def import_extra(module: str, extra: str):
    """A module of an optional dependency.

    Raises:
        ImportError: if it is not installed; the message names the extra.
    """
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"This needs {module}: pip install 'sparsevae[{extra}]' ({error})"
        ) from error
