"""Who works on what: locks that die with the process that holds them."""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

LOCKS = ".locks"
_TRIES = 5  # a look at a lock holds it for an instant


@contextlib.contextmanager
def claim(folder: str | Path, name: str, wait: float | None = None) -> Iterator[bool]:
    """Holds the claim to `name` in a shared folder for the block, if nobody else has it.

    The system drops the lock when the process ends, however it ends. Between machines this needs
    a shared folder with working `flock`, such as NFS since Linux 2.6.12.

    Args:
        folder: Folder that all workers see.
        name: What is claimed, a file name.
        wait: Seconds between tries until the claim is free; None to try once.

    Yields:
        Whether the claim was got; always true with `wait`.
    """
    path = Path(folder, LOCKS, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        mine = _lock(descriptor)
        while not mine and wait is not None:
            time.sleep(wait)
            mine = _lock(descriptor)
        if mine:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
        yield mine
    finally:
        os.close(descriptor)


def is_claimed(folder: str | Path, name: str) -> bool:
    """Whether some process holds the claim to `name` now."""
    try:
        descriptor = os.open(Path(folder, LOCKS, name), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def claimant(folder: str | Path, name: str) -> int | None:
    """Process number of the last claimant to `name` on this machine; None if it was elsewhere."""
    try:
        pid, host = Path(folder, LOCKS, name).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if host == socket.gethostname() else None


def _lock(descriptor):
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.02)
    return False
