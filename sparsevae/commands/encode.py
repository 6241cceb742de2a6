"""Encode a folder of images: `sparsevae encode images/ --out codes.parquet`."""

import dataclasses
from pathlib import Path

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write the codes of all images in a folder as a table, one row an image."""

    images: tyro.conf.Positional[Path]
    """Folder of image files; those below it count too."""
    out: Path
    """File to write: .parquet or .csv with file names, or .npy with the codes alone."""
    model: Path = Path("saved_models/demo")
    """Folder of the exported model."""
    batch_size: int = 512
    """Images at a time."""
    image_size: int | None = None
    """Height and width of the model's images, to cut and resize others to."""


def encode() -> None:
    """Parses, encodes, prints where."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with quiet_tensorflow(probability=False):  # only once the arguments are right
        from sparsevae.export.table import encode_folder

    n_images, latent_dim = encode_folder(
        arguments.model,
        arguments.images,
        arguments.out,
        arguments.batch_size,
        arguments.image_size,
    )
    print(f"{n_images:,} images, {latent_dim} latents: {arguments.out}")


def main() -> None:
    """The command, with its errors as one line."""
    running.main(encode)
