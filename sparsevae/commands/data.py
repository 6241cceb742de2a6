"""Data sets: `sparsevae data describe|grid|fetch NAME`, `... compare FILE`."""

import dataclasses
from pathlib import Path

import tyro

from sparsevae.commands import running
from sparsevae.commands.running import quiet_tensorflow


@dataclasses.dataclass(frozen=True)
class Set:
    """Which set."""

    name: tyro.conf.Positional[str]
    """Name of a set or variant, or path of your own images."""
    data_dir: Path | None = None
    """Folder to look in first."""
    source: str = "auto"
    """auto, file, tfds or render."""


@dataclasses.dataclass(frozen=True)
class Describe(Set):
    """Say what a set holds: images, factors and their values, license, citation."""


@dataclasses.dataclass(frozen=True)
class Grid(Set):
    """Draw a row of images for each factor."""

    to: Path = dataclasses.field(kw_only=True)
    """Picture to write: .png, .pdf or .svg."""


@dataclasses.dataclass(frozen=True)
class Fetch:
    """Say where a set comes from and, if TensorFlow Datasets has it, download and prepare it."""

    name: tyro.conf.Positional[str]
    """Name of the set."""
    to: Path | None = None
    """Folder; else TFDS_DATA_DIR or ~/tensorflow_datasets."""


@dataclasses.dataclass(frozen=True)
class Compare:
    """Count the images and pixels of an original file that differ from the rendered set."""

    file: tyro.conf.Positional[Path]
    """File of dSprites or Shapes3D, under its published name."""


def data() -> None:
    """Parses, calls, prints."""
    arguments = tyro.cli(Describe | Grid | Fetch | Compare, description=__doc__)
    if isinstance(arguments, Compare):
        from sparsevae.data.compare import compare

        print(compare(arguments.file))
    elif isinstance(arguments, Fetch):
        fetch_and_tell(arguments)
    else:
        from sparsevae.data import describe, load

        found = load(arguments.name, arguments.data_dir, arguments.source)
        if isinstance(arguments, Describe):
            print(describe(found))
        else:
            from sparsevae.plots import plot_grid

            plot_grid(found).savefig(arguments.to)
            print(arguments.to)


def fetch_and_tell(arguments: Fetch) -> None:
    """Where the set comes from, before and after it is prepared."""
    from sparsevae.data.fetch import about, can_fetch, fetch

    print(about(arguments.name))
    if can_fetch(arguments.name):
        with quiet_tensorflow():
            from absl import logging
        logging.set_verbosity(logging.ERROR)  # its warnings are for those who write builders
        folder = fetch(arguments.name, arguments.to)
        print(f"Prepared: {folder} (load({arguments.name!r}, source='tfds'))")


def main() -> None:
    """The command, with its errors as one line."""
    running.main(data)
