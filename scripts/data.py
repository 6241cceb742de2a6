"""Data sets: `python scripts/data.py fetch shapes3d`, `python scripts/data.py compare FILE`."""

import dataclasses
from pathlib import Path

import tyro
from command import main, quiet_tensorflow


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
    arguments = tyro.cli(Fetch | Compare, description=__doc__)
    if isinstance(arguments, Compare):
        from sparsevae.data.compare import compare

        print(compare(arguments.file))
        return
    from sparsevae.data.fetch import about, can_fetch, fetch

    print(about(arguments.name))
    if can_fetch(arguments.name):
        with quiet_tensorflow():
            from absl import logging
        logging.set_verbosity(logging.ERROR)  # its warnings are for those who write builders
        folder = fetch(arguments.name, arguments.to)
        print(f"Prepared: {folder} (load({arguments.name!r}, source='tfds'))")


if __name__ == "__main__":
    main(data)
