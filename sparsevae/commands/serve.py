"""Serve an exported model over HTTP: `sparsevae serve saved_models/demo`."""

import dataclasses
import os
from pathlib import Path
from typing import Literal

import tyro

from sparsevae.commands import running


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Answer requests as TensorFlow Serving does, until SIGTERM or Ctrl-C; needs extra serve."""

    folder: tyro.conf.Positional[Path]
    """Folder of the exported model."""
    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 is every network of this machine."""
    port: int = 8501
    """Port to listen at."""
    name: str | None = None
    """Name of the model in addresses; the folder's, if none is given."""
    backend: Literal["auto", "onnx", "tensorflow"] = "auto"
    """What computes codes; auto is ONNX Runtime, if the export has that format."""
    max_body_mb: float = 64
    """Largest body, in MiB; larger ones get 413."""
    max_requests: int = 256
    """Requests at a time; more get 503."""
    max_batch: int = 64
    """Images in one call of the model."""
    timeout: float = 30
    """Seconds for a request to arrive, and for its codes to be computed."""


def serve() -> None:
    """Parses, serves."""
    arguments = tyro.cli(Arguments, description=__doc__)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from sparsevae.export.runtimes import import_extra

    server = import_extra("sparsevae.export.server", "serve")
    limits = server.Limits(
        max_body=int(arguments.max_body_mb * 2**20),
        max_requests=arguments.max_requests,
        max_batch=arguments.max_batch,
        timeout=arguments.timeout,
    )
    server.serve(
        arguments.folder,
        host=arguments.host,
        port=arguments.port,
        name=arguments.name,
        backend=arguments.backend,
        limits=limits,
    )


def main() -> None:
    """The command, with its errors as one line."""
    running.main(serve)
