"""Bodies in gzip: decoded, within the limits of the decoded body; other encodings are refused."""

import asyncio
import gzip
import io
import json
import time
import tracemalloc
import zlib

import httpx
import numpy as np
import pytest
from starlette.datastructures import Headers

from sparsevae.export.server import Limits
from sparsevae.export.server.bodies import read_body
from sparsevae.export.server.gunzip import Gunzip
from sparsevae.export.server.limits import Admission, Refused

RAW, JSON = "application/octet-stream", "application/json"
IMAGE = bytes(range(16))


def predict(port, body, encoding="gzip", kind=RAW, **headers):
    headers = {"Content-Type": kind, "Content-Encoding": encoding, **headers}
    url = f"http://127.0.0.1:{port}/v1/models/small:predict"
    return httpx.post(url, content=body, headers=headers, timeout=30)


def error_of(answer, status):
    assert answer.status_code == status, answer.text[:300]
    message = answer.json()["error"]
    assert "\n" not in message and len(message) < 200
    return message


def means(answer):
    assert answer.status_code == 200, answer.text[:300]
    return np.load(io.BytesIO(answer.content))[:, 0]


@pytest.fixture
def small(run_server, held):
    """Port and admission of a server whose bodies may have 1,600 bytes."""
    with run_server(held, Limits(max_body=1_600)) as (port, app):
        yield port, app.state.handlers.admission
        assert app.state.handlers.admission.n_bytes == 0


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "identity, gzip", "gzip ,"])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_binary_bodies(small, encoding, chunked):
    body = gzip.compress(np.repeat(np.arange(100, dtype=np.uint8), 16).tobytes())
    content = (body[k : k + 7] for k in range(0, len(body), 7)) if chunked else body
    np.testing.assert_allclose(means(predict(small[0], content, encoding)), np.arange(100) / 255)


@pytest.mark.parametrize("n", [1, 8, 5_000])
def test_json_bodies(address, expected, n):
    images = np.resize(expected["images"], (n, 4, 4, 1)) / 255
    body = gzip.compress(json.dumps({"instances": images.tolist()}).encode())
    headers = {"Content-Type": JSON, "Content-Encoding": "gzip"}
    answer = httpx.post(f"{address}:predict", content=body, headers=headers, timeout=60).json()
    codes = [row["codes"] for row in answer["predictions"]]
    np.testing.assert_allclose(codes, np.resize(expected["codes"], (n, 2)), atol=1e-5)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_several_streams_in_a_row_are_one_body(small, level):
    parts = (IMAGE[:5], b"", IMAGE[5:], bytes(1_584))
    answer = predict(small[0], b"".join(gzip.compress(part, level) for part in parts))
    np.testing.assert_allclose(means(answer), [7.5 / 255] + [0] * 99, atol=1e-6)


@pytest.mark.parametrize("encoding", ["", "identity", "Identity, identity"])
def test_no_encoding(small, encoding):
    assert predict(small[0], IMAGE, encoding).status_code == 200
    assert "multiple of 16" in error_of(predict(small[0], gzip.compress(IMAGE), encoding), 400)


@pytest.mark.parametrize(
    "encoding", ["deflate", "br", "zstd", "gzip, gzip", "br, gzip", "gzip;q=1", "*", "x" * 5_000]
)
def test_other_encodings(small, encoding):
    answer = predict(small[0], gzip.compress(IMAGE), encoding)
    assert "Content-Encoding must be gzip or identity. Received: " in error_of(answer, 415)
    assert answer.headers["Accept-Encoding"] == "gzip, identity"


def test_an_encoding_in_two_headers(small):
    headers = [("Content-Type", RAW), ("Content-Encoding", "gzip"), ("Content-Encoding", "br")]
    url = f"http://127.0.0.1:{small[0]}/v1/models/small:predict"
    answer = httpx.post(url, content=gzip.compress(IMAGE), headers=headers)
    assert "Received: gzip, br" in error_of(answer, 415)


GOOD = gzip.compress(IMAGE * 5)
DAMAGED = {
    "plain": IMAGE,
    "json": b'{"instances": []}',
    "zlib": zlib.compress(IMAGE),
    "empty": b"",
    "one byte": GOOD[:1],
    "cut header": GOOD[:5],
    "cut": GOOD[:-12],
    "cut check": GOOD[:-1],
    "wrong check": GOOD[:-8] + bytes(8),
    "wrong length": GOOD[:-4] + bytes(4),
    "wrong byte": GOOD[:12] + b"\xff" + GOOD[13:],
    "more": GOOD + b"more",
    "zeros": GOOD + bytes(100),
    "second cut": GOOD + GOOD[:-1],
    "second cut early": GOOD + GOOD[:3],
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("kind", [RAW, JSON])
def test_damaged_bodies(small, name, kind):
    message = error_of(predict(small[0], DAMAGED[name], kind=kind), 400)
    assert message.startswith("The body must be gzip, as Content-Encoding says. Received: ")


def test_every_cut_and_every_changed_bit_is_a_400(small):
    """But for those in the header that say nothing about the content: text, time, level, system."""
    for k in range(len(GOOD)):
        error_of(predict(small[0], GOOD[:k]), 400)
        answer = predict(small[0], GOOD[:k] + bytes([GOOD[k] ^ 1]) + GOOD[k + 1 :])
        assert answer.status_code == (200 if 3 <= k < 10 else 400)


def bomb(n):
    """A gzip stream of `n` zeros, in pieces."""
    packer = zlib.compressobj(9, wbits=31)
    for _ in range(n // 2**20):
        yield packer.compress(bytes(2**20))
    yield packer.compress(bytes(n % 2**20)) + packer.flush()


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("n", [1_601, 50_000_000])
def test_a_bomb_stops_at_the_limit(small, n, chunked):
    body = b"".join(bomb(n))
    tracemalloc.start()
    answer = predict(small[0], iter([body]) if chunked else body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "up to 1,600 bytes, decoded" in error_of(answer, 413)
    assert peak < 3_000_000
    assert predict(small[0], b"".join(bomb(1_600))).status_code == 200


def test_a_bomb_of_empty_streams_stops_too(small):
    assert "up to 1,600 bytes" in error_of(predict(small[0], gzip.compress(b"") * 500), 413)


def test_a_body_at_the_limit_may_be_larger_in_gzip(small):
    body = np.random.default_rng(0).bytes(1_600)
    for level in (0, 9):
        packed = gzip.compress(body, level)
        assert len(packed) > 1_600 and predict(small[0], packed).status_code == 200


def test_what_is_decoded_counts(small):
    port, admission = small
    admission.n_bytes = 5_000
    assert "bodies of 5,000 bytes" in error_of(predict(port, gzip.compress(bytes(1_600))), 503)
    assert admission.n_bytes == 5_000
    admission.n_bytes = 4_800
    assert predict(port, gzip.compress(bytes(1_600))).status_code == 200
    assert admission.n_bytes == 4_800
    admission.n_bytes = 0


def test_decoded_bytes_are_held_while_they_are_computed(run_server, held):
    from concurrent.futures import ThreadPoolExecutor

    with run_server(held) as (port, app), ThreadPoolExecutor(1) as pool:
        held.calls.clear()
        held.go.clear()
        answer = pool.submit(predict, port, gzip.compress(bytes(160_000)))
        while not held.calls and not answer.done():
            time.sleep(0.01)
        assert app.state.handlers.admission.n_bytes == 160_000
        held.go.set()
        assert answer.result().status_code == 200
        assert app.state.handlers.admission.n_bytes == 0


class Arriving:
    """A request as `read_body` sees it, all of it there at once."""

    def __init__(self, body, **headers):
        self.headers, self._body = Headers({"content-encoding": "gzip", **headers}), body

    async def stream(self):
        yield self._body


def test_others_go_on_while_a_chunk_becomes_large():
    """A chunk that becomes a thousand times as large would hold them up for long."""
    steps = 0

    async def others():
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    async def read():
        task = asyncio.create_task(others())
        limits = Limits()
        body = await read_body(Arriving(b"".join(bomb(10_000_000))), limits, Admission(limits))
        task.cancel()
        return body

    assert asyncio.run(read()) == bytes(10_000_000)
    assert steps >= 10_000_000 // 2**20


def test_decoding_ends_when_its_time_is_over():
    """Its time is that in which the body has to arrive."""
    limits = Limits(timeout=0.05, max_body=2**40)
    admission = Admission(limits)
    body = gzip.compress(b"") * 300_000
    with pytest.raises(Refused, match=r"did not arrive within 0\.05 s"):
        asyncio.run(read_body(Arriving(body), limits, admission))
    assert admission.n_bytes == 0


@pytest.mark.parametrize("n", [2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16, 1_000_003])
@pytest.mark.parametrize("length", [1, 1_000, 2**20])
def test_pieces_lose_nothing_where_they_end(n, length):
    """Whatever the sizes of what comes and of what is decoded at a time."""
    for body in (bytes(n), np.random.default_rng(0).integers(0, 3, n, dtype=np.uint8).tobytes()):
        packed, decoder = gzip.compress(body, mtime=0), Gunzip()
        if length == 1 and len(packed) > 10_000:
            continue
        chunks = (packed[k : k + length] for k in range(0, len(packed), length))
        assert b"".join(piece for chunk in chunks for piece in decoder.pieces(chunk)) == body
        decoder.end()
