"""A study in the terminal: a live table, or plain lines where there is no terminal."""

import contextlib
import time
from collections.abc import Callable, Iterator

from sparsevae.study.progress import CellState, Watch, counts

_QUIET = 60.0  # seconds between plain lines when no run ends
_LAST = 8  # runs that have ended, shown under those that run


@contextlib.contextmanager
def display(watch: Watch) -> Iterator[Callable[[list[CellState]], None]]:
    """Yields a function that shows the states of all cells; to be called every second or so."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(watch, console)
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        yield lambda states: live.update(_table(watch, states), refresh=True)


def headline(watch: Watch, states: list[CellState]) -> str:
    """Counts, rate and time left in one line."""
    number = counts(states)
    parts = [f"{number['complete']}/{len(states)} complete"]
    parts += [f"{number[name]} {name}" for name in ("running", "failed") if number[name]]
    if left := watch.seconds_left(states):
        parts.append(f"{watch.per_hour(states):.3g} runs/h, {duration(left)} left")
    return f"{watch.study.name}: {', '.join(parts)}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that matter, such as "3 h 20 min"."""
    for size, unit, part, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            whole, rest = divmod(round(seconds / part), size // part)
            return f"{whole} {unit} {rest} {smaller}"
    return f"{seconds:.0f} s"


def measured(state: CellState) -> str:
    """ELBO, density and step of one cell."""
    if state.status == "failed":
        return state.reason
    shown = {"elbo": "ELBO {:.2f}", "density": "density {:.3f}", "active_latents": "{:.0f} active"}
    parts = [text.format(state.values[k]) for k, text in shown.items() if k in state.values]
    return ", ".join(parts)


class _Lines:
    """One line for each run that ends, and one a minute for the whole."""

    def __init__(self, watch, console):
        self.watch, self.console = watch, console
        self.seen = None
        self.spoke = time.monotonic()

    def __call__(self, states):
        ended = {s.settings.name: s for s in states if s.status in ("complete", "failed")}
        new = [] if self.seen is None else [n for n in ended if n not in self.seen]
        if self.seen is None or new or time.monotonic() - self.spoke > _QUIET:
            for name in new:
                self._say(f"{ended[name].status}: {name}: {measured(ended[name])}")
            self._say(headline(self.watch, states))
            self.spoke = time.monotonic()
        self.seen = set(ended)

    def _say(self, line):
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)


def _table(watch, states):
    from rich.table import Table

    table = Table(title=headline(watch, states), title_justify="left", expand=True)
    for column in ("run", "step", "last values"):
        table.add_column(column, overflow="fold", ratio=2 if column == "run" else 1)
    ended = [s for s in states if s.status in ("complete", "failed")][-_LAST:]
    for state in [*ended, *(s for s in states if s.status == "running")]:
        style = {"failed": "red", "complete": "dim"}.get(state.status)
        step = f"{state.step:,} of {state.settings.n_steps:,}"
        table.add_row(state.settings.name, step, measured(state), style=style)
    return table
