"""Load on the HTTP server, beside direct calls of the SavedModel.

`python benchmarks/serving.py saved_models/NAME` starts the server as a second process and keeps 32
requests in flight: raw and npy bodies, JSON, and base64 PNG files. Direct calls come from 32
threads of a third process, with the same uint8 images. All interleaved in rounds; the table and
benchmarks/results/serving.json have requests and images a second, latencies and memory.
`--soak 600` sends a mixture for ten minutes instead and writes the server's memory over time.
Client and server share the machine's cores.
"""

import asyncio
import base64
import concurrent.futures
import contextlib
import dataclasses
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from sparsevae import records
from sparsevae.export import folder as folders

ROOT = Path(__file__).parents[1]
TYPES = {"raw": "application/octet-stream", "npy": "application/x-npy"}
KINDS = ("raw", "npy", "json", "png")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    model: tyro.conf.Positional[Path]
    """Folder of the exported model."""
    backends: tuple[str, ...] = ("onnx", "tensorflow")
    """Backends of the server."""
    sizes: tuple[int, ...] = (1, 32)
    """Images in a request."""
    concurrency: int = 32
    seconds: float = 5.0
    """Length of one measurement."""
    n_rounds: int = 3
    """Rounds; every configuration is measured once in each."""
    soak: float = 0.0
    """Seconds of mixed load instead of the table."""
    out: Path = Path("benchmarks/results/serving.json")


# The client


class Connection(asyncio.Protocol):
    """Sends one request after the other over one connection, and times the answers."""

    def __init__(self, requests: list[bytes], latencies: list[float], until: float):
        self.requests, self.latencies, self.until = requests, latencies, until
        self.done = asyncio.get_running_loop().create_future()
        self.buffer, self.n_sent = b"", 0

    def connection_made(self, transport):
        self.transport = transport
        self.send()

    def send(self):
        self.start = time.perf_counter()
        self.transport.write(self.requests[self.n_sent % len(self.requests)])
        self.n_sent += 1

    def data_received(self, data):
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(rest) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(f"{head!r} {rest[:200]!r}"))
            return
        self.buffer = b""
        now = time.perf_counter()
        self.latencies.append(now - self.start)
        if now < self.until:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error):
        if not self.done.done():
            if time.perf_counter() < self.until:
                self.done.set_exception(error or RuntimeError("the server closed a connection"))
            else:
                self.done.set_result(None)


async def load(port: int, requests: list[bytes], concurrency: int, seconds: float) -> list[float]:
    """Latencies of all answers within some seconds, over so many connections."""
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda k=k: Connection(requests[k:] + requests[:k], latencies, until),
            "127.0.0.1",
            port,
        )
        for k in range(concurrency)
    ]
    await asyncio.gather(*(protocol.done for _, protocol in made))
    return latencies


def body(kind: str, images: np.ndarray) -> tuple[bytes, str]:
    """Body and content type of a request for uint8 images `(n, height, width, channels)`."""
    if kind == "raw":
        return images.tobytes(), TYPES[kind]
    if kind == "npy":
        file = io.BytesIO()
        np.save(file, images)
        return file.getvalue(), TYPES[kind]
    if kind == "json":
        asked = {"instances": (images / 255).astype(np.float32).round(4).tolist()}
        return json.dumps(asked).encode(), "application/json"
    files = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image[:, :, 0] if image.shape[-1] == 1 else image).save(file, "png")
        files.append({"b64": base64.b64encode(file.getvalue()).decode()})
    asked = {"signature_name": "encode_png", "instances": files}
    return json.dumps(asked).encode(), "application/json"


def request(kind: str, images: np.ndarray, name: str) -> bytes:
    """A whole HTTP request."""
    content, content_type = body(kind, images)
    head = (
        f"POST /v1/models/{name}:predict HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: {content_type}\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def draw_images(model: Path, n: int) -> np.ndarray:
    """White squares on black, uint8, of the size that the model takes."""
    shape = folders.read_card(model)["input"]["shape"][1:]
    rng = np.random.default_rng(0)
    images = np.zeros((n, *shape), np.uint8)
    for image in images:
        row, column = rng.integers(0, shape[0] // 2, 2)
        image[row : row + shape[0] // 3, column : column + shape[1] // 3] = 255
    return images


# The two other processes


@contextlib.contextmanager
def server(model: Path, backend: str):
    """The server as a process: its number and its port."""
    command = [sys.executable, ROOT / "scripts/serve.py", model, "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*map(str, command), "--backend", backend],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        line = process.stdout.readline()
        yield process.pid, int(line.split(":")[-1].split("/")[0])
    finally:
        process.terminate()
        process.wait(timeout=120)


DIRECT = """
import json, sys
sys.path.insert(0, {root!r})
sys.path.insert(0, {root!r} + "/benchmarks")
import serving
for line in sys.stdin:
    print(json.dumps(serving.direct(**json.loads(line))), flush=True)
"""

_loaded = {}


def direct(model: str, backend: str, n_images: int, concurrency: int, seconds: float) -> dict:
    """Calls of the model itself from threads, in the third process."""
    from sparsevae.export.server.model import Model

    called = _loaded.setdefault(backend, Model(model, backend))
    images = draw_images(Path(model), n_images)
    until = time.perf_counter() + seconds

    def work(_):
        latencies = []
        while (start := time.perf_counter()) < until:
            called.call("encode", np.multiply(images, np.float32(1 / 255), dtype=np.float32))
            latencies.append(time.perf_counter() - start)
        return latencies

    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        latencies = [x for part in pool.map(work, range(concurrency)) for x in part]
    return summary(latencies, n_images, seconds, os.getpid())


@contextlib.contextmanager
def direct_process():
    """A function as `direct`, computed in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", DIRECT.format(root=str(ROOT))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def call(**arguments):
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        yield call
    finally:
        process.stdin.close()
        process.wait(timeout=60)


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def summary(latencies: list[float], n_images: int, seconds: float, pid: int) -> dict:
    """Rates, latencies in milliseconds, memory."""
    ordered = sorted(latencies)
    return {
        "requests_per_second": len(latencies) / seconds,
        "images_per_second": n_images * len(latencies) / seconds,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[int(0.99 * (len(ordered) - 1))],
        "memory_mb": memory_mb(pid),
    }


# Measurements


def measure(arguments: Arguments) -> dict:
    """Every configuration in every round: `{size: {who: {measure: [min, median, max]}}}`."""
    images = draw_images(arguments.model, max(arguments.sizes))
    name = arguments.model.resolve().name
    found: dict = {}
    with contextlib.ExitStack() as stack:
        servers = {b: stack.enter_context(server(arguments.model, b)) for b in arguments.backends}
        call = stack.enter_context(direct_process())
        for _ in range(arguments.n_rounds):
            for size in arguments.sizes:
                rows = found.setdefault(str(size), {})
                for backend, (pid, port) in servers.items():
                    result = call(
                        model=str(arguments.model),
                        backend=backend,
                        n_images=size,
                        concurrency=arguments.concurrency,
                        seconds=arguments.seconds,
                    )
                    rows.setdefault(f"direct, {backend}", []).append(result)
                    for kind in KINDS:
                        requests = [request(kind, images[:size], name)]
                        latencies = asyncio.run(
                            load(port, requests, arguments.concurrency, arguments.seconds)
                        )
                        result = summary(latencies, size, arguments.seconds, pid)
                        rows.setdefault(f"{kind}, {backend}", []).append(result)
    return {
        size: {who: spread(results) for who, results in rows.items()}
        for size, rows in found.items()
    }


def spread(results: list[dict]) -> dict:
    """Smallest, middle, largest of every measure over the rounds."""
    columns = {name: [result[name] for result in results] for name in results[0]}
    return {
        name: [round(f(values), 3) for f in (min, statistics.median, max)]
        for name, values in columns.items()
    }


def soak(arguments: Arguments) -> dict:
    """Mixed load: the server's memory every five seconds."""
    images = draw_images(arguments.model, max(arguments.sizes))
    name = arguments.model.resolve().name
    requests = [request(kind, images[:n], name) for n in arguments.sizes for kind in KINDS]
    history, n_requests = [], 0
    with server(arguments.model, arguments.backends[0]) as (pid, port):
        start = time.perf_counter()
        while (now := time.perf_counter() - start) < arguments.soak:
            latencies = asyncio.run(load(port, requests, arguments.concurrency, 5.0))
            n_requests += len(latencies)
            history.append([round(now, 1), round(memory_mb(pid), 1), len(latencies)])
            print(f"{now:6.0f} s {memory_mb(pid):8.1f} MB {len(latencies) / 5:8.0f} requests/s")
    return {"backend": arguments.backends[0], "n_requests": n_requests, "seconds_mb_n": history}


def main() -> None:
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    result = records.read_json(arguments.out) if arguments.out.exists() else {}
    if arguments.soak:
        result["soak"] = soak(arguments)
    else:
        result["machine"] = {"cores": os.cpu_count(), "processor": platform.machine()}
        result["concurrency"] = arguments.concurrency
        result["load"] = measure(arguments)
        for size, rows in result["load"].items():
            print(f"{size} images a request, {arguments.concurrency} in flight (medians)")
            for who, row in rows.items():
                values = "  ".join(f"{key} {value[1]:9.1f}" for key, value in row.items())
                print(f"  {who:20} {values}")
    records.write_json(arguments.out, result)


if __name__ == "__main__":
    main()
