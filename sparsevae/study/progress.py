"""Where a study stands, read from its folder alone."""

import dataclasses
import os
import time
from pathlib import Path

import pandas as pd

from sparsevae import records
from sparsevae.study.cell import failure
from sparsevae.study.claims import LOCKS, is_claimed
from sparsevae.study.grid import Study
from sparsevae.study.settings import RunSettings


@dataclasses.dataclass(frozen=True)
class CellState:
    """One cell now.

    Attributes:
        settings: Of the cell.
        status: "complete", "failed", "running" or "waiting".
        step: Last step that its history tells of.
        values: Last row of its history, such as `elbo` and `density`; empty before the first.
        reason: Why it failed.
    """

    settings: RunSettings
    status: str
    step: int = 0
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    reason: str = ""


class Watch:
    """Looks at a study again and again; what is complete is not read twice."""

    def __init__(self, study: Study):
        self.study = study
        self._done: dict[str, CellState] = {}
        self._began = time.monotonic()
        self._first_steps: int | None = None

    def states(self) -> list[CellState]:
        """State of each cell, in run order."""
        begun = _names(self.study.folder) | _names(self.study.folder / LOCKS)
        return [self._done.get(c.name) or self._look(c, begun) for c in self.study.cells]

    def _look(self, settings, begun):
        if settings.name not in begun:  # of thousands most, so these cost no look at the disk
            return CellState(settings, "waiting")
        folder = self.study.folder / settings.name
        if records.is_complete(folder):
            state = CellState(settings, "complete", settings.n_steps, _last_row(folder))
        elif noted := failure(folder):
            state = CellState(settings, "failed", 0, _last_row(folder), noted["reason"])
        else:
            values = _last_row(folder)
            status = "running" if is_claimed(self.study.folder, settings.name) else "waiting"
            return CellState(settings, status, int(values.get("step", 0)), values)
        self._done[settings.name] = state
        return state

    def seconds_left(self, states: list[CellState]) -> float | None:
        """Time left at the pace of training steps since this object was made; None if unknown."""
        done = sum(state.step for state in states if state.status != "failed")
        if self._first_steps is None:
            self._first_steps = done
        to_do = [state for state in states if state.status in ("running", "waiting")]
        left = sum(state.settings.n_steps - state.step for state in to_do)
        gained = done - self._first_steps
        return (time.monotonic() - self._began) * left / gained if gained else None

    def per_hour(self, states: list[CellState]) -> float:
        """Runs an hour since this object was made, parts of runs counted as such."""
        done = sum(state.step for state in states if state.status != "failed")
        mean_steps = sum(cell.n_steps for cell in self.study.cells) / len(self.study.cells)
        gained = (done - (self._first_steps or 0)) / mean_steps
        return 3600 * gained / max(time.monotonic() - self._began, 1e-9)


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()


def _last_row(folder: Path) -> dict[str, float]:
    path = folder / "history.csv"
    if not path.exists():
        return {}
    history = pd.read_csv(path)
    return {} if history.empty else history.iloc[-1].to_dict()


def counts(states: list[CellState]) -> dict[str, int]:
    """Number of cells of each status."""
    names = ("complete", "running", "waiting", "failed")
    return {name: sum(state.status == name for state in states) for name in names}
