"""Train one VAE: `sparsevae train --name first --gate hard_concrete --strength 300`."""

import dataclasses

import tyro

from sparsevae.commands import running
from sparsevae.commands.pages import page_line
from sparsevae.commands.running import quiet_tensorflow
from sparsevae.study import RunSettings


@dataclasses.dataclass(frozen=True)
class Arguments(RunSettings):
    """Train, score and picture one VAE. The same command again goes on where it stopped."""

    runs: str = "runs"
    """Folder that holds the run folders."""
    tensorboard: bool = False
    """Write TensorBoard logs into the run folder."""
    report: bool = True
    """End by writing report.html into the run folder, where the extra `report` is installed."""

    def __post_init__(self):
        """Leaves the checks to `settings`, whose errors are one line and not tyro's frame."""

    def settings(self) -> RunSettings:
        """The settings, checked."""
        fields = dataclasses.fields(RunSettings)
        return RunSettings(**{field.name: getattr(self, field.name) for field in fields})


def train() -> None:
    """Parses, runs, prints the record."""
    arguments = tyro.cli(Arguments, description=__doc__)
    settings = arguments.settings()
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study import run
        from sparsevae.study.one.summary import summary

    record = run(settings, arguments.runs, arguments.tensorboard)
    folder = f"{arguments.runs}/{settings.name}"
    print(summary(record, folder), flush=True)
    if line := page_line(folder, arguments.report):
        print(f"  {line}")


def main() -> None:
    """The command, with its errors as one line."""
    running.main(train)
