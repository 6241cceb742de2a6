"""A process of its own that runs cells one after another, on one core."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsevae.checks import check_integer
from sparsevae.cores import available_cores
from sparsevae.study.cells.claims import claim

_HELD = contextlib.ExitStack()  # claims, until the process ends
LOGS = ".logs"  # folder of what workers print, in that of a study or search
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several workers share a GPU
}


def start(
    target: str,
    *arguments: Any,
    core: int | None,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> multiprocessing.process.BaseProcess:
    """Starts a process of one thread without progress bars, which ends with this one.

    Args:
        target: Function, as "module:function". By name, since what it imports asks the process
            for its cores and threads when it is loaded.
        arguments: Of the function; they are pickled.
        core: Core to stay on; None for any.
        log: File that gets what the process prints.
        environment: Further variables.
    """
    wanted = {**ENVIRONMENT, **(environment or {})}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ |= wanted
    try:
        # `fork` would copy locks and the threads of TensorFlow.
        process = multiprocessing.get_context("spawn").Process(
            target=_run, args=(target, arguments, core, log)
        )
        process.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return process


def _run(target, arguments, core, log):
    _set_up(core, log)
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(*arguments)


def _set_up(core, log):
    """Keeps this process on one core, sends its output to a file, ends it with its parent."""
    if core is not None:
        pin(core)
    log.parent.mkdir(parents=True, exist_ok=True)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def pin(core: int) -> None:
    """Keeps this process on a core that no other worker of this user has, if there is one.

    Before TensorFlow is imported, which counts the cores that it may use.

    Args:
        core: The one to take where it is free, or where none is.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    folder = Path(tempfile.gettempdir(), f"sparsevae-cores-{os.getuid()}")
    for free in (core, *(other for other in available_cores() if other != core)):
        if _HELD.enter_context(claim(folder, str(free))):
            os.sched_setaffinity(0, {free})
            return
    os.sched_setaffinity(0, {core})


def _end_with_parent():
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # while training: a checkpoint first


def pick_cores(workers: int | None) -> list[int]:
    """Cores for so many workers, from those that this process may use; all by default.

    Raises:
        TypeError: if `workers` is not an integer.
        ValueError: if it is not between 1 and their number.
    """
    cores = available_cores()
    return cores if workers is None else cores[: check_integer("workers", workers, 1, len(cores))]
