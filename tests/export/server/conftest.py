"""A server in a thread of the test process, of the small export that is checked in."""

import contextlib
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("uvicorn")

from sparsevae.export.server import Limits, build_app
from sparsevae.export.server.model import Model
from sparsevae.export.server.run import Server, configured

V1 = Path(__file__).parents[1] / "v1"


@contextlib.contextmanager
def running(model, limits=None, name="small"):
    """Port of a server, and its app."""
    limits = limits or Limits()
    app = build_app(model, name, limits)
    server = Server(configured(app, limits))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1], app
        finally:
            server.should_exit = True
            thread.join(timeout=30)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def run_server():
    return running


@pytest.fixture(scope="session")
def small_export():
    return V1 / "export"


@pytest.fixture(scope="session")
def expected():
    """Images `(8, 4, 4, 1)` uint8, their codes and reconstructions."""
    with np.load(V1 / "expected.npz") as file:
        return dict(file)


@pytest.fixture(scope="session", params=["onnx", "tensorflow"])
def each_backend(request, small_export):
    """Address of a model, once with every backend."""
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
    with running(Model(small_export, request.param)) as (port, _):
        yield f"http://127.0.0.1:{port}/v1/models/small"


@pytest.fixture(scope="session")
def port(small_export):
    """Port of a server that all tests may use and none may stop."""
    with running(Model(small_export)) as (port, _):
        yield port


@pytest.fixture(scope="session")
def root(port):
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def address(root):
    return f"{root}/v1/models/small"


class Held:
    """A model that computes nothing until it is let go; its codes are the mean of each image."""

    image_shape, latent_dim, n_threads, backend = (4, 4, 1), 1, 1, "held"

    def __init__(self):
        self.go, self.calls = threading.Event(), []
        self.go.set()

    def call(self, signature, array):
        self.calls.append(len(array))
        assert self.go.wait(timeout=30)
        if signature == "reconstruct":
            raise RuntimeError("a secret of the model")
        means = array.reshape(len(array), -1).mean(axis=1, keepdims=True)
        return {"codes": means, "log_variance": 0 * means}


@pytest.fixture
def held():
    model = Held()
    yield model
    model.go.set()
