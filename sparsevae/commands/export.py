"""Export a run: `sparsevae export runs/first saved_models/first`."""

import dataclasses
from pathlib import Path
from typing import Literal

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write the model of a complete run as a SavedModel that needs TensorFlow only."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    to: tyro.conf.Positional[Path]
    """Folder to write; whole or not there at all."""
    formats: tuple[Literal["onnx", "litert", "openvino"], ...] = ()
    """Formats beside the SavedModel; each needs the extra of its name."""
    license: str | None = None
    """Of the weights, for the card: such as Apache-2.0."""
    compact: bool = True
    """Take out the channels that do nothing; outputs stay the same."""
    drop_latents: bool = False
    """Take out latents that are closed on both sides too; the card says which stay."""
    overwrite: bool = False
    """Replace the folder if it exists."""


def export() -> None:
    """Parses, exports, prints where."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study.one.scoring import compare_encoders, export_run

    folder = export_run(
        arguments.run,
        arguments.to,
        formats=arguments.formats,
        license=arguments.license,
        compact=arguments.compact,
        drop_latents=arguments.drop_latents,
        overwrite=arguments.overwrite,
    )
    if arguments.compact and not arguments.drop_latents:  # which gives other codes
        print(compare_encoders(arguments.run, folder))
    print(f"Encoder: {folder} (sv.export.load, or any TensorFlow: see its README.md)")


def main() -> None:
    """The command, with its errors as one line."""
    running.main(export)
