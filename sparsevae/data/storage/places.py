"""Where the files of data sets are looked for, and what to say when they are not there."""

import os
from collections.abc import Sequence
from pathlib import Path

from sparsevae.data.storage.cache import cache_folder

VARIABLES = ("SPARSEVAE_DATA", "DISENTANGLEMENT_LIB_DATA")
TFDS_VARIABLE = "TFDS_DATA_DIR"


def roots(data_dir: str | os.PathLike | None) -> list[Path]:
    """Folders to look in, in order: `data_dir`, the two variables, the folder of the cache.

    Raises:
        FileNotFoundError: if `data_dir` is given and is not an existing folder.
    """
    folders = []
    if data_dir is not None:
        folders.append(Path(data_dir).expanduser())
        if not folders[0].is_dir():
            raise FileNotFoundError(
                f"`data_dir` must be an existing folder. Received: data_dir={str(data_dir)!r}"
            )
    values = [os.environ[variable] for variable in VARIABLES if os.environ.get(variable)]
    return [*folders, *(Path(value).expanduser() for value in values), cache_folder()]


def tfds_root() -> Path:
    """Where TensorFlow Datasets keeps what it prepares: its variable, else its default."""
    return Path(os.environ.get(TFDS_VARIABLE) or "~/tensorflow_datasets").expanduser()


def find(folders: Sequence[Path], patterns: Sequence[str]) -> Path | None:
    """The first file that matches a pattern, or None; earlier folders, patterns, names first."""
    for folder in folders:
        for pattern in patterns:
            if files := sorted(path for path in folder.glob(pattern) if path.is_file()):
                return files[0]
    return None


def find_prepared(folders: Sequence[Path], name: str) -> Path | None:
    """The folder of the newest version that TensorFlow Datasets prepared whole of a set."""
    for folder in folders:
        infos = folder.glob(f"{name}/*.*.*/dataset_info.json")
        if versions := [info.parent for info in infos if _version(info.parent)]:
            return max(versions, key=_version)
    return None


def _version(folder: Path) -> tuple[int, ...]:
    """The numbers of a version such as 2.0.0; empty for a folder still being written."""
    parts = folder.name.split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else ()


def likely_renamed(folders: Sequence[Path], patterns: Sequence[str]) -> list[Path]:
    """At most three files of the kind looked for, under other names, in these folders."""
    kinds = {Path(pattern).suffix for pattern in patterns}
    found = [path for folder in folders for path in sorted(folder.glob("*")) if path.is_file()]
    return [path for path in found if path.suffix in kinds][:3]
