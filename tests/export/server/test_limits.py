"""Too large, too many, too slow: always an answer in JSON, never a broken connection."""

import asyncio
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from sparsevae.export.server import Limits
from sparsevae.export.server.batching import Batcher
from sparsevae.export.server.limits import Admission, Refused

RAW = {"Content-Type": "application/octet-stream"}
IMAGE = bytes(range(16))


def predict(port, body=IMAGE, **kwargs):
    url = f"http://127.0.0.1:{port}/v1/models/small:predict"
    return httpx.post(url, content=body, headers=RAW, timeout=30, **kwargs)


def error_of(answer, status):
    assert answer.status_code == status and answer.headers["Content-Type"] == "application/json"
    return answer.json()["error"]


@pytest.mark.parametrize("size", [1_001, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_large_bodies(run_server, held, size, chunked):
    with run_server(held, Limits(max_body=1_000)) as (port, app):
        body = iter([bytes(500)] * (size // 500 + 1)) if chunked else bytes(size)
        assert "up to 1,000 bytes" in error_of(predict(port, body), 413)
        assert predict(port, bytes(992)).status_code == 200
        assert app.state.handlers.admission.n_bytes == 0
    assert max(held.calls) <= 64


def test_a_client_that_closes_after_its_body_still_reads_the_answer(run_server, held):
    """As urllib does: it asks the server to close, and sends all before it reads."""
    with run_server(held, Limits(max_body=1_000)) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {**RAW, "Connection": "close"}
        connection.request("POST", "/v1/models/small:predict", bytes(20_000_000), headers)
        answer = connection.getresponse()
        assert answer.status == 413 and "up to 1,000" in json.loads(answer.read())["error"]
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/v1/models/other:predict", "application/octet-stream", 404),
        ("/v1/models/small:predict", "image/png", 415),
        ("/v1/models/small:predict", "application/octet-stream", 503),
    ],
)
def test_so_does_one_that_is_refused_for_another_reason(run_server, held, path, kind, status):
    with run_server(held) as (port, app):
        if status == 503:
            app.state.handlers.admission.n_requests = 256
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Content-Type": kind, "Connection": "close"}
        connection.request("POST", path, bytes(20_000_000), headers)
        answer = connection.getresponse()
        assert answer.status == status and set(json.loads(answer.read())) == {"error"}
        connection.close()


def test_a_client_that_asks_first_need_not_send(run_server, held):
    with (
        run_server(held, Limits(max_body=1_000)) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        connection.sendall(
            b"POST /v1/models/small:predict HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n"
            b"content-type: application/octet-stream\r\ncontent-length: 5000\r\n\r\n"
        )
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413") and b"up to 1,000" in answer


def test_too_many_requests(run_server, held):
    with run_server(held, Limits(max_requests=4)) as (port, app), ThreadPoolExecutor(4) as pool:
        held.go.clear()
        served = [pool.submit(predict, port) for _ in range(4)]
        while app.state.handlers.admission.n_requests < 4:
            time.sleep(0.01)
        answer = predict(port)
        assert "4 requests are being served" in error_of(answer, 503)
        assert answer.headers["Retry-After"] == "1"
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        held.go.set()
        assert [f.result().status_code for f in served] == [200] * 4
        assert predict(port).status_code == 200


def test_bodies_that_fill_the_memory():
    admission = Admission(Limits(max_body=100))
    admission.hold(390)
    with pytest.raises(Refused, match="bodies of 390 bytes are being served") as refused:
        admission.hold(11)
    assert refused.value.status == 503
    admission.release(390)
    admission.hold(400)


def test_bodies_that_fill_the_memory_are_answered(run_server, held):
    with run_server(held, Limits(max_body=1_600)) as (port, app):
        app.state.handlers.admission.n_bytes = 5_000
        assert "bodies of 5,000 bytes" in error_of(predict(port, bytes(1_600)), 503)
        assert app.state.handlers.admission.n_bytes == 5_000
        app.state.handlers.admission.n_bytes = 0
        assert predict(port, bytes(1_600)).status_code == 200


def test_a_model_that_takes_too_long(run_server, held):
    with run_server(held, Limits(timeout=0.3)) as (port, app):
        held.go.clear()
        assert "No codes within 0.3 s" in error_of(predict(port), 504)
        held.go.set()
        assert predict(port).status_code == 200
        assert app.state.handlers.admission.n_requests == 0


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (
            b"POST /v1/models/small:predict HTTP/1.1\r\nhost: x\r\ncontent-length: 16\r\n\r\nabc",
            "body",
        ),
        (b"POST /v1/models/small:pred", "headers"),
        (b"", "headers"),
    ],
    ids=["body", "headers", "nothing"],
)
def test_clients_that_stop_sending(run_server, held, sent, message):
    with (
        run_server(held, Limits(timeout=0.3)) as (port, app),
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        connection.sendall(sent)
        answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408")
        assert f"The {message} did not arrive within 0.3 s".encode() in answer
        assert app.state.handlers.admission.n_requests == 0


def test_clients_that_go_away_leave_nothing_behind(run_server, held):
    with run_server(held) as (port, app):
        admission = app.state.handlers.admission
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(
                b"POST /v1/models/small:predict HTTP/1.1\r\ncontent-length: 99\r\n\r\nabc"
            )
            while not admission.n_bytes:
                time.sleep(0.01)
        while admission.n_requests:
            time.sleep(0.01)
        assert admission.n_bytes == 0
        assert predict(port).status_code == 200


# Batches


def test_requests_that_wait_are_computed_together(run_server, held):
    with run_server(held, Limits(max_batch=8)) as (port, app), ThreadPoolExecutor(12) as pool:
        held.go.clear()
        held.calls.clear()
        bodies = [bytes([k + 100] * 16) for k in range(12)]
        answers = [pool.submit(predict, port, body) for body in bodies]
        while app.state.handlers.admission.n_requests < 12:
            time.sleep(0.01)
        held.go.set()
        codes = [np.frombuffer(f.result().content[-4:], np.float32)[0] for f in answers]
    np.testing.assert_allclose(codes, np.arange(100, 112) / 255, atol=1e-6)
    assert sum(held.calls) == 12 and max(held.calls) == 8 and len(held.calls) <= 4


def test_a_large_request_lets_others_go_first():
    """Ten batches of one client: another one waits for one of them."""
    batches = []

    def call(array):
        batches.append(array[:, 0].tolist())
        return {"codes": array}

    async def compute(pool):
        batcher = Batcher(call, pool, n_threads=1, max_batch=8, observe=lambda n: None)
        arrays = (np.arange(20, dtype=np.float32)[:, None], np.full((1, 1), 99, np.float32))
        return await asyncio.gather(*(batcher.compute(array, timeout=10) for array in arrays))

    with ThreadPoolExecutor(1) as pool:
        large, small = asyncio.run(compute(pool))
    assert batches == [[*range(8)], [99, *range(8, 15)], [*range(15, 20)]]
    np.testing.assert_array_equal(large["codes"][:, 0], np.arange(20))
    np.testing.assert_array_equal(small["codes"], [[99]])


def test_what_nobody_waits_for_any_more_is_not_computed():
    begun, go, batches = threading.Event(), threading.Event(), []

    def call(array):
        begun.set()
        assert go.wait(timeout=30)
        batches.append(array[:, 0].tolist())
        return {"codes": array}

    async def compute(pool):
        batcher = Batcher(call, pool, n_threads=1, max_batch=8, observe=lambda n: None)
        first = asyncio.create_task(batcher.compute(np.zeros((1, 1), np.float32), timeout=30))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        with pytest.raises(Refused, match="No codes within"):
            await batcher.compute(np.ones((1, 1), np.float32), timeout=0.05)
        go.set()
        await first
        await batcher.compute(np.full((1, 1), 2, np.float32), timeout=30)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(compute(pool))
    assert batches == [[0], [2]]


def test_parts_are_joined_in_the_order_of_the_request():
    """Of three parts the first is the last to be done."""
    overtaken, done = threading.Event(), []

    def call(array):
        if array[0, 0] == 0:
            assert overtaken.wait(timeout=30)
        done.append(float(array[0, 0]))
        if len(done) == 2:
            overtaken.set()
        return {"codes": array, "log_variance": -array}

    async def compute(pool):
        batcher = Batcher(call, pool, n_threads=2, max_batch=8, observe=lambda n: None)
        arrays = (np.arange(24, dtype=np.float32)[:, None], np.full((8, 1), 99, np.float32))
        return await asyncio.gather(*(batcher.compute(array, timeout=30) for array in arrays))

    with ThreadPoolExecutor(2) as pool:
        large, _ = asyncio.run(compute(pool))
    assert done.index(0) > done.index(8)
    np.testing.assert_array_equal(large["codes"][:, 0], np.arange(24))
    np.testing.assert_array_equal(large["log_variance"][:, 0], -np.arange(24.0))


def test_the_next_request_of_a_task_is_computed_too():
    """It comes in the very moment in which the queue has run empty."""

    async def compute(pool):
        batcher = Batcher(lambda array: {"codes": array}, pool, 1, 8, lambda n: None)
        for k in range(5):
            outputs = await batcher.compute(np.full((1, 1), k, np.float32), timeout=5)
            assert outputs["codes"] == k

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(compute(pool))


def test_several_threads_keep_the_order(run_server, held):
    held.n_threads = 3
    with run_server(held, Limits(max_batch=8)) as (port, _), ThreadPoolExecutor(8) as pool:
        body = np.repeat(np.arange(200, dtype=np.uint8), 16).tobytes()
        answers = list(pool.map(lambda _: predict(port, body), range(8)))
    for answer in answers:
        codes = np.frombuffer(answer.content[-800:], np.float32)
        np.testing.assert_allclose(codes, np.arange(200) / 255, atol=1e-6)


@pytest.mark.parametrize("name", ["max_body", "max_requests", "max_batch", "timeout"])
def test_bounds_are_above_zero(name):
    with pytest.raises(ValueError, match=f"`{name}` must be above 0"):
        Limits(**{name: 0})


@pytest.mark.parametrize("found", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_errors(run_server, held, found):
    """JSON has neither: a client would read null."""
    held.call = lambda signature, array: {"codes": np.full((len(array), 1), found, np.float32)}
    with run_server(held) as (port, _):
        answer = predict(port, bytes(range(16)))
    assert answer.status_code == 500 and "NaN or infinite `codes`" in answer.text
