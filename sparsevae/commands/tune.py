"""Search for gates and their price: `sparsevae tune --data dsprites --budget small`."""

import dataclasses
from typing import Literal

import tyro

from sparsevae.commands import running
from sparsevae.commands.pages import page_line
from sparsevae.commands.running import quiet_tensorflow
from sparsevae.study import RunSettings, SearchPlan
from sparsevae.study.searches.plan import BUDGETS


@dataclasses.dataclass(frozen=True)
class Arguments(SearchPlan, RunSettings):
    """Search over gates and their price. The same command again goes on where it stopped."""

    name: str = "search"
    """Folder of the search, under runs/, and of the best model, under saved_models/."""
    budget: Literal["small", "medium", "large"] = "small"
    """10 trials of 2,000 steps, 40 of 10,000, or 120 of 30,000."""
    n_trials: int | None = None
    """Trials, instead of the budget's; hyperband finds its own number."""
    n_steps: int | None = None
    """Training steps of a trial, instead of the budget's."""
    n_threads: int = 1
    """CPU threads of a process."""
    gate: tyro.conf.Suppress[str] = "hard_concrete"
    where: tyro.conf.Suppress[str] = "both"
    control: tyro.conf.Suppress[str] = "strength"
    strength: tyro.conf.Suppress[float] = 100.0
    target_density: tyro.conf.Suppress[float] = 0.1
    bound: tyro.conf.Suppress[float | None] = None
    beta: tyro.conf.Suppress[float] = 1.0
    learning_rate: tyro.conf.Suppress[float] = 1e-3
    runs: str = "runs"
    """Folder that holds the search's folder."""
    saved: str = "saved_models"
    """Folder that gets the best models."""
    workers: int | None = None
    """Processes, one core each; all cores by default, 1 stays in one process."""
    patience: float = 60.0
    """Seconds of silence after which a worker on another machine counts as lost."""
    tensorboard: bool = False
    """Write curves and hyperparameters for TensorBoard into the search's folder."""
    report: bool = True
    """End by writing report.html into the search's folder, where the extra `report` is
    installed."""

    def __post_init__(self):
        """Leaves the checks to the parts, whose errors are one line and not tyro's frame."""

    def parts(self) -> tuple[RunSettings, SearchPlan]:
        """Run settings and plan, checked."""
        n_trials, n_steps = BUDGETS[self.budget]
        budget = {"n_trials": self.n_trials or n_trials, "n_steps": self.n_steps or n_steps}
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        given |= budget
        settings, plan = (
            {field.name: given[field.name] for field in dataclasses.fields(part)}
            for part in (RunSettings, SearchPlan)
        )
        checked = SearchPlan(**plan)
        searched = {name: getattr(RunSettings, name) for name in checked.searched}
        return RunSettings(**{**settings, **searched, "control": checked.over}), checked


def tune() -> None:
    """Parses, searches, prints the front."""
    arguments = tyro.cli(Arguments, description=__doc__)
    settings, plan = arguments.parts()
    with quiet_tensorflow():  # only once the arguments are right
        from sparsevae.study import search
        from sparsevae.study.one.summary import search_summary

    places = {"runs": arguments.runs, "saved": arguments.saved}
    how = {name: getattr(arguments, name) for name in ("workers", "patience", "tensorboard")}
    result = search(settings, plan, **places, **how)
    folder = f"{arguments.runs}/{settings.name}"
    print(search_summary(result, folder, plan.objectives), flush=True)
    if result is not None and (line := page_line(folder, arguments.report)):
        print(line)


def main() -> None:
    """The command, with its errors as one line."""
    running.main(tune)
