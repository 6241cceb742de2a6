"""Where a study stands, read from its folder alone."""

import os
from pathlib import Path

from sparsevae import records
from sparsevae.study.cells.cell import failure
from sparsevae.study.cells.claims import LOCKS, is_claimed
from sparsevae.study.cells.progress import CellState, Watch, last_row
from sparsevae.study.sweeps.grid import Study


class StudyWatch(Watch):
    """Looks at the cells of a study."""

    def __init__(self, study: Study):
        super().__init__(study.name)
        self.study = study

    def states(self) -> list[CellState]:
        """State of each cell, in run order."""
        begun = _names(self.study.folder) | _names(self.study.folder / LOCKS)
        return [self._done.get(c.name) or self._look(c, begun) for c in self.study.cells]

    def planned(self) -> list[int]:
        """Steps of each cell."""
        return [cell.n_steps for cell in self.study.cells]

    def _look(self, settings, begun):
        name, n_steps = settings.name, settings.n_steps
        if name not in begun:  # of thousands most, so these cost no look at the disk
            return CellState(name, n_steps, "waiting")
        folder = self.study.folder / name
        values = last_row(folder)
        step = int(values.get("step", 0))
        if records.is_complete(folder):
            state = CellState(name, n_steps, "complete", n_steps, values)
        elif noted := failure(folder):
            state = CellState(name, n_steps, "failed", step, values, noted["reason"])
        else:
            status = "running" if is_claimed(self.study.folder, name) else "waiting"
            return CellState(name, n_steps, status, step, values)
        self._done[name] = state
        return state


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder)) if folder.is_dir() else set()
