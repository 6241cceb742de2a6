"""Data sets by name, and where their files are looked for."""

import dataclasses
import logging
import os
from collections.abc import Callable
from pathlib import Path

from sparsevae.choices import check_choice
from sparsevae.data.dsprites import DSprites
from sparsevae.data.dsprites_file import FILE_NAME, read_dsprites
from sparsevae.data.ground_truth import GroundTruthData

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Entry:
    title: str
    file: str
    size: str
    page: str
    read: Callable[[Path], GroundTruthData]
    render: Callable[[], GroundTruthData]


_ENTRIES = {
    "dsprites": _Entry(
        title="dSprites",
        file=FILE_NAME,
        size="26 MB",
        page="https://github.com/google-deepmind/dsprites-dataset",
        read=read_dsprites,
        render=DSprites,
    ),
}


def load(
    name: str, data_dir: str | os.PathLike | None = None, source: str = "auto"
) -> GroundTruthData:
    """A data set by name, from the user's file or rendered. Nothing is ever downloaded.

    Files are looked for in `data_dir`, `$SPARSEVAE_DATA`, `$DISENTANGLEMENT_LIB_DATA` and
    `~/.cache/sparsevae`, in each of them directly and in a folder called `name`. The first one
    found is used; if it is damaged that is an error, not a reason to render.

    Args:
        name: "dsprites".
        data_dir: Existing folder to look in first.
        source: "file" reads the file, "render" renders, "auto" reads the file if there is one and
            renders if not. `data.source` says which it was.

    Returns:
        The data set.

    Raises:
        DataFileError: if the file found is damaged or not what it should be.
        FileNotFoundError: if `data_dir` does not exist, or with "file" if there is no file.
        ValueError: if `name` or `source` is unknown.
    """
    check_choice("name", name, _ENTRIES)
    if source == "tfds":
        raise ValueError(
            "`source` 'tfds' is not supported yet; use 'auto', 'file' or 'render'. "
            "Received: source='tfds'"
        )
    check_choice("source", source, ("auto", "file", "render"))
    candidates = _candidates(name, _folders(data_dir))
    entry = _ENTRIES[name]
    path = next((path for path in candidates if path.is_file()), None)
    if source == "render" or (source == "auto" and path is None):
        _LOGGER.info("%s: rendered", entry.title)
        return entry.render()
    if path is None:
        raise FileNotFoundError(
            f"{entry.title} not found. Looked in: {', '.join(map(str, candidates))}. "
            f"Put `{entry.file}` ({entry.size}, from {entry.page}) there, set SPARSEVAE_DATA to "
            f"its folder, or use load({name!r}, source='render')."
        )
    _LOGGER.info("%s: read from %s", entry.title, path)
    return entry.read(path)


def _folders(data_dir: str | os.PathLike | None) -> list[Path]:
    folders = []
    if data_dir is not None:
        folders.append(Path(data_dir).expanduser())
        if not folders[0].is_dir():
            raise FileNotFoundError(
                f"`data_dir` must be an existing folder. Received: data_dir={str(data_dir)!r}"
            )
    for variable in ("SPARSEVAE_DATA", "DISENTANGLEMENT_LIB_DATA"):
        if os.environ.get(variable):
            folders.append(Path(os.environ[variable]).expanduser())
    return [*folders, Path("~/.cache/sparsevae").expanduser()]


def _candidates(name: str, folders: list[Path]) -> list[Path]:
    file = _ENTRIES[name].file
    return [path for folder in folders for path in (folder / file, folder / name / file)]
