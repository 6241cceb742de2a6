"""Images put once into a form that can be read at random, kept on disk for the next time.

A converted array is a `.npy` file with a `.json` file beside it, written last, that says what it
was made of. Only the two together, agreeing with each other and with the source as it is now,
count; anything else is converted anew.
"""

import contextlib
import errno
import hashlib
import io
import json
import logging
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sparsevae.data.array import MappedArray
from sparsevae.data.files import CacheError, DataFileError
from sparsevae.data.storage.checksums import digest

FORMAT = 1
VARIABLE = "SPARSEVAE_CACHE"

_LOGGER = logging.getLogger(__name__)


def cache_folder() -> Path:
    """`$SPARSEVAE_CACHE` if set, else `~/.cache/sparsevae`."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/sparsevae").expanduser()


def stamps(paths: Sequence[Path]) -> list[list]:
    """Name, size in bytes and time of change of each file: what tells it from another version."""
    status = [(path, path.stat()) for path in paths]
    return [[path.name, found.st_size, found.st_mtime_ns] for path, found in status]


class Target:
    """The array being written. `target[a:b] = rows` and `target[numbers] = rows` write to disk.

    Whatever goes wrong with the disk is a `CacheError`, never mistaken for damage of the source.
    """

    def __init__(self, file: io.FileIO, offset: int, shape: tuple[int, ...], path: Path) -> None:
        self._file, self._offset, self._path, self.shape = file, offset, path, shape
        self._row_bytes = math.prod(shape[1:])

    def __setitem__(self, where: slice | np.ndarray, rows: np.ndarray) -> None:
        numbers = np.arange(self.shape[0])[where]
        if rows.dtype != np.uint8 or rows.shape != (len(numbers), *self.shape[1:]):
            raise ValueError(
                f"`rows` must be uint8 {(len(numbers), *self.shape[1:])}. "
                f"Received: {rows.dtype} {rows.shape}"
            )
        # Rows that follow each other are written in one go.
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
        with _disk_named(self._path, math.prod(self.shape)):
            for start, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
                self._file.seek(self._offset + int(numbers[start]) * self._row_bytes)
                self._write(np.ascontiguousarray(rows[start:end]))

    def _write(self, rows: np.ndarray) -> None:
        data = memoryview(rows).cast("B")
        while data:  # an unbuffered file may take a part only, as when its disk is almost full
            data = data[self._file.write(data) :]


def cached(
    name: str,
    shape: tuple[int, ...],
    sources: list[list],
    fill: Callable[[Target], None],
    *,
    verify: bool = False,
) -> MappedArray:
    """The array called `name`, as converted before or, if it is not there yet, converted now.

    Of several processes that ask at once, one converts and the others wait. A conversion that is
    killed leaves nothing that counts, and its lock goes with its process.

    Args:
        name: Name of the cache file, without suffix.
        shape: Shape of the uint8 array, rows first.
        sources: What it is made of, from `stamps`; when this changes, it is converted anew.
        fill: Writes all rows into the `Target` that it is handed.
        verify: Whether to read an existing file whole and compare its SHA-256.

    Returns:
        The array, in its file.

    Raises:
        DataFileError: with `verify`, if the file is damaged; or whatever `fill` raises.
        CacheError: if the disk is full or the folder cannot be written; nothing is left then.
    """
    path = cache_folder() / "converted" / f"{name}.npy"
    expected = {"format": FORMAT, "sources": sources, "shape": list(shape), "dtype": "uint8"}
    found = _open(path, expected)
    if found is None:
        with _lock(path):
            found = _open(path, expected)  # another process may have finished meanwhile
            if found is None:
                _LOGGER.info("%s: converted once into %s", name, path)
                _convert(path, expected, fill)
                found = _open(path, expected)
    elif verify:
        _verify(path)
    return found


def copy_name(path: Path, image_size: int | None = None) -> str:
    """Name of the copy of a user's file or folder: readable, and different for each."""
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", path.stem)[:40]
    return f"own-{readable}-{place}{f'-{image_size}' if image_size else ''}"


def recorded_shape(name: str, sources: list[list]) -> tuple[int, ...] | None:
    """Shape of the array `name` if it was converted before from these sources, else None.

    It saves looking for the shape in the sources; `cached` still checks everything.
    """
    path = cache_folder() / "converted" / f"{name}.json"
    try:
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        return tuple(sidecar["shape"]) if sidecar["sources"] == sources else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _open(path: Path, expected: dict) -> MappedArray | None:
    """The array of a whole cache file of the right sources, else None."""
    try:
        sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if {key: sidecar[key] for key in expected} != expected:
            return None
        if path.stat().st_size != sidecar["n_bytes"]:
            return None
        with open(path, "rb") as file:
            np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    shape = tuple(expected["shape"])
    return MappedArray(path, shape, offset) if header == (shape, False, np.uint8) else None


def _convert(path: Path, expected: dict, fill: Callable[[Target], None]) -> None:
    shape = tuple(expected["shape"])
    n_bytes = math.prod(shape)
    # Only the holder of the lock writes here, so what a killed process left is simply replaced.
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with _disk_named(path, n_bytes):
            if shutil.disk_usage(path.parent).free < n_bytes:
                raise OSError(errno.ENOSPC, "too little space")
            file = open(partial, "wb", buffering=0)  # noqa: SIM115  closed below
        with file:
            with _disk_named(path, n_bytes):
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            offset = file.tell()
            fill(Target(file, offset, shape, path))
            with _disk_named(path, n_bytes):
                os.fsync(file.fileno())
        with _disk_named(path, n_bytes):
            _put_in_place(partial, path, {**expected, "n_bytes": offset + n_bytes})
    finally:
        partial.unlink(missing_ok=True)


def _put_in_place(partial: Path, path: Path, sidecar: dict) -> None:
    """First the array, then what vouches for it."""
    sidecar["sha256"] = digest(partial, "sha256")
    path.with_suffix(".json").unlink(missing_ok=True)  # never beside an array of other content
    os.replace(partial, path)
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(sidecar, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path.with_suffix(".json"))


@contextlib.contextmanager
def _disk_named(path: Path, n_bytes: int) -> Iterator[None]:
    """Turn what the system says of a disk that cannot be written into `CacheError`."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise CacheError(
            error.errno,
            f"{'No space left for' if full else 'Cannot write'} {path} ({error.strerror}): it "
            f"needs {n_bytes / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free. Free some space, or "
            f"set {VARIABLE} to a folder on another disk",
        ) from error


def _verify(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["sha256"]
    found = digest(path, "sha256")
    if found != expected:
        raise DataFileError(
            f"{path} is damaged: its sha256 is {found}, expected {expected}. Delete it, and it is "
            "converted anew"
        )


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Held by one process at a time; the system frees it when the process ends in any way."""
    import fcntl  # here, so that data that needs no conversion loads on Windows too

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.with_name(f".{path.name}.lock"), "ab")  # noqa: SIM115  closed below
    except OSError as error:
        raise CacheError(
            error.errno,
            f"{path.parent} cannot be written ({error.strerror}). Set {VARIABLE} to a folder "
            "that can",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _LOGGER.warning("Waiting for another process that converts %s", path.stem)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
