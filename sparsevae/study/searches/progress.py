"""Where a search stands, for the process that holds its oracle."""

from sparsevae.study.cells.progress import CellState, Watch, last_row
from sparsevae.study.searches import trial as folders
from sparsevae.study.searches.gap import DENSE, known_gap
from sparsevae.study.searches.space import MAX_EPOCHS, run_settings
from sparsevae.study.searches.tuner import SparsityTuner


class SearchWatch(Watch):
    """Looks at the trials of a search; before there are any, at the dense run."""

    def __init__(self, tuner: SparsityTuner):
        shown = dict.fromkeys(("elbo", "density", "active_latents", *tuner.plan.objectives))
        super().__init__(tuner.folder.name, "trials", shown)
        self.tuner = tuner

    def states(self) -> list[CellState]:
        """State of each trial that has begun or ended, in their order."""
        gap = known_gap(self.tuner.folder)
        if gap is None:
            values = last_row(self.tuner.folder / DENSE)
            name = "dense model, to measure strength by"
            step = int(values.get("step", 0))
            return [CellState(name, self.tuner.base.n_steps, "running", step, values)]
        trials = sorted(self.tuner.oracle.trials.items())
        return [self._done.get(name) or self._look(name, trial, gap) for name, trial in trials]

    def planned(self) -> list[int]:
        """Steps of each trial."""
        full = self.tuner.base.n_steps * self.tuner.plan.n_seeds
        return [full * epochs // MAX_EPOCHS for epochs in self.tuner.oracle.planned_epochs()]

    def _look(self, trial_id, trial, gap):
        oracle, plan = self.tuner.oracle, self.tuner.plan
        folder = folders.trial_folder(self.tuner.folder, trial_id)
        settings = run_settings(trial.hyperparameters, self.tuner.base, plan, gap.nats)
        rows = [last_row(folder / f"seed_{seed}") for seed in range(plan.n_seeds)]
        values = next((row for row in reversed(rows) if row), {})
        ended = trial_id in oracle.end_order
        status, reason = folders.status(folder, plan.n_seeds)
        if not ended:
            running = any(trial_id == one.trial_id for one in list(oracle.ongoing_trials.values()))
            status, reason = ("running" if running else "waiting"), ""
        elif status == "complete":
            values = folders.values(folder, list(self.shown), plan.n_seeds)
        state = CellState(
            f"{folder.name}: {_in_words(trial.hyperparameters.values)}",
            settings.n_steps * plan.n_seeds,
            status,
            sum(int(row.get("step", 0)) for row in rows),
            values,
            reason,
            tested=status == "complete",
        )
        if ended:
            self._done[trial_id] = state
        return state


def _in_words(chosen):
    parts = (
        value if isinstance(value, str) else f"{name} {value:.3g}"
        for name, value in chosen.items()
        if not name.startswith("tuner/")  # Hyperband's own
    )
    return ", ".join(parts)
