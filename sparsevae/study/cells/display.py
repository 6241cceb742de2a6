"""A study or a search in the terminal: a live table, or plain lines where there is none."""

import contextlib
import time
from collections.abc import Callable, Iterator

from sparsevae.study.cells.progress import ENDED, CellState, Watch, counts

_QUIET = 60.0  # seconds between plain lines when no run ends
_LAST = 8  # runs that have ended, shown under those that run


@contextlib.contextmanager
def display(watch: Watch, live: bool = True) -> Iterator[Callable[[list[CellState]], None]]:
    """Yields a function that shows the states of all cells; to be called every second or so.

    Without `live` it prints lines on a terminal too, beside the progress bars of other parts.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not (live and console.is_terminal):
        yield _Lines(watch, console)
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as screen:
        yield lambda states: screen.update(_table(watch, states), refresh=True)


def headline(watch: Watch, states: list[CellState]) -> str:
    """Counts, rate and time left in one line."""
    number = counts(states)
    parts = [f"{number['complete']}/{len(watch.planned())} complete"]
    parts += [f"{number[name]} {name}" for name in ("running", "stopped", "failed") if number[name]]
    if left := watch.seconds_left(states):
        parts.append(f"{watch.per_hour(states):.3g} {watch.unit}/h, {duration(left)} left")
    return f"{watch.name}: {', '.join(parts)}"


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


def measured(watch: Watch, state: CellState) -> str:
    """ELBO, density and what else is shown of one cell; of a failed one the reason.

    While values are those of training it says so: they differ from the test's, as in tables.
    """
    if state.reason:
        return state.reason
    texts = {"elbo": "ELBO {:.2f}", "density": "density {:.3f}", "active_latents": "{:.0f} active"}
    known = [name for name in watch.shown if name in state.values]
    shown = ", ".join(texts.get(k, f"{k} {{:.4g}}").format(state.values[k]) for k in known)
    return f"training: {shown}" if shown and not state.tested else shown


class _Lines:
    """One line for each run that ends, and one a minute for the whole."""

    def __init__(self, watch, console):
        self.watch, self.console = watch, console
        self.seen = None
        self.spoke = time.monotonic()

    def __call__(self, states):
        ended = {s.name: s for s in states if s.status in ENDED}
        new = [] if self.seen is None else [n for n in ended if n not in self.seen]
        if self.seen is None or new or time.monotonic() - self.spoke > _QUIET:
            for name in new:
                self._say(f"{ended[name].status}: {name}: {measured(self.watch, ended[name])}")
            self._say(headline(self.watch, states))
            self.spoke = time.monotonic()
        self.seen = set(ended)

    def _say(self, line):
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)


def _table(watch, states):
    from rich.table import Table

    table = Table(title=headline(watch, states), title_justify="left", expand=True)
    for column, ratio in ((watch.unit[:-1], 2), ("step", 1), ("last values", 1)):
        table.add_column(column, overflow="fold", ratio=ratio)
    ended = [s for s in states if s.status in ENDED][-_LAST:]
    for state in [*ended, *(s for s in states if s.status == "running")]:
        style = {"failed": "red", "stopped": "yellow", "complete": "dim"}.get(state.status)
        step = f"{state.step:,} of {state.n_steps:,}"
        table.add_row(state.name, step, measured(watch, state), style=style)
    return table
