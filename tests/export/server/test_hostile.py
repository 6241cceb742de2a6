"""Requests that are wrong in every way: each gets a 4xx that says why, in JSON."""

import http.client
import io
import json
import socket

import httpx
import numpy as np
import pytest

ONE = [[[[0.5]] * 4] * 4]


def npy(array, **change):
    """An npy file, its header changed."""
    file = io.BytesIO()
    np.save(file, array)
    content = file.getvalue()
    for old, new in change.items():
        content = content.replace(old.encode(), new.encode())
    return content


def deep(n):
    return '{"instances": ' + "[" * n + "1" + "]" * n + "}"


JSON = {
    "empty": ("", "must be JSON"),
    "no json": ("images", "must be JSON"),
    "truncated": ('{"instances": [[[[0.5], [0.5', "must be JSON"),
    "not utf-8": (b'{"instances": ["\xff"]}', "must be JSON"),
    "a list": ("[1, 2]", "either `instances` or `inputs`"),
    "neither": ("{}", "either `instances` or `inputs`"),
    "both": (json.dumps({"instances": ONE, "inputs": ONE}), "either `instances` or `inputs`"),
    "unknown key": (json.dumps({"instances": ONE, "instance": 1}), "Received: ['instance']"),
    "no instances": ('{"instances": []}', "at least one instance"),
    "no list": ('{"instances": 3}', "at least one instance"),
    "no inputs": ('{"inputs": []}', "at least one of `images`"),
    "other input": ('{"inputs": {"image": [1]}}', "`inputs` must hold `images`"),
    "other key": ('{"instances": [{"image": 1}]}', "`images` alone"),
    "mixed": (json.dumps({"instances": [{"images": ONE[0]}, ONE[0]]}), "as instance 1"),
    "shape": (json.dumps({"instances": [[0.5] * 16]}), "shape (n, 4, 4, 1)"),
    "size": (json.dumps({"instances": [[[[0.5]] * 5] * 4]}), "shape (n, 4, 4, 1)"),
    "ragged": ('{"instances": [[[[0.5]], [[0.5], [0.5]]]]}', "lists of equal lengths"),
    "strings": (json.dumps({"instances": [[[["0.5"]] * 4] * 4]}), "must be numbers"),
    "null": (json.dumps({"instances": [[[[None]] * 4] * 4]}), "must be numbers"),
    "objects": (json.dumps({"instances": [[[[{}]] * 4] * 4]}), "must be numbers"),
    "booleans": (json.dumps({"instances": [[[[True]] * 4] * 4]}), "must be numbers"),
    "NaN": (json.dumps({"instances": [[[[float("nan")]] * 4] * 4]}), "JSON"),
    "infinity": (json.dumps({"instances": [[[[float("inf")]] * 4] * 4]}), "JSON"),
    "no number": (json.dumps({"instances": ONE}).replace("0.5", "01"), "must be JSON"),
    "between brackets": (json.dumps({"instances": ONE}).replace("],", "]5,", 1), "must be JSON"),
    "too large": (json.dumps({"instances": [[[[255]] * 4] * 4]}), "[0, 1]"),
    "negative": (json.dumps({"instances": [[[[-0.5]] * 4] * 4]}), "[0, 1]"),
    "huge": (json.dumps({"instances": ONE}).replace("0.5", "1e999"), "number is infinity"),
    "huge integer": (
        json.dumps({"instances": ONE}).replace("0.5", "9" * 400),
        "number is infinity",
    ),
    "deep": (deep(100_000), "JSON"),
    "deep within bounds": (deep(500), "must be numbers in lists"),
    "signature": (
        json.dumps({"signature_name": "x", "instances": ONE}),
        "must be one of serving_d",
    ),
    "signature type": (json.dumps({"signature_name": [1], "instances": ONE}), "must be one of"),
    "codes": ('{"signature_name": "decode", "instances": [[1, 2, 3]]}', "shape (n, 2)"),
    "huge codes": ('{"signature_name": "decode", "instances": [[1e300, 0]]}', "finite"),
    "no base64": ('{"signature_name": "encode_png", "instances": [{"b64": "?"}]}', "be base64"),
    "no png": ('{"signature_name": "encode_png", "instances": [{"b64": "aGk="}]}', "whole image"),
    "png of numbers": ('{"signature_name": "encode_png", "instances": [1]}', '{"b64": "..."}'),
    "png elsewhere": ('{"instances": [{"b64": "aGk="}]}', "must be numbers"),
}


def refused(answer, status, message=""):
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["Content-Type"] == "application/json"
    error = answer.json()
    assert set(error) == {"error"} and message in error["error"]
    assert len(error["error"]) < 600 and "Traceback" not in error["error"]


@pytest.mark.parametrize("name", JSON)
def test_json(address, name):
    body, message = JSON[name]
    headers = {"Content-Type": "application/json"}
    refused(httpx.post(f"{address}:predict", content=body, headers=headers), 400, message)


IMAGE = np.zeros((1, 4, 4, 1), np.uint8)

BINARY = {
    "empty": (b"", "multiple of 16"),
    "cut pixels": (bytes(17), "multiple of 16"),
    "cut": (npy(IMAGE)[:-1], "cut off"),
    "long": (npy(IMAGE) + b"x", "cut off or too long"),
    "cut header": (npy(IMAGE)[:40], "header is damaged"),
    "version": (b"\x93NUMPY\x09\x00" + npy(IMAGE)[8:], "header is damaged"),
    "shape": (npy(np.zeros((1, 4, 5, 1), np.uint8)), "shape (n, 4, 4, 1)"),
    "dtype": (npy(np.zeros((1, 4, 4, 1), np.int64)), "uint8"),
    "pickle": (npy(np.full((1, 4, 4, 1), None)), "must hold numbers"),
    "huge": (npy(IMAGE, **{"(1, 4, 4, 1)": "(9999999999999, 4, 4, 1)"}), "cut off"),
    "negative": (npy(IMAGE, **{"(1, 4, 4, 1)": "(-1,-4, 4, 1)"}), "must hold numbers"),
    "no bytes": (npy(IMAGE, **{"|u1": "|V0"}), "must hold numbers"),
    "code": (npy(IMAGE, **{"'|u1'": "exit()"}), "header is damaged"),
    "nested": (b"\x93NUMPY\x01\x00\xff\x01" + b"(" * 511, "header is damaged"),
    "NaN": (npy(np.full((1, 4, 4, 1), np.nan)), "NaN"),
    "range": (npy(np.full((1, 4, 4, 1), 2.0)), "[0, 1]"),
}


@pytest.mark.parametrize("name", BINARY)
def test_binary(address, name):
    body, message = BINARY[name]
    headers = {"Content-Type": "application/x-npy"}
    refused(httpx.post(f"{address}:predict", content=body, headers=headers), 400, message)


def test_a_png_bomb_is_refused_by_its_size(address):
    import base64
    import struct
    import zlib

    def chunk(kind, content):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    size = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(9)))
    asked = {"b64": base64.b64encode(bomb).decode()}
    body = {"signature_name": "encode_png", "instances": [asked]}
    refused(httpx.post(f"{address}:predict", json=body), 400, "Instance 0: image")


@pytest.mark.parametrize(
    "kind", ["application/xml", "multipart/form-data; boundary=x", "image/png"]
)
def test_other_content_types(address, kind):
    answer = httpx.post(f"{address}:predict", content=b"x", headers={"Content-Type": kind})
    refused(answer, 415, "Content-Type must be application/json")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/models/other", 404),
        ("POST", "/v1/models/other:predict", 404),
        ("GET", "/v1/models/small/", 404),
        ("GET", "/v1/models/small/versions/2", 404),
        ("POST", "/v1/models/small/labels/stable:predict", 404),
        ("GET", "/v1/models/../../etc/passwd", 404),
        ("GET", "/v1/models/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/v1/models/%00", 404),
        ("GET", "/v1/models/%ff%fe", 404),
        ("GET", "/v1/models/" + "a" * 5000, 404),
        ("POST", "/v1/models/small:classify", 400),
        ("POST", "/v1/models/small:regress", 400),
        ("GET", "/v1/models/small:predict", 404),
        ("DELETE", "/v1/models/small", 405),
        ("POST", "/metrics", 405),
    ],
)
def test_other_addresses(port, method, path, status):
    """Sent as they are: clients tidy up paths."""
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    code, error = raw(port, head.encode())
    assert code == status and "error" in error


def raw(port, request):
    """Status and JSON of the answer to some bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (b"garbage\r\n\r\n", 400, "HTTP/1.1 was expected"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "HTTP/1.1 was expected"),  # TLS
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400, ""),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400, ""),
        (b"POST / HTTP/1.1\r\ncontent-length: 9\r\ncontent-length: 1\r\n\r\n", 400, ""),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431, "up to 65,536 bytes"),
        (b"GET /" + b"b" * 70_000 + b" HTTP/1.1\r\n\r\n", 431, "up to 65,536 bytes"),
    ],
    ids=["garbage", "tls", "path bytes", "negative", "two lengths", "long header", "long address"],
)
def test_what_is_no_http(port, request_, status, message):
    code, error = raw(port, request_)
    assert code == status and message in error["error"]


def test_the_failure_of_a_model_is_a_500_without_its_secrets(run_server, held):
    with run_server(held) as (port, _):
        url = f"http://127.0.0.1:{port}/v1/models/small:predict"
        body = {"signature_name": "reconstruct", "instances": ONE}
        refused(httpx.post(url, json=body), 500, "The server failed; its log has the reason")
        assert httpx.post(url, json={"instances": ONE}).status_code == 200
        counted = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    for status in (500, 200):
        assert f'sparsevae_requests_total{{endpoint="predict",status="{status}"}} 1.0' in counted


def test_headers_are_counted_anew_for_each_request_of_a_connection(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/healthz", headers={"a": "b" * 40_000})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
    connection.close()
