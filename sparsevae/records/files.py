"""Files and folders that are whole or not there at all: written beside the target, then renamed."""

import contextlib
import errno
import itertools
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sparsevae.records.machine import MACHINE

_ABANDONED = 24 * 3600  # seconds without change, of what a process elsewhere was writing
_RENAMING = 60  # seconds that two renames may take
_PROCESS = secrets.token_hex(4)  # tells this process from a dead one whose number came up again
_COUNTER = itertools.count()


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes the place of `path` when the block succeeds.

    Readers see the old file or the new one, never a part, also after a kill or a power cut. When
    the block raises, the old file stays. What a killed process left beside the target is removed,
    at once if it ran on this machine, after a day if on another that shares the folder.

    Args:
        path: Target file; its folder is made if missing. An existing file is replaced.

    Yields:
        Path of the same suffix in the same folder, still to be written.

    Raises:
        IsADirectoryError: if `path` is a folder.
        OSError: if the disk is full, in one line that says what to do; the system's otherwise.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"`path` must be a file. Received a folder: {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean(path)
    temporary = _beside(path, "partial", suffix=path.suffix)
    with _removed_on_failure(temporary, path):
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    _sync(path.parent)


@contextlib.contextmanager
def atomic_folder(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside `path`; it takes the name `path` when the block succeeds.

    An existing folder is moved aside only when the new one is whole, and removed last. A kill
    between these two renames leaves `path` absent and the old folder hidden beside it; the next
    write to `path` puts it back first.

    Args:
        path: Target folder; its parents are made if missing.
        overwrite: Whether an existing folder may be replaced.

    Yields:
        Path of an empty folder `.NAME.partial-...` in the same parent folder.

    Raises:
        FileExistsError: if `path` exists and `overwrite` is false.
        NotADirectoryError: if `path` exists and is a file.
        OSError: if the disk is full, in one line that says what to do; the system's otherwise.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean(path)
    _check_replaceable(path, overwrite)
    temporary = _beside(path, "partial")
    with _removed_on_failure(temporary, path):
        temporary.mkdir()
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(Path(folder, name))
            _sync(Path(folder))
        _check_replaceable(path, overwrite)  # someone else may have finished meanwhile
        _put_in_place(temporary, path)
    _sync(path.parent)


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` as JSON that any parser reads, atomically.

    JSON has no NaN and no infinities: both are written as null. Numpy arrays and tuples become
    lists, numpy scalars numbers, paths strings.

    Args:
        path: Target file.
        value: Nested dicts (keys are strings), lists, tuples, numbers, strings, None, paths,
            numpy scalars and arrays.

    Raises:
        TypeError: if a part of `value` is of another type; the message says where. Nothing is
            written then.
        OSError: as `atomic_file`.
    """
    text = json.dumps(_plain(value, "value"), indent=2, allow_nan=False, ensure_ascii=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """What `write_json` wrote.

    Args:
        path: JSON file.

    Returns:
        Nested dicts, lists, numbers, strings and None.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is cut off or damaged; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # of the decoder, or of the JSON parser
        raise ValueError(
            f"`path` must be a whole JSON file; this one is cut off or damaged ({error}). "
            f"Received: {path}"
        ) from error


def rename_file(path: str | Path, to: str | Path) -> None:
    """Renames a file within its folder, replacing `to`; it is so on the disk on return.

    Raises:
        OSError: if there is no such file, or the system refuses.
    """
    os.replace(path, to)
    _sync(Path(to).parent)


def free_bytes(path: str | Path) -> int:
    """Bytes free on the disk where `path` is, or where it would be if it does not exist yet."""
    path = Path(path).absolute()
    return shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free


def _plain(value: Any, where: str) -> Any:
    """`value` in the types that JSON has; `where` names it in errors."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    expected = "a dict with string keys" if isinstance(value, dict) else "a type that JSON can hold"
    raise TypeError(f"`{where}` must be {expected}. Received: {value!r} of {type(value).__name__}")


def _beside(path: Path, role: str, suffix: str = "") -> Path:
    """Unused hidden name beside `path` that tells which process of which machine owns it."""
    owner = f"{MACHINE}-{os.getpid()}-{_PROCESS}-{next(_COUNTER)}"
    return path.with_name(f".{path.name}.{role}-{owner}{suffix}")


def _clean(path: Path) -> None:
    """Removes what dead processes left beside `path`, and puts back a folder moved aside.

    A process number says nothing of another machine that shares the folder: what was begun there
    goes when nothing of it has changed for a day.
    """
    pattern = re.compile(
        rf"\.{re.escape(path.name)}\.(partial|replaced)-(?:([0-9a-f]+)-)?(\d+)-([0-9a-f]+)-\d+"
    )
    for neighbor in path.parent.iterdir():
        match = pattern.match(neighbor.name)
        if not match:
            continue
        role, machine, pid, process = match.groups()
        here = machine == MACHINE
        if here and _is_running(int(pid), process):
            continue
        with contextlib.suppress(FileNotFoundError):  # its owner has just ended, or another cleans
            if role == "replaced" and not path.exists():
                if here or _age(neighbor) > _RENAMING:
                    os.replace(neighbor, path)
            elif here or _age(neighbor) > _ABANDONED:
                _remove(neighbor)


def _age(path: Path) -> float:
    """Seconds since a file, or anything in a folder, was written or renamed."""
    inside = path.rglob("*") if path.is_dir() else ()
    return time.time() - max(p.lstat().st_ctime for p in (path, *inside))


def _is_running(pid: int, process: str) -> bool:
    """Whether the process that owns a temporary name may still be writing."""
    if pid == os.getpid():
        return process == _PROCESS
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, under another user
        return True
    return True


def _check_replaceable(path: Path, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"`path` must be a folder. Received a file: {path}")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"`path` must not exist yet, unless overwrite=True. Received: {path}, which exists"
        )


def _put_in_place(temporary: Path, path: Path) -> None:
    """Renames a whole folder to its target; an old one is moved aside before, removed after."""
    if not path.exists():
        os.rename(temporary, path)
        return
    aside = _beside(path, "replaced")
    try:
        os.rename(path, aside)
        os.rename(temporary, path)
    except BaseException:
        if aside.exists() and not path.exists():
            os.rename(aside, path)
        raise
    _remove(aside)


@contextlib.contextmanager
def _removed_on_failure(temporary: Path, path: Path) -> Iterator[None]:
    """Removes `temporary` when the block raises, and says plainly when the disk is full.

    An error of the system about `temporary` is one about `path`, which is what was asked for.
    """
    try:
        yield
    except BaseException as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        written = _size(temporary) if full else 0
        with contextlib.suppress(OSError):  # the first error tells more
            _remove(temporary)
        if isinstance(error, OSError) and str(error.filename) == str(temporary):
            error.filename = str(path)
        if not full:
            raise
        raise OSError(
            error.errno,
            f"No space left for {path}: it needs more than {written / 1e6:.1f} MB, which is how "
            f"far it got; nothing was changed. Free some space on that disk, or write elsewhere",
        ) from error


def _size(path: Path) -> int:
    """Bytes in a file or under a folder; 0 if it is missing."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Waits until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
