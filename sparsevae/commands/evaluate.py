"""Score a run or an exported model: `sparsevae evaluate runs/first`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Score a run folder or an exported model; writes scores.json there and prints a table."""

    folder: tyro.conf.Positional[Path]
    """runs/NAME or saved_models/NAME."""
    metrics: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = ("all",)
    """Names of scores, or all."""
    dci: Literal["fast", "exact"] = "fast"
    """Trees behind DCI; exact ones come beside the fast ones and take minutes."""
    seed: int = 0
    """Of the images that are drawn."""
    n_samples: int = 10_000
    """Images, and votes of 64 images; half as many for testing."""
    n_bootstrap: int = 0
    """Bootstrap samples for 95 % intervals; each computes every score again."""


def evaluate() -> None:
    """Parses, scores, prints."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study.one.scoring import score
        from sparsevae.study.one.summary import score_table

    scores = score(
        arguments.folder,
        _names(arguments),
        seed=arguments.seed,
        n_samples=arguments.n_samples,
        n_bootstrap=arguments.n_bootstrap,
    )
    print(score_table(scores))


def _names(arguments: Arguments) -> list[str]:
    exact = ["dci", "unified_dci"] if arguments.dci == "exact" else []
    return [n for name in arguments.metrics for n in [name, *(exact if name == "all" else [])]]


def main() -> None:
    """The command, with its errors as one line."""
    running.main(evaluate)
