"""What all readers of data files share: one kind of error, and a look at the first bytes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class DataFileError(ValueError):
    """A data file exists, but is not what it should be. The message names the file."""


class CacheError(OSError):
    """A converted copy cannot be kept: the disk is full, or the folder cannot be written."""


def check_start(path: Path, magic: bytes | tuple[bytes, ...], kind: str) -> None:
    """Refuse a file whose first bytes are not those of its kind, saying what it is instead.

    Args:
        path: The file.
        magic: What it must start with; any one of several.
        kind: What it should be, such as "an npz archive".

    Raises:
        DataFileError: if the file is empty, a Git LFS pointer or of another kind.
    """
    with open(path, "rb") as file:
        start = file.read(40)
    if not start:
        raise DataFileError(f"{path} is empty. Probably a failed download.")
    if start.startswith(b"version https://git-lfs"):
        raise DataFileError(
            f"{path} is a Git LFS pointer, not the data itself. Fetch it with `git lfs pull`."
        )
    if not start.startswith(magic):
        raise DataFileError(
            f"{path} is not {kind} (starts with {start!r}). Probably a failed download."
        )


@contextlib.contextmanager
def damage_named(path: Path, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn `errors`, which a library raises on bytes it cannot read, into `DataFileError`."""
    try:
        yield
    except (DataFileError, CacheError):
        raise
    except errors as error:
        # Libraries write long messages over several lines: ours is one line.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataFileError(f"{path} is damaged or truncated: {reason}") from error
