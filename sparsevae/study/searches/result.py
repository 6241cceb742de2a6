"""What a search found: table, front, picture, exported models."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from sparsevae import plots, records
from sparsevae.study.cells.hparams import write_hparams
from sparsevae.study.one.scoring import export_run
from sparsevae.study.searches import trial as folders
from sparsevae.study.searches.front import knee_first, pareto_front
from sparsevae.study.searches.gap import Gap, known_gap
from sparsevae.study.searches.plan import sign
from sparsevae.study.searches.space import MULTIPLIER, run_settings
from sparsevae.study.searches.tuner import SparsityTuner

TABLE, PICTURE = "trials.parquet", "front.png"


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        trials: One row for each trial: `trial`, `status`, what was varied (strengths also as
            `strength_in_gaps`), ELBO, density and all objectives (means over seeds), `on_front`,
            `reason`.
        gap: The ELBOs between which strengths are measured.
        exported: Folders of the exported models, the best first.
    """

    trials: pd.DataFrame
    gap: Gap
    exported: list[Path]

    @property
    def front(self) -> pd.DataFrame:
        """Trials on the front."""
        return self.trials[self.trials["on_front"]]


def conclude(tuner: SparsityTuner, saved: Path) -> SearchResult:
    """Table, picture and exports of all trials so far."""
    gap = known_gap(tuner.folder)
    trials = trials_table(tuner, gap)
    names = tuner.plan.objectives
    done = trials[trials["status"] == "complete"]
    if done.empty:
        last = trials["reason"].iloc[-1] if len(trials) else "there was none"
        raise RuntimeError(f"No trial of {tuner.folder} was completed. The last: {last}")
    with records.atomic_file(tuner.folder / TABLE) as temporary:
        trials.to_parquet(temporary, index=False)
    dense = records.read_record(tuner.folder / "dense")
    figure = plots.front(
        done,
        names,
        done["on_front"].to_numpy(),
        over="strength_in_gaps" if tuner.plan.over == "strength" else tuner.plan.over,
        marks={"dense": folders.of_record({"density": 1.0, **dense}, names)},
    )
    with records.atomic_file(tuner.folder / PICTURE) as temporary:
        figure.savefig(temporary)
    if tuner.tensorboard:
        _write_hparams(tuner, trials)
    return SearchResult(trials, gap, _export(tuner, done, saved))


def trials_table(tuner: SparsityTuner, gap: Gap) -> pd.DataFrame:
    """One row for each trial, see `SearchResult`."""
    n_seeds, names = tuner.plan.n_seeds, tuner.plan.objectives
    measured = _measured(tuner.plan)
    rows = []
    for trial_id, trial in sorted(tuner.oracle.trials.items()):
        folder = folders.trial_folder(tuner.folder, trial_id)
        settings = run_settings(trial.hyperparameters, tuner.base, tuner.plan, gap.nats)
        state, reason = folders.status(folder, n_seeds)
        found = folders.values(folder, measured, n_seeds) if state == "complete" else {}
        rows.append(
            {
                "trial": trial_id,
                "status": state,
                **_in_gaps(tuner.plan, settings, gap),
                **{field: getattr(settings, field) for field in tuner.plan.searched},
                MULTIPLIER: settings.gate_options[MULTIPLIER],
                "n_steps": settings.n_steps,
                **{name: found.get(name, np.nan) for name in measured},
                "reason": reason,
            }
        )
    table = pd.DataFrame(rows)
    table["on_front"] = pareto_front(_costs(table, names)) if len(table) else []
    return table


def _in_gaps(plan, settings, gap):
    return {"strength_in_gaps": settings.strength / gap.nats} if plan.over == "strength" else {}


def _measured(plan):
    """Objectives and what is always of interest."""
    return list(dict.fromkeys([*plan.objectives, "elbo", "density", "kl", "active_latents"]))


def _write_hparams(tuner, trials):
    known = ["strength_in_gaps", *tuner.plan.searched, MULTIPLIER]
    chosen = [name for name in known if name in trials]
    for row in trials[trials["status"] == "complete"].to_dict("records"):
        write_hparams(
            folders.trial_folder(tuner.folder, row["trial"]),
            {name: row[name] for name in chosen},
            {name: row[name] for name in _measured(tuner.plan)},
            row["n_steps"],
        )


def _costs(table, names):
    return table[names].to_numpy(float) * np.array([sign(name) for name in names])


def _export(tuner, done, saved):
    plan = tuner.plan
    best = knee_first(_costs(done, plan.objectives))[: plan.n_best]
    exported = []
    for rank, number in enumerate(best, start=1):
        folder = folders.trial_folder(tuner.folder, done["trial"].iloc[number])
        first = plan.objectives[0]
        run = folders.best_seed(folder, first, sign(first), plan.n_seeds)
        name = tuner.folder.name if plan.n_best == 1 else f"{tuner.folder.name}_{rank}"
        exported.append(export_run(run, saved / name, overwrite=True))
    return exported
