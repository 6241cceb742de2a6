"""A running server: sockets, signals, and HTTP errors below the app."""

import ctypes
import socket
import sys
from pathlib import Path

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sparsevae.export.server.app import build_app
from sparsevae.export.server.limits import Limits
from sparsevae.export.server.model import Model

MAX_HEADERS = 2**16  # bytes of the address and all headers


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also bounds headers in size and time and answers in JSON."""

    header_timeout = 30.0

    def connection_made(self, transport):
        super().connection_made(transport)
        self._n_bytes = 0
        self._timer = self.loop.call_later(self.header_timeout, self._too_slow)

    def connection_lost(self, exc):
        self._timer.cancel()
        super().connection_lost(exc)

    def on_message_begin(self):
        super().on_message_begin()
        self._n_bytes = 0
        self._timer.cancel()
        self._timer = self.loop.call_later(self.header_timeout, self._too_slow)

    def on_url(self, url):
        self._count(url)
        super().on_url(url)

    def on_header(self, name, value):
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self):
        self._timer.cancel()
        super().on_headers_complete()

    def _count(self, part):
        self._n_bytes += len(part)
        if self._n_bytes > MAX_HEADERS:
            raise ValueError("too large")  # the parser ends in send_400_response

    def _too_slow(self):
        self._answer(408, f"The headers did not arrive within {self.header_timeout:g} s")

    def send_400_response(self, msg):
        if self._n_bytes > MAX_HEADERS:
            message = f"Address and headers may have up to {MAX_HEADERS:,} bytes"
            return self._answer(431, message)
        return self._answer(400, f"{msg} HTTP/1.1 was expected")

    def _answer(self, status, message):
        if self.transport.is_closing():
            return
        body = orjson.dumps({"error": message})
        head = (
            f"HTTP/1.1 {status} \r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


class Server(uvicorn.Server):
    """uvicorn's server, which tells the app when it has been told to stop."""

    def handle_exit(self, sig, frame):
        self.config.app.state.handlers.closing = True
        super().handle_exit(sig, frame)


def configured(app, limits: Limits) -> uvicorn.Config:
    """uvicorn's settings for an app of `build_app`."""
    return uvicorn.Config(
        app,
        http=type("Protocol", (Protocol,), {"header_timeout": limits.timeout}),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(2 * limits.timeout) + 1,
    )


def serve(
    folder: str | Path,
    host: str = "127.0.0.1",
    port: int = 8501,
    name: str | None = None,
    backend: str = "auto",
    limits: Limits | None = None,
) -> None:
    """Serves an export until SIGTERM or Ctrl-C, which finish what is being served.

    Args:
        folder: Of `export.save`.
        host: Address to listen at.
        port: 8501 is TensorFlow Serving's; 0 takes a free one.
        name: Of the model in addresses; default the folder's.
        backend: As of `Model`.
        limits: Bounds of memory and time.

    Raises:
        FileNotFoundError, ValueError, ImportError: as `Model`.
        OSError: if the port is taken.
    """
    _give_memory_back()
    limits = limits or Limits()
    model = Model(folder, backend)
    name = name or Path(folder).resolve().name
    app = build_app(model, name, limits)
    config = configured(app, limits)
    with socket.create_server((host, port), backlog=config.backlog) as listener:
        host, port = listener.getsockname()[:2]
        print(f"{name} by {model.backend}: http://{host}:{port}/v1/models/{name}", flush=True)
        Server(config).run(sockets=[listener])


def _give_memory_back():
    """Tells glibc to return large buffers to the system at once.

    It stops to do so after the first ones, and memory then grows in steps for as long as one
    looks: by 20 to 30 MB in ten minutes of mixed load. With this it is level after the first
    minute, but for one step of 5 MB. At 128 kB instead of 1 MB it stays 30 MB lower, and batches
    take a tenth longer.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt:
        mallopt(-3, 2**20)  # M_MMAP_THRESHOLD, which by default rises
        mallopt(-8, 2)  # M_ARENA_MAX
