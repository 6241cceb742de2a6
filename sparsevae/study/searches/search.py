"""A search from beginning to end: alone, as a chief with workers, or as a worker."""

import dataclasses
from pathlib import Path

import grpc

from sparsevae import records
from sparsevae.study.cells.claims import claim
from sparsevae.study.cells.display import display
from sparsevae.study.cells.worker import pick_cores
from sparsevae.study.searches import service
from sparsevae.study.searches.local import local_workers
from sparsevae.study.searches.plan import SearchPlan
from sparsevae.study.searches.progress import SearchWatch
from sparsevae.study.searches.result import SearchResult, conclude
from sparsevae.study.searches.tuner import SparsityTuner
from sparsevae.study.settings import RunSettings

SETTINGS = "search.json"
WORK = f"{__name__}:work"  # what a worker process does
_MAY_CHANGE = ("n_trials", "n_best")


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
        settings: What all trials share; `gate`, `where`, `control`, `strength` or
            `target_density`, `beta` and `learning_rate` are the search's. The name is that of the
            search.
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
            with local_workers(tuner, cores, WORK) as tend:

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
