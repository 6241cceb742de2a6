"""What the codes of a model are good for: `sparsevae downstream saved_models/demo`."""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train classifiers on codes; prints means over factors and writes the whole table."""

    folder: tyro.conf.Positional[Path]
    """runs/NAME or saved_models/NAME."""
    tasks: tuple[Literal["labels", "reduced", "strong", "fairness"], ...] | None = None
    """Few labels; without the best latent; under a shift; dependence on other factors. Default all
    that the data set allows."""
    predictors: tuple[Literal["logistic", "gbt", "gbt_fast"], ...] = ("logistic", "gbt")
    """Logistic regression; boosted trees, exact or fast."""
    sizes: tuple[int, ...] | None = None
    """Numbers of labels; the other tasks use the largest. Default those of 10, 100, 1000 and 10000
    that the data set allows."""
    n_test: int | None = None
    """Test images. Default 5000, or what the data set has left."""
    n_shifts: int = 5
    """Shifts of another factor, for each factor."""
    n_per_value: int = 100
    """Images for each value of a sensitive factor."""
    seed: int = 0
    """Of everything drawn."""
    out: Path | None = None
    """Table to write, .parquet, with a .json beside it; default runs/downstream/NAME.parquet."""


def downstream() -> None:
    """Parses, classifies, prints."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study.one import downstream

    options = dataclasses.asdict(arguments)
    folder, out, tasks = options.pop("folder"), options.pop("out"), options.pop("tasks")
    out = out or Path("runs/downstream") / f"{folder.resolve().name}.parquet"
    table = downstream.downstream_tasks(folder, tasks, **options)
    downstream.write_downstream(table, out)
    print(downstream.downstream_summary(table))
    print(f"Table: {out} and .json")


def main() -> None:
    """The command, with its errors as one line."""
    running.main(downstream)
