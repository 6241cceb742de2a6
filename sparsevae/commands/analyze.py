"""Look inside the model of a run: `sparsevae analyze runs/first`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Which latents answer to which factors, what each layer knows of them and along which axes,
    what is wired to what, how latents interfere in images; writes analysis.json, draws into
    pictures/ and prints."""

    folder: tyro.conf.Positional[Path]
    """runs/NAME."""
    analyses: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")] = ("all",)
    """factor_jacobian, layer_profile, wiring, decoder_view, or all that the data bears."""
    seed: int = 0
    """Of images and rotations."""


def analyze() -> None:
    """Parses, analyzes, prints."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study.one import analyses
        from sparsevae.study.one.analysis_text import analysis_text

    found = analyses.analyze(arguments.folder, arguments.analyses, arguments.seed)
    print(analysis_text(found))
    print(
        f"All numbers and tables: {arguments.folder}/{analyses.FILE_NAME}; "
        f"pictures: {arguments.folder}/pictures"
    )


def main() -> None:
    """The command, with its errors as one line."""
    running.main(analyze)
