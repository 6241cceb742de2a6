"""Prune a run: `sparsevae prune runs/dense --name pruned --density 0.1`."""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train a complete run on with a control that prunes it, into a new run folder with all that
    a run has. The same command again goes on where it stopped."""

    run: tyro.conf.Positional[Path]
    """Folder of the run, dense or with gates."""
    name: str
    """Folder of the new run, under runs/."""
    control: Literal["magnitude", "top_k", "rigl", "set", "random"] = "magnitude"
    """By what rule links are closed."""
    density: float = 0.1
    """Share of the links that is left."""
    n_steps: int = 5_000
    """Training steps of the new run."""
    granularity: Literal["links", "weights", "channels"] = "links"
    """What is closed at once: links between channels, single weights, or whole channels."""
    scope: str | None = None
    """How links are shared out: layer, erk or global; the control's own unless given."""
    open_until: float | None = None
    """Fraction of the steps at which pruning begins; the control's own unless given."""
    full_at: float | None = None
    """Fraction at which links are closed, or have moved, last; the control's own unless given."""
    compact: bool = False
    """Write the model without dead channels too, as compact.keras, and say what that brought."""
    runs: str = "runs"
    """Folder that holds the new run's folder."""
    tensorboard: bool = False
    """Write TensorBoard logs into the run folder."""

    def changes(self) -> dict:
        """Settings in which the new run differs from the old one."""
        names = ("control", "n_steps", "granularity", "scope", "open_until", "full_at")
        return {**{name: getattr(self, name) for name in names}, "target_density": self.density}


def prune() -> None:
    """Parses, runs, prints the record."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.sparsity.selection import check_density
        from sparsevae.study import run
        from sparsevae.study.one.pruning import compact_run, pruned_settings
        from sparsevae.study.one.summary import summary

    check_density(arguments.density)  # by the name that it has here
    settings = pruned_settings(arguments.run, arguments.name, **arguments.changes())
    record = run(settings, arguments.runs, arguments.tensorboard)
    folder = f"{arguments.runs}/{settings.name}"
    print(summary(record, folder))
    if arguments.compact:
        print(compact_run(folder))


def main() -> None:
    """The command, with its errors as one line."""
    running.main(prune)
