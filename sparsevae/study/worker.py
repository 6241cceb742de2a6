"""A process of its own that runs cells one after another, on one core."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sparsevae.study.cell import failure, run_cell
from sparsevae.study.grid import Study
from sparsevae.study.plan import SearchPlan
from sparsevae.study.settings import RunSettings

N_FAILURES = 3  # in a row, for passing reasons: what fails them is not the cell
GAVE_UP = 3  # exit code
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several workers share a GPU
}


def work(study: Study, core: int | None, log: Path, tensorboard: bool) -> None:
    """Runs every cell that nobody else has; the target of a worker process.

    Ends with the process that started it, after a checkpoint. Exit codes: 0 nothing left to
    take, 3 several cells in a row failed for reasons that lie outside of them.

    Args:
        study: The study.
        core: Core to stay on; None for any.
        log: File that gets what this process prints.
        tensorboard: Whether runs write TensorBoard logs.
    """
    set_up(core, log)
    in_a_row = 0
    for settings in study.cells:
        outcome = run_cell(study.folder, settings, tensorboard)
        noted = failure(study.folder / settings.name) if outcome == "failed" else None
        in_a_row = in_a_row + 1 if noted and not noted["lasting"] else 0
        if in_a_row == N_FAILURES:
            sys.exit(GAVE_UP)


def hparams(study: Study, log: Path) -> None:
    """Writes the study for TensorBoard; the target of a process, as it loads TensorFlow."""
    set_up(None, log)
    from sparsevae.study.hparams import write_study_hparams

    write_study_hparams(study)


def search(
    base: RunSettings, plan: SearchPlan, folder: Path, tensorboard: bool, core: int, log: Path
) -> None:
    """Runs trials for the chief that the environment names; the target of a worker process."""
    set_up(core, log)
    from sparsevae.study.searches import work

    work(base, plan, folder, tensorboard)


def start(
    target: Callable[..., None], *arguments: Any, environment: Mapping[str, str] | None = None
) -> multiprocessing.process.BaseProcess:
    """Starts a process of one thread without progress bars: libraries ask when they are loaded."""
    wanted = {**ENVIRONMENT, **(environment or {})}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ |= wanted
    try:
        # `fork` would copy locks and the threads of TensorFlow.
        process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
        process.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return process


def set_up(core: int | None, log: Path) -> None:
    """Keeps this process on one core, sends its output to a file, ends it with its parent."""
    # TensorFlow counts the cores that it may use when it is imported.
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    log.parent.mkdir(parents=True, exist_ok=True)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)  # while training: a checkpoint first
