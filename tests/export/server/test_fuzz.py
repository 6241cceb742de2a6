"""Whatever is sent: an answer below 500, in JSON where it is an error; the server goes on."""

import gzip
import io
import json
import socket

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 0.5, 1, 1e999, -1, 2**64])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["b64", "images", "codes", "png", "x"]), inner, max_size=3
        )
    ),
    max_leaves=20,
)
KEYS = st.sampled_from(["instances", "inputs", "signature_name", "examples"])
SIGNATURES = st.sampled_from(["encode", "decode", "reconstruct", "encode_png", "", "x"])


@st.composite
def grids(draw):
    """Nested lists, mostly of the right shape."""
    sizes = draw(st.sampled_from([(4, 4, 1)] * 6 + [(4, 4, 2), (3, 4, 1), (4, 0, 1), (2,)]))
    value = draw(st.sampled_from([0, 1, 0.25]) | NUMBERS)
    for size in reversed((draw(st.integers(0, 3)), *sizes)):
        value = [value] * size
    return value


@st.composite
def requests_in_json(draw):
    asked = {"signature_name": draw(SIGNATURES)} if draw(st.booleans()) else {}
    asked |= {draw(KEYS): draw(grids() | VALUES)}
    text = json.dumps(asked).encode()
    return mutated(draw, text) if draw(st.booleans()) else text


@st.composite
def requests_in_npy(draw):
    file = io.BytesIO()
    shape = draw(st.sampled_from([(1, 4, 4, 1), (0, 4, 4, 1), (2, 4, 4, 1), (4, 4), ()]))
    dtype = draw(st.sampled_from(["u1", "f4", ">f8", "f2", "i8", "c8", "U3", "M8[s]"]))
    np.save(file, np.zeros(shape, dtype))
    content = file.getvalue()
    return mutated(draw, content) if draw(st.booleans()) else content


def mutated(draw, content):
    """Some bytes changed, put in, or cut off."""
    start = draw(st.integers(0, len(content)))
    stop = draw(st.integers(start, min(len(content), start + 4)))
    content = content[:start] + draw(st.binary(max_size=4)) + content[stop:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


@st.composite
def requests_in_gzip(draw):
    content = gzip.compress(draw(requests_in_json() | requests_in_npy()))
    return mutated(draw, content) if draw(st.booleans()) else content


PLAIN = requests_in_json() | requests_in_npy() | st.binary(max_size=200) | st.just(b"\x00" * 32)
BODIES = st.tuples(PLAIN, st.sampled_from([None] * 6 + ["", "identity", "gzip", "br"])) | st.tuples(
    requests_in_gzip(), st.just("gzip")
)
TYPES = st.sampled_from(
    ["application/json"] * 3 + ["application/x-npy", "application/octet-stream", "text/x", ""]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
METHODS = st.sampled_from(["POST"] * 8 + ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
PATHS = st.sampled_from(
    ["/v1/models/small:predict"] * 8
    + [
        "/v1/models/small",
        "/v1/models/small/metadata",
        "/v1/models/small:classify",
        "/metrics",
        "/",
    ]
) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30).map(
    lambda text: "/" + text.replace("#", "").replace("?", "")
)


def request_is_answered(client, method, path, kind, body, encoding):
    headers = {"Content-Type": kind.strip(), "Accept": "application/json"}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    target = httpx.URL(scheme="http", host="127.0.0.1", port=client.base_url.port).copy_with(
        raw_path=path.encode()
    )
    answer = client.request(method, target, headers=headers, content=body)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert set(answer.json()) == {"error"} and answer.json()["error"]
    if path == "/v1/models/small:predict" and method == "POST" and answer.status_code == 200:
        assert set(answer.json()) <= {"predictions", "outputs"}
    assert client.get("/healthz").status_code == 200


def garbage_is_answered(port, content):
    """Bytes that need not be HTTP at all."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(content + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        answer = connection.recv(2**16)
    status = int(answer.split()[1]) if answer else 400
    assert status < 500 and (not answer or b"application/json" in answer or status < 400)


def fuzz(n, strategies):
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return lambda test: settings(
        max_examples=n, deadline=None, derandomize=True, database=None, suppress_health_check=quiet
    )(given(**strategies)(test))


HTTP = {"method": METHODS, "path": PATHS, "kind": TYPES, "body": BODIES}
PREDICT = {"kind": TYPES, "body": BODIES}


@pytest.fixture(scope="module")
def client(root):
    with httpx.Client(base_url=root, timeout=20) as client:
        yield client


@fuzz(200, HTTP)
def test_requests(client, method, path, kind, body):
    request_is_answered(client, method, path, kind, *body)


@fuzz(200, PREDICT)
def test_predict_requests(client, kind, body):
    request_is_answered(client, "POST", "/v1/models/small:predict", kind, *body)


@fuzz(50, {"content": st.binary(max_size=100)})
def test_garbage(port, content):
    garbage_is_answered(port, content)


@pytest.mark.slow
@fuzz(1500, HTTP)
def test_many_requests(client, method, path, kind, body):
    request_is_answered(client, method, path, kind, *body)


@pytest.mark.slow
@fuzz(2500, PREDICT)
def test_many_predict_requests(client, kind, body):
    request_is_answered(client, "POST", "/v1/models/small:predict", kind, *body)


@pytest.mark.slow
@fuzz(500, {"content": st.binary(max_size=300)})
def test_much_garbage(port, content):
    garbage_is_answered(port, content)
