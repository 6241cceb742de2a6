"""A search from beginning to end: trials, table, front, picture, exports."""

import collections
import dataclasses
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pandas as pd

from sparsevae import plots, records
from sparsevae.study import service, worker
from sparsevae.study import trial as folders
from sparsevae.study.claims import claim
from sparsevae.study.display import display
from sparsevae.study.front import knee_first, pareto_front
from sparsevae.study.gap import Gap, known_gap
from sparsevae.study.hparams import write_hparams
from sparsevae.study.hypermodel import MULTIPLIER, run_settings
from sparsevae.study.plan import SEARCHED, SearchPlan, sign
from sparsevae.study.scoring import export_run
from sparsevae.study.search_progress import SearchWatch
from sparsevae.study.settings import RunSettings
from sparsevae.study.studies import LOGS, pick_cores
from sparsevae.study.tuner import SparsityTuner

TABLE, PICTURE, SETTINGS = "trials.parquet", "front.png", "search.json"
MAX_DEATHS = 3  # of one worker
_MAY_CHANGE = ("n_trials", "n_best")


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        trials: One row for each trial: `trial`, `status`, what was varied, `strength_in_gaps`,
            ELBO, density and all objectives (means over seeds), `on_front`, `reason`.
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


def search(
    settings: RunSettings,
    plan: SearchPlan | None = None,
    *,
    runs: str | Path = "runs",
    saved: str | Path = "saved_models",
    workers: int | None = None,
    patience: float = 60.0,
    tensorboard: bool = False,
) -> SearchResult | None:
    """Searches over gates and their price; starting it again goes on where it stopped.

    Runs as one process for each core of this machine. With KerasTuner's environment variables
    (`KERASTUNER_TUNER_ID`, "chief" or any other name, `KERASTUNER_ORACLE_IP` and
    `KERASTUNER_ORACLE_PORT`) this process is the chief or one worker of many, on machines that
    share the folder `runs`.

    Args:
        settings: What all trials share; `gate`, `where`, `strength`, `beta` and `learning_rate`
            are the search's. The name is that of the search.
        plan: What varies, and towards what.
        runs: Folder of the search's folder.
        saved: Folder that gets the best models.
        workers: Processes; 1 stays in this one.
        patience: Seconds of silence after which a worker counts as lost.
        tensorboard: Whether to write curves and, at the end, hyperparameters for TensorBoard
            (`tensorboard --logdir` on the search's folder).

    Returns:
        The result; None from a worker of a chief elsewhere.

    Raises:
        ValueError: if the folder holds another search.
        RuntimeError: if a run fails other than by diverging, or no trial was completed.
    """
    plan = plan or SearchPlan()
    base, folder = plan.base(settings), Path(runs, settings.name)
    _claim(folder, base, plan)
    role = service.role()
    if role == "worker":
        work(base, plan, folder, tensorboard)
        return None
    tuner = SparsityTuner(base, plan, folder, tensorboard)
    _run(tuner, role, pick_cores(workers), patience)
    return conclude(tuner, Path(saved))


def _run(tuner, role, cores, patience):
    """Runs all trials here, or has them run."""
    watch = SearchWatch(tuner)
    alone = role == "alone" and len(cores) == 1
    with display(watch, live=not alone) as show:

        def look(*_):
            show(watch.states())

        if alone:
            look()
            tuner.oracle.announce = look
            tuner.search()
        elif role == "chief":
            service.serve(tuner.oracle, tuner.folder, service.chief_address(), patience, look)
        else:
            with _local_workers(tuner, cores) as tend:

                def tend_and_look(port):
                    tend(port)
                    look()

                service.serve(tuner.oracle, tuner.folder, "127.0.0.1:0", patience, tend_and_look)
        look()


def work(base: RunSettings, plan: SearchPlan, folder: Path, tensorboard: bool = False) -> None:
    """Runs trials for the chief that the environment names, until there are no more.

    KerasTuner's client waits for an hour for a chief that is not there yet, or not any more.

    Raises:
        RuntimeError: if the chief does not come.
    """
    address = service.chief_address()
    print(f"Taking trials from the chief at {address}; waiting for it if need be", flush=True)
    try:
        tuner = SparsityTuner(base, plan, folder, tensorboard)
        service.beat(folder, tuner.tuner_id)
        tuner.search()
    except grpc.RpcError as error:
        raise RuntimeError(
            f"The chief at {address} no longer answers ({error.code().name}). "
            "Start this worker again when it is back: its trial goes on from its checkpoint"
        ) from None


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
                "strength_in_gaps": settings.strength / gap.nats,
                **{field: getattr(settings, field) for field in SEARCHED},
                MULTIPLIER: settings.gate_options[MULTIPLIER],
                "n_steps": settings.n_steps,
                **{name: found.get(name, np.nan) for name in measured},
                "reason": reason,
            }
        )
    table = pd.DataFrame(rows)
    table["on_front"] = pareto_front(_costs(table, names)) if len(table) else []
    return table


def _measured(plan):
    """Objectives and what is always of interest."""
    return list(dict.fromkeys([*plan.objectives, "elbo", "density", "kl", "active_latents"]))


def _write_hparams(tuner, trials):
    chosen = ["strength_in_gaps", *SEARCHED, MULTIPLIER]
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


def _claim(folder, base, plan):
    """Writes search.json, or checks that the folder belongs to this search."""
    wanted = {"settings": dataclasses.asdict(base), "plan": dataclasses.asdict(plan)}
    path = folder / SETTINGS
    with claim(folder, SETTINGS, wait=0.1):
        if not path.exists():
            records.write_json(path, wanted)
            return
    found = records.read_json(path)
    plain = {part: {k: _plain(v) for k, v in wanted[part].items()} for part in wanted}
    differing = [
        f"{field} was {found[part].get(field)!r}, now {value!r}"
        for part in plain
        for field, value in plain[part].items()
        if field in found[part] and found[part][field] != value and field not in _MAY_CHANGE
    ]
    if differing:
        raise ValueError(
            f"{folder} holds another search: {'; '.join(differing)}. Choose another name, or "
            "delete it"
        )


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


@contextmanager
def _local_workers(tuner, cores) -> Iterator:
    """Worker processes of this machine, replaced when they die; yields what tends them."""
    at: dict[int, multiprocessing.process.BaseProcess] = {}
    deaths: collections.Counter[int] = collections.Counter()

    def tend(port):
        for core in cores:
            process = at.get(core)
            if process and (process.is_alive() or process.exitcode == 0):
                continue
            log = tuner.folder / LOGS / f"worker-{core}.log"
            if process:
                deaths[core] += 1
                if deaths[core] == MAX_DEATHS:
                    raise RuntimeError(f"A worker died {MAX_DEATHS} times; the end of its log: "
                                       f"{_last_line(log)}")  # fmt: skip
            environment = {
                "KERASTUNER_TUNER_ID": f"tuner{core}",
                "KERASTUNER_ORACLE_IP": "127.0.0.1",
                "KERASTUNER_ORACLE_PORT": str(port),
            }
            arguments = (tuner.base, tuner.plan, tuner.folder, tuner.tensorboard, core, log)
            at[core] = worker.start(worker.search, *arguments, environment=environment)

    try:
        yield tend
        for process in at.values():
            process.join(10)
    finally:
        for process in at.values():
            process.terminate()
            process.join()


def _last_line(log):
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"
