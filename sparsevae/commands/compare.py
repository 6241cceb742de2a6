"""Put runs side by side: `sparsevae compare runs/dense runs/sparse`."""

import dataclasses
from pathlib import Path

import tyro

from sparsevae.commands import running


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Print what complete runs have come to, a column a run: ELBO, latents, links, scores."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""


def compare() -> None:
    """Parses, reads, prints."""
    arguments = tyro.cli(Arguments, description=__doc__)
    from sparsevae import records
    from sparsevae.study.one.summary import side_by_side

    print(side_by_side([records.read_record(run) for run in arguments.runs]))


def main() -> None:
    """The command, with its errors as one line."""
    running.main(compare)
