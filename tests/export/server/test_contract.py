"""What a client of TensorFlow Serving sends, and what it gets."""

import base64
import io
import json

import httpx
import numpy as np
import pytest
import requests
from PIL import Image


@pytest.fixture(scope="module")
def lists(expected):
    return (expected["images"] / 255).tolist()


def test_rows(each_backend, expected, lists):
    """The example of TensorFlow Serving's documentation: `requests` with a JSON string."""
    answer = requests.post(f"{each_backend}:predict", data=json.dumps({"instances": lists}))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    predictions = answer.json()["predictions"]
    assert len(predictions) == 8 and set(predictions[0]) == {"codes", "log_variance"}
    codes = [row["codes"] for row in predictions]
    np.testing.assert_allclose(codes, expected["codes"], atol=1e-5)


@pytest.mark.parametrize("named", [True, False], ids=["named", "bare"])
@pytest.mark.parametrize("version", ["", "/versions/1"], ids=["latest", "version 1"])
def test_rows_and_columns_named_and_bare(each_backend, expected, lists, named, version):
    rows = [{"images": image} for image in lists] if named else lists
    columns = {"images": lists} if named else lists
    url = f"{each_backend}{version}:predict"
    answer = httpx.post(url, json={"signature_name": "encode", "instances": rows}).json()
    codes = np.array([row["codes"] for row in answer["predictions"]])
    np.testing.assert_allclose(codes, expected["codes"], atol=1e-5)
    answer = httpx.post(url, json={"signature_name": "encode", "inputs": columns}).json()
    assert set(answer["outputs"]) == {"codes", "log_variance"}
    np.testing.assert_allclose(answer["outputs"]["codes"], expected["codes"], atol=1e-5)


def test_signatures_of_one_output_have_no_name_in_the_answer(each_backend, expected, lists):
    url = f"{each_backend}:predict"
    asked = {"signature_name": "decode", "instances": expected["codes"].tolist()}
    answer = httpx.post(url, json=asked, timeout=60).json()
    np.testing.assert_allclose(answer["predictions"], expected["reconstructed"], atol=1e-5)
    asked = {"signature_name": "reconstruct", "inputs": {"images": lists}}
    answer = httpx.post(url, json=asked, timeout=60).json()
    np.testing.assert_allclose(answer["outputs"], expected["reconstructed"], atol=1e-5)


def png(image):
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(file, "png")
    return {"b64": base64.b64encode(file.getvalue()).decode()}


@pytest.mark.parametrize("wrap", [lambda png: png, lambda png: {"png": png}], ids=["bare", "named"])
def test_png_files(each_backend, expected, wrap):
    files = [wrap(png(image)) for image in expected["images"]]
    asked = {"signature_name": "encode_png", "instances": files}
    answer = httpx.post(f"{each_backend}:predict", json=asked).json()
    codes = [row["codes"] for row in answer["predictions"]]
    np.testing.assert_allclose(codes, expected["codes"], atol=1e-5)


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain", None],
)
def test_clients_that_name_another_type_for_json(address, lists, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    asked = json.dumps({"instances": lists}).encode()
    answer = httpx.post(f"{address}:predict", content=asked, headers=headers)
    assert answer.status_code == 200 and len(answer.json()["predictions"]) == 8


# Binary bodies


@pytest.mark.parametrize("kind", ["raw", "npy", "npy as stream"])
@pytest.mark.parametrize("n", [0, 1, 7, 256, 10_000])
def test_binary_bodies(each_backend, small_export, kind, n):
    from sparsevae import export

    images = np.random.default_rng(n).integers(0, 256, (n, 4, 4, 1), dtype=np.uint8)
    file = io.BytesIO()
    np.save(file, images)
    body = images.tobytes() if kind == "raw" else file.getvalue()
    content_type = "application/x-npy" if kind == "npy" else "application/octet-stream"
    headers = {"Content-Type": content_type}
    answer = httpx.post(f"{each_backend}:predict", content=body, headers=headers, timeout=60)
    if kind == "raw" and n == 0:
        assert answer.status_code == 400
        return
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/x-npy"
    codes = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert codes.dtype == np.float32 and codes.shape == (n, 2)
    np.testing.assert_allclose(codes, export.load(small_export).encode(images), atol=1e-5)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_npy_of_floats(address, expected, dtype, order):
    file = io.BytesIO()
    np.save(file, np.asarray(expected["images"] / 255, dtype, order=order))
    headers = {"Content-Type": "application/x-npy"}
    answer = httpx.post(f"{address}:predict", content=file.getvalue(), headers=headers)
    codes = np.load(io.BytesIO(answer.content))
    np.testing.assert_allclose(codes, expected["codes"], atol=5e-3 if dtype == "<f2" else 1e-5)


def test_json_on_request(address, expected):
    headers = {"Content-Type": "application/octet-stream", "Accept": "application/json"}
    answer = httpx.post(
        f"{address}:predict", content=expected["images"].tobytes(), headers=headers
    ).json()
    codes = [row["codes"] for row in answer["predictions"]]
    np.testing.assert_allclose(codes, expected["codes"], atol=1e-5)


# Other addresses


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_status(address, version):
    state = httpx.get(f"{address}{version}").json()["model_version_status"]
    assert state == [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]


def test_metadata_is_that_of_the_saved_model(address, small_export):
    import tensorflow as tf

    answer = httpx.get(f"{address}/metadata").json()
    assert answer["model_spec"] == {"name": "small", "signature_name": "", "version": "1"}
    found = answer["metadata"]["signature_def"]["signature_def"]
    signatures = tf.saved_model.load(str(small_export)).signatures
    assert set(found) == set(signatures)
    for name, signature in signatures.items():
        inputs = signature.structured_input_signature[1]
        for side, specs in (("inputs", inputs), ("outputs", signature.structured_outputs)):
            assert set(found[name][side]) == set(specs)
            for key, spec in specs.items():
                tensor = found[name][side][key]
                assert tensor["dtype"] == ("DT_STRING" if spec.dtype == tf.string else "DT_FLOAT")
                sizes = [int(d["size"]) for d in tensor["tensor_shape"]["dim"]]
                assert sizes == [-1 if n is None else n for n in spec.shape]


def test_health_and_metrics(root, address, expected):
    assert httpx.get(f"{root}/healthz").json() == {"status": "ok"}

    def counted(line):
        text = httpx.get(f"{root}/metrics").text
        return next((float(r.split()[-1]) for r in text.splitlines() if r.startswith(line)), 0.0)

    line = 'sparsevae_requests_total{endpoint="predict",status="200"}'
    before, images = counted(line), counted("sparsevae_images_total")
    headers = {"Content-Type": "application/octet-stream"}
    httpx.post(f"{address}:predict", content=expected["images"].tobytes(), headers=headers)
    assert counted(line) == before + 1 and counted("sparsevae_images_total") == images + 8
    assert counted("process_resident_memory_bytes") > 1e6
    assert counted("sparsevae_requests_in_progress") == 0
