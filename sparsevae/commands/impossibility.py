"""Rotate the latents of runs: `sparsevae impossibility runs/dense runs/sparse`."""

import dataclasses
from pathlib import Path

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Rotate the latents of complete runs, fold the rotation into the networks, and look at ELBO,
    scores and links; prints a table by gate and angle, writes all rows and a figure."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, dense and sparse, several seeds."""
    angles: tuple[float, ...] = (0, 1, 3, 10, 20, 30, 45)
    """Degrees, by which the plane turns that turns most."""
    n_rotations: int = 3
    """Random rotations of each run and angle."""
    n_images: int = 1000
    """Images of the ELBO."""
    to: Path = Path("impossibility")
    """Folder for `rotations.csv` and `rotations.png`."""


def impossibility() -> None:
    """Parses, rotates, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae import plots, records
        from sparsevae.study.one.impossibility import rotate_runs

    table = rotate_runs(arguments.runs, arguments.angles, arguments.n_rotations, arguments.n_images)
    arguments.to.mkdir(parents=True, exist_ok=True)
    with records.atomic_file(arguments.to / "rotations.csv") as temporary:
        table.to_csv(temporary, index=False)
    with records.atomic_file(arguments.to / "rotations.png") as temporary:
        plots.rotations(table).savefig(temporary, format="png")
    columns = ["elbo", "elbo_diagonal", "mig", "dci", "links"]
    shown = table.groupby(["gate", "angle"], sort=False)[columns].mean()
    print(shown.to_string(float_format="{:.3f}".format))
    print(f"Rows: {arguments.to}/rotations.csv; picture: {arguments.to}/rotations.png")


def main() -> None:
    """The command, with its errors as one line."""
    running.main(impossibility)
