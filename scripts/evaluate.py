"""Score a run or an exported model: `python scripts/evaluate.py runs/first`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro
from command import main, quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Score a run folder or an exported model; writes scores.json there and prints a table."""

    folder: tyro.conf.Positional[Path]
    """runs/NAME or saved_models/NAME."""
    metrics: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = ("all",)
    """Names of scores."""
    seed: int = 0
    """Of the images that are drawn."""


def evaluate() -> None:
    """Parses, scores, prints."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study.scoring import score

    scores = score(arguments.folder, arguments.metrics, arguments.seed)
    width = max(map(len, scores))
    print("\n".join(f"{name:{width}}  {value:8.4f}" for name, value in scores.items()))


if __name__ == "__main__":
    main(evaluate)
