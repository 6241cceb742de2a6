"""Where a run or trial stands, read from its folder alone; how fast many of them go on."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

ENDED = ("complete", "stopped", "failed")
STATUSES = ("complete", "running", "waiting", "stopped", "failed")


@dataclasses.dataclass(frozen=True)
class CellState:
    """One run of a study, or one trial of a search, now.

    Attributes:
        name: Its folder, and of a trial what was varied.
        n_steps: Steps from beginning to end, of all its models.
        status: "complete", "running", "waiting", "stopped" (hopeless) or "failed".
        step: Steps done.
        values: What is known, such as `elbo` and `density`: the last row of the history, which
            has means over the last epoch of training; or what was tested at the end.
        reason: Why it was stopped or failed.
        tested: Whether the values are those of the test.
    """

    name: str
    n_steps: int
    status: str
    step: int = 0
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    reason: str = ""
    tested: bool = False


class Watch:
    """Looks at a study or a search again and again.

    Args:
        name: Of the whole.
        unit: What it is made of, in the plural.
        shown: Names of the values that people look at.
    """

    def __init__(
        self,
        name: str,
        unit: str = "runs",
        shown: Sequence[str] = ("elbo", "density", "active_latents"),
    ):
        self.name, self.unit, self.shown = name, unit, tuple(shown)
        self._done: dict[str, CellState] = {}  # what has ended is not read twice
        self._began = time.monotonic()
        self._first_steps: int | None = None

    def states(self) -> list[CellState]:
        """State of all that has begun, and of what waits as far as it is known."""
        raise NotImplementedError

    def planned(self) -> list[int]:
        """Steps of each part of the whole."""
        raise NotImplementedError

    def seconds_left(self, states: list[CellState]) -> float | None:
        """Time left at the pace of training steps since the first call; None if unknown."""
        trained = self._gained(states)
        gone = sum(s.n_steps if s.status in ENDED else s.step for s in states)
        left = sum(self.planned()) - gone
        return (time.monotonic() - self._began) * left / trained if trained else None

    def per_hour(self, states: list[CellState]) -> float:
        """Parts an hour since the first call, unfinished ones counted by their steps."""
        planned = self.planned()
        gained = self._gained(states) * len(planned) / sum(planned)
        return 3600 * gained / max(time.monotonic() - self._began, 1e-9)

    def _gained(self, states):
        done = sum(state.step for state in states)
        if self._first_steps is None or done < self._first_steps:  # what it saw has gone
            self._first_steps, self._began = done, time.monotonic()
        return done - self._first_steps


def last_row(folder: Path) -> dict[str, float]:
    """Last row of the history of a run; empty before the first."""
    path = folder / "history.csv"
    if not path.exists():
        return {}
    history = pd.read_csv(path)
    return {} if history.empty else history.iloc[-1].to_dict()


def counts(states: list[CellState]) -> dict[str, int]:
    """Number of cells of each status."""
    return {name: sum(state.status == name for state in states) for name in STATUSES}
