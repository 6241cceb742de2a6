"""Many runs from one file: `sparsevae study run FILE`, `status FILE`, `table FILE`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from sparsevae.commands import running
from sparsevae.commands.pages import page_line


@dataclasses.dataclass(frozen=True)
class Run:
    """Run all cells that are not there yet. The same command again goes on where it stopped."""

    file: tyro.conf.Positional[Path]
    """Study in TOML; docs/studies.md has an example."""
    workers: int | None = None
    """Processes, one core each; all cores by default."""
    scheduler: str | None = None
    """Address of a dask scheduler whose workers run the cells, such as tcp://host:8786."""
    tensorboard: bool = False
    """Write curves and hyperparameters for TensorBoard into the study's folder."""
    report: bool = True
    """End by writing report.html into the study's folder, where the extra `report` is installed."""
    dry_run: bool = False
    """Say how many runs, how long and how much disk; run nothing."""


@dataclasses.dataclass(frozen=True)
class Status:
    """Say what is complete, running and failed."""

    file: tyro.conf.Positional[Path]
    """Study in TOML."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Write the Parquet table of all runs so far, and print means over seeds."""

    file: tyro.conf.Positional[Path]
    """Study in TOML."""


def study() -> None:
    """Parses, calls, prints."""
    commands = [
        Annotated[command, tyro.conf.subcommand(command.__name__.lower())]
        for command in (Run, Status, Table)
    ]
    arguments = tyro.cli(Annotated[commands[0] | commands[1] | commands[2], None])
    from sparsevae.study import read_study
    from sparsevae.study.sweeps import reports

    study = read_study(arguments.file)
    if isinstance(arguments, Status):
        print(reports.status(study))
    elif isinstance(arguments, Table):
        print(reports.table(study))
    elif arguments.dry_run:
        print(reports.estimate(study, arguments.workers))
    else:
        from sparsevae.study.sweeps.sweep import sweep

        sweep(study, arguments.workers, arguments.tensorboard, arguments.scheduler)
        print(reports.table(study), flush=True)
        if line := page_line(study.folder, arguments.report):
            print(line)


def main() -> None:
    """The command, with its errors as one line."""
    running.main(study)
