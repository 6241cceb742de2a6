"""The server as a process: its command, its signals, what it imports."""

import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from sparsevae import export
from sparsevae.export.server.model import Model

SERVE = Path(__file__).parents[3] / "scripts" / "serve.py"
RAW = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def process(small_export):
    """The command, and its port."""
    command = [sys.executable, str(SERVE), str(small_export), "--port", "0", "--name", "small"]
    environment = os.environ | {"PYTHONPATH": str(SERVE.parents[1])}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    line = process.stdout.readline()
    assert line.startswith("small by "), process.stderr.read()
    yield process, int(line.split(":")[-1].split("/")[0])
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def test_sigterm_finishes_what_is_in_flight(process, small_export):
    """Half a request has arrived when the signal comes; the other half is still read."""
    process, port = process
    url = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
    images = np.arange(160_000, dtype=np.uint32).astype(np.uint8).tobytes()
    head = (
        "POST /v1/models/small:predict HTTP/1.1\r\nhost: x\r\n"
        f"content-type: application/octet-stream\r\ncontent-length: {len(images)}\r\n\r\n"
    )
    idle, *connections = (
        socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(9)
    )
    for connection in connections:
        connection.sendall(head.encode() + images[:1000])
    metrics = f"{url}/metrics"
    while "sparsevae_requests_in_progress 8.0" not in httpx.get(metrics).text:
        pass
    process.send_signal(signal.SIGTERM)
    while idle.recv(1):
        pass  # the server has begun to stop once it closes a connection without a request
    images_as_array = np.frombuffer(images, np.uint8).reshape(-1, 4, 4, 1)
    expected = export.load(small_export).encode(images_as_array)
    for connection in connections:
        connection.sendall(images[1000:])
        with connection, connection.makefile("rb") as file:
            head, _, body = file.read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and b"connection: close" in head
        np.testing.assert_allclose(np.load(io.BytesIO(body)), expected, atol=1e-5)
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    idle.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")
    assert "Traceback" not in process.stderr.read()


def test_no_training_side_and_no_tensorflow_where_onnx_will_do(small_export):
    pytest.importorskip("onnxruntime")
    code = (
        "import sys\nfrom sparsevae.export.server import build_app\n"
        "from sparsevae.export.server.model import Model\n"
        "model = Model(sys.argv[1])\nbuild_app(model, 'small')\n"
        "names = ('tensorflow', 'keras', 'sklearn', 'pandas', 'sparsevae.models')\n"
        "print(model.backend, [name for name in names if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(small_export)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == "onnx []\n", done.stderr[-2000:]


def test_backends(small_export, monkeypatch, tmp_path):
    import shutil

    from sparsevae.export import folder as folders
    from sparsevae.records import read_json, write_json

    with pytest.raises(ValueError, match="Did you mean 'onnx'"):
        Model(small_export, "onx")
    copy = shutil.copytree(small_export, tmp_path / "copy")
    write_json(copy / "card.json", read_json(copy / "card.json") | {"formats": {}})
    folders.seal(copy)
    with pytest.raises(ValueError, match=r"'onnx' needs an export with that format.*has none"):
        Model(copy, "onnx")
    assert Model(copy).backend == "tensorflow"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"pip install 'sparsevae\[onnx\]'"):
        Model(small_export, "onnx")
    assert Model(small_export).backend == "tensorflow"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent"], "absent is not an exported model: there is no such folder"),
        ([".", "--max-batch", "0"], "`max_batch` must be above 0"),
    ],
    ids=["absent", "bound"],
)
def test_the_command_ends_in_one_line(tmp_path, arguments, words):
    done = subprocess.run(
        [sys.executable, str(SERVE), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(SERVE.parents[1])},
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"Error: {words}" in done.stderr


def test_a_port_that_is_taken_is_said(tmp_path, small_export, port):
    done = subprocess.run(
        [sys.executable, str(SERVE), str(small_export), "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(SERVE.parents[1])},
    )
    assert done.returncode == 1 and "Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_missing_extra_is_named(tmp_path, small_export):
    code = (
        "import runpy, sys\nsys.modules['starlette'] = None\n"
        f"sys.path.insert(0, {str(SERVE.parent)!r})\n"
        f"sys.argv = ['serve.py', {str(small_export)!r}]\n"
        f"runpy.run_path({str(SERVE)!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "pip install 'sparsevae[serve]'" in done.stderr
    assert "Traceback" not in done.stderr
