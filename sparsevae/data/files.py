"""What all readers of data files share: one kind of error, and a look at the first bytes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sparsevae.data.factors import FactorSpace


class DataFileError(ValueError):
    """A data file exists, but is not what it should be. The message names the file, in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(message: str) -> str:
    """A message in one line that any stream can show: names of files may hold line ends, and bytes
    that are no UTF-8, which are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)


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
        check_first_bytes(path, file.read(40), magic, kind)


def check_first_bytes(
    path: Path, start: bytes, magic: bytes | tuple[bytes, ...], kind: str
) -> None:
    """As `check_start`, for bytes `start` that were read already; at least 40 if there are."""
    if not start:
        raise DataFileError(f"{path} is empty. Probably a failed download.")
    if start.startswith(b"version https://git-lfs"):
        raise DataFileError(
            f"{path} is a Git LFS pointer, not the data itself. Fetch it with `git lfs pull`."
        )
    if not start.startswith(magic):
        raise DataFileError(
            f"{path} is not {kind} (starts with {start[:40]!r}). Probably a failed download."
        )


def check_complete(place: Path, seen: np.ndarray, factor_space: FactorSpace) -> None:
    """Refuse a set in which a combination is not there exactly once.

    Args:
        place: File or folder to name.
        seen: Integer array `(len(factor_space),)`, how often each is there.
        factor_space: Names the combinations.

    Raises:
        DataFileError: if a count is not 1.
    """
    wrong = np.flatnonzero(seen != 1)
    if len(wrong):
        cell = factor_space.factors(wrong[:1])[0]
        named = ", ".join(map("{}={}".format, factor_space.names, cell))
        raise DataFileError(
            f"{place} has {seen[wrong[0]]} images of {named}; expected exactly 1 "
            f"({len(wrong)} of {len(seen)} combinations are wrong)"
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
