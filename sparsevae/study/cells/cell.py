"""One run of a study or a search: claimed, run or gone on with, its failure noted."""

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sparsevae import records
from sparsevae.study.cells.claims import claim
from sparsevae.study.settings import RunSettings

FAILURE = "failed.json"
TIMING = "timing.json"
_ONE_AT_A_TIME = threading.Lock()  # seeds and precision belong to the whole process


class StoppedError(RuntimeError):
    """A watcher ended a run early: what it could still become is not worth the time."""


def run_cell(
    folder: str | Path,
    settings: RunSettings,
    tensorboard: bool = False,
    wait: float | None = None,
    watchers: Sequence = (),
) -> str:
    """Runs one cell to its end, unless it is there already or somebody else is at it.

    A run that diverges would do so again: that is noted in `failed.json` and lasts, as does the
    end that a watcher makes. Any other error is noted too, and holds until `forget_failures`.

    Args:
        folder: Folder of the study.
        settings: Of the cell; its name is the run folder's.
        tensorboard: Whether to write TensorBoard logs.
        wait: Seconds between looks at a cell that somebody else is running; None passes it by.
        watchers: More callbacks, see `run`; they may raise `StoppedError`.

    Returns:
        "complete", "failed" or "busy".
    """
    folder = Path(folder)
    if records.is_complete(folder / settings.name):
        return "complete"
    with _ONE_AT_A_TIME, claim(folder, settings.name, wait) as mine:
        if not mine:
            return "busy"
        if records.is_complete(folder / settings.name):
            return "complete"
        if failure(folder / settings.name):
            return "failed"
        return _run(folder, settings, tensorboard, watchers)


def _run(folder, settings, tensorboard, watchers):
    # Imported here: they load TensorFlow.
    import keras

    from sparsevae.models.callbacks import DivergedError
    from sparsevae.study.one.journey import run

    cell = folder / settings.name
    before = _history(cell)
    began = time.monotonic()
    try:
        run(settings, folder, tensorboard, watchers)
    except StoppedError as error:
        note_failure(cell, str(error), lasting=True, stopped=True)
        return "failed"
    except DivergedError as error:
        note_failure(cell, f"diverged: {error}", lasting=True)
        return "failed"
    except Exception as error:
        note_failure(cell, f"{type(error).__name__}: {error}", lasting=False)
        return "failed"
    finally:
        keras.backend.clear_session()  # else each model's graph stays in memory
    _note_timing(cell, time.monotonic() - began, n_before=len(before))
    return "complete"


def note_failure(cell: str | Path, reason: str, lasting: bool, stopped: bool = False) -> None:
    """Marks a run as failed, or as stopped on purpose; a lasting failure is not tried again."""
    noted = {"reason": reason, "lasting": lasting, "stopped": stopped}
    records.write_json(Path(cell, FAILURE), noted)


def failure(cell: str | Path) -> dict | None:
    """`reason`, `lasting` and `stopped` of a failed run, None if it has not failed."""
    path = Path(cell, FAILURE)
    return {"stopped": False, **records.read_json(path)} if path.exists() else None


def forget_failures(folder: str | Path) -> None:
    """Lets runs that failed for a passing reason, such as a full disk, be tried again."""
    for path in Path(folder).glob(f"*/{FAILURE}"):
        if not records.read_json(path)["lasting"]:
            path.unlink()
            if not (path.parent / "settings.json").exists():
                shutil.rmtree(path.parent)  # it never began


def _history(cell):
    path = cell / "history.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame({"step": [], "seconds": []})


def _note_timing(cell, seconds, n_before):
    """What this process took; training and all the rest apart, for estimates."""
    history = _history(cell)
    of_step = history["seconds"] / history["step"].diff().fillna(history["step"])
    if len(of_step) > 1:
        of_step = of_step[1:]  # the first ones hold the compilation
    mine = history["seconds"][n_before:].sum()
    records.write_json(
        cell / TIMING,
        {"seconds_per_step": float(of_step.median()), "seconds_besides": float(seconds - mine)},
    )
