"""The runtimes that networks are timed in: each gives a function of a batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

FILES = {
    "keras": "model.keras",
    "tf_saved_model": "saved_model",
    "onnx": "model.onnx",
    "litert": "model.tflite",
    "openvino": "model.xml",
}


def with_keras(path: Path, n_threads: int) -> Callable[[np.ndarray], Any]:
    """By `predict_on_batch`, the quickest that Keras has."""
    del n_threads  # TensorFlow's, set for the process
    return keras.saving.load_model(path).predict_on_batch


def with_saved_model(path: Path, n_threads: int) -> Callable[[np.ndarray], Any]:
    """In TensorFlow alone."""
    del n_threads
    model = tf.saved_model.load(str(path))

    def call(batch):
        return [output.numpy() for output in tf.nest.flatten(model.serve(batch))]

    call.model = model  # or its variables would go
    return call


def with_onnx(path: Path, n_threads: int) -> Callable[[np.ndarray], Any]:
    """In ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = onnxruntime.InferenceSession(str(path), options)
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})


def with_litert(path: Path, n_threads: int) -> Callable[[np.ndarray], Any]:
    """In LiteRT, the former TensorFlow Lite."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=n_threads).get_signature_runner()
    (name,) = runner.get_input_details()
    return lambda batch: runner(**{name: batch})


def with_openvino(path: Path, n_threads: int) -> Callable[[np.ndarray], Any]:
    """In OpenVINO, in float32 (it would choose bfloat16)."""
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": n_threads}
    model = openvino.Core().compile_model(str(path), "CPU", settings)
    return lambda batch: [output.copy() for output in model([batch]).values()]


CALLS = {
    "keras": with_keras,
    "tf_saved_model": with_saved_model,
    "onnx": with_onnx,
    "litert": with_litert,
    "openvino": with_openvino,
}
