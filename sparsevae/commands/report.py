"""One page that explains a run, a study or a search: `sparsevae report runs/first`."""

import dataclasses
from pathlib import Path

import tyro

from sparsevae.commands import pages, running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write one HTML file that explains a run, a study or a search, whole or going on."""

    folder: tyro.conf.Positional[Path]
    """runs/NAME, the folder of a run, a study or a search."""
    to: Path | None = None
    """File to write; report.html in the folder, if none is given."""
    runs: bool = False
    """Write the pages of a study's or a search's runs too, and link them."""
    watch: bool = False
    """Write nothing: serve the page on this machine and renew it while the work goes on."""
    port: int = 8080
    """Port of the page that is watched; 0 is any free one."""


def report() -> None:
    """Parses, writes or serves, prints where."""
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.watch and (arguments.to is not None or arguments.runs):
        raise ValueError("`watch` writes nothing, so `to` and `runs` cannot be given with it")
    room = pages.room()
    looks_into_models = room.kind_of(arguments.folder) == "run" or arguments.runs
    if looks_into_models:  # a study's page needs no TensorFlow
        room.prepare()
        with quiet_tensorflow():
            pass
    if arguments.watch:
        room.serve_report(
            arguments.folder,
            arguments.port,
            lambda address: print(f"{address}  (Ctrl-C ends it)", flush=True),
        )
    else:
        print(room.write_report(arguments.folder, arguments.to, arguments.runs))


def main() -> None:
    """The command, with its errors as one line."""
    running.main(report)
