"""The file of what a benchmark measured."""

import dataclasses
import os
from importlib import metadata
from typing import Any

from sparsevae import records


def write(arguments, packages: tuple[str, ...], **measured: Any) -> None:
    """Writes `arguments.out`: the arguments, this machine's cores, versions, what was measured."""
    records.write_json(
        arguments.out,
        {
            "arguments": {**dataclasses.asdict(arguments), "out": str(arguments.out)},
            "cores": os.cpu_count(),
            "versions": {name: metadata.version(name) for name in packages},
            **measured,
        },
    )
