"""Running a study: one single-threaded process per core, each at the next free cell."""

import collections
import multiprocessing
import signal
import sys
import time
from pathlib import Path

import pandas as pd

from sparsevae.study.cells import worker
from sparsevae.study.cells.cell import failure, forget_failures, note_failure, run_cell
from sparsevae.study.cells.claims import claimant
from sparsevae.study.cells.display import display
from sparsevae.study.cells.progress import counts
from sparsevae.study.sweeps.cluster import Cluster
from sparsevae.study.sweeps.grid import Study
from sparsevae.study.sweeps.progress import StudyWatch
from sparsevae.study.sweeps.study_file import read_study
from sparsevae.study.sweeps.table import study_table, write_table

N_FAILURES = 3  # in a row, for passing reasons: what fails them is not the cell
GAVE_UP = 3  # exit code of a worker
WORK = f"{__name__}:work"
HPARAMS = "sparsevae.study.sweeps.hparams:write_study_hparams"
MAX_DEATHS = 3  # of the process under one cell
_PAUSE = 1.0  # seconds between looks
_PATIENCE = 60.0  # seconds


def sweep(
    study: Study | str | Path,
    workers: int | None = None,
    tensorboard: bool = False,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Runs all cells of a study that are not there yet; starting it again goes on.

    Workers, in this process's care, on other machines or of another call of `sweep`, share the
    work through the study's folder: a cell belongs to the process that holds its lock, and each
    run goes on from its newest checkpoint, whoever trained it.

    Args:
        study: A study, or the TOML file of one.
        workers: Processes, each pinned to a core of its own; by default one for each core.
        tensorboard: Whether to write curves and, at the end, hyperparameters for TensorBoard
            (`tensorboard --logdir` on the study's folder).
        scheduler: Address of a dask scheduler, whose workers (all of one thread, all with the
            study's folder) run the cells instead of processes here.

    Returns:
        The table of all runs that have ended, see `study_table`; also in `table.parquet`.

    Raises:
        StudyFileError: see `read_study`.
        ValueError: if `workers` is not between 1 and the number of cores.
        RuntimeError: if runs failed for reasons other than divergence; the rest has run, unless
            several failed in a row. The next call tries them again.
        KeyboardInterrupt: after SIGINT, with checkpoints written.
    """
    study = study if isinstance(study, Study) else read_study(study)
    if scheduler is None:
        pool = _Processes(study, worker.pick_cores(workers), tensorboard)
    else:
        pool = Cluster(study, scheduler, tensorboard)
    study.folder.mkdir(parents=True, exist_ok=True)
    forget_failures(study.folder)
    watch = StudyWatch(study)
    with pool, display(watch) as show:
        while True:
            states = watch.states()
            show(states)
            number = counts(states)
            if not number["running"] + number["waiting"]:
                break
            pool.tend(states)
            time.sleep(_PAUSE)
    write_table(study)
    if tensorboard:
        # A process of its own, as it loads TensorFlow.
        log = study.folder / worker.LOGS / "hparams.log"
        worker.start(HPARAMS, study, core=None, log=log).join()
    _complain(study)
    return study_table(study)


def work(study: Study, tensorboard: bool) -> None:
    """Runs every cell that nobody else has; what a worker process does.

    Exits with `GAVE_UP` if several cells in a row failed for reasons that lie outside of them.

    Args:
        study: The study.
        tensorboard: Whether runs write TensorBoard logs.
    """
    in_a_row = 0
    for settings in study.cells:
        outcome = run_cell(study.folder, settings, tensorboard)
        noted = failure(study.folder / settings.name) if outcome == "failed" else None
        in_a_row = in_a_row + 1 if noted and not noted["lasting"] else 0
        if in_a_row == N_FAILURES:
            sys.exit(GAVE_UP)


def _complain(study):
    """Raises if runs have failed for reasons that may pass."""
    noted = [failure(study.folder / cell.name) for cell in study.cells]
    reasons = [n["reason"] for n in noted if n and not n["lasting"]]
    if reasons:
        raise RuntimeError(
            f"{len(reasons)} of {len(study.cells)} runs failed, the last by {reasons[-1]}. "
            "Once this is put right, the same command goes on from here"
        )


class _Processes:
    """Worker processes on this machine; dead ones are replaced while there is work."""

    def __init__(self, study, cores, tensorboard):
        self.study, self.cores, self.tensorboard = study, cores, tensorboard
        self.at: dict[int, multiprocessing.process.BaseProcess] = {}
        self.deaths: collections.Counter[str] = collections.Counter()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in self.at.values():
            if kind is None:
                process.join(_PATIENCE)  # nothing is left to take
            process.terminate()  # while it trains: a checkpoint first
        for process in self.at.values():
            process.join()

    def tend(self, states):
        """Takes note of the dead, and starts processes on free cores if cells wait."""
        waiting = [state.name for state in states if state.status == "waiting"]
        for core, process in list(self.at.items()):
            if not process.is_alive():
                del self.at[core]
                self._take_note(process, waiting)
        if waiting:
            for core in self.cores:
                if core not in self.at:
                    self.at[core] = self._start(core)

    def _start(self, core):
        log = self.study.folder / worker.LOGS / f"worker-{core}.log"
        return worker.start(WORK, self.study, self.tensorboard, core=core, log=log)

    def _take_note(self, process, waiting):
        if process.exitcode == GAVE_UP:
            _complain(self.study)
        if process.exitcode == 0:
            return
        for name in waiting:
            if claimant(self.study.folder, name) == process.pid:
                self.deaths[name] += 1
                if self.deaths[name] == MAX_DEATHS:
                    reason = f"its process died {MAX_DEATHS} times, last {_cause(process.exitcode)}"
                    note_failure(self.study.folder / name, reason, lasting=False)


def _cause(code):
    if code >= 0:
        return f"with exit code {code}"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"by {signal.Signals(-code).name}{hint}"
