"""What there is to say about a study before, while and after it runs, as text."""

from sparsevae import records
from sparsevae.study.cells.display import duration, headline, measured
from sparsevae.study.cells.progress import counts
from sparsevae.study.cells.worker import pick_cores
from sparsevae.study.sweeps.estimate import Cost, measured_cost, probed_cost
from sparsevae.study.sweeps.grid import Study
from sparsevae.study.sweeps.progress import StudyWatch
from sparsevae.study.sweeps.table import means, study_table, write_table


def status(study: Study) -> str:
    """Counts, then a line for each cell that runs or has failed."""
    watch = StudyWatch(study)
    states = watch.states()
    lines = [headline(watch, states), f"  in {study.folder}"]
    for state in states:
        if state.status in ("running", "failed"):
            step = f"step {state.step:,} of {state.n_steps:,}"
            lines.append(f"  {state.status}: {state.name}: {step}: {measured(watch, state)}")
    return "\n".join(lines)


def table(study: Study) -> str:
    """Writes the Parquet table; returns where it is, the means over seeds and the failures."""
    if not study.folder.is_dir():
        raise FileNotFoundError(f"{study.folder} is not there: no run of this study has begun")
    path = write_table(study)
    found = study_table(study)
    done = found["status"] == "complete"
    lines = [f"{path}: {len(found)} of {len(study.cells)} runs, {len(found.columns)} columns"]
    if done.any():
        shown = means(found, study.varied)
        lines.append("means of complete runs; ELBO, KL and active latents are those of the test")
        lines.append(shown.to_string(index=False, float_format="{:.4g}".format))
    for row in found[~done].to_dict("records"):
        lines.append(f"failed: {row['run']}: {row['reason']}")
    return "\n".join(lines)


def estimate(study: Study, workers: int | None = None) -> str:
    """How many runs, how long and how much disk it will take; measures one run if none is there."""
    n_workers = len(pick_cores(workers))
    states = StudyWatch(study).states()
    number = counts(states)
    left = [state for state in states if state.status in ("waiting", "running")]
    names = [name for name in ("complete", "running", "failed") if number[name]]
    besides = "".join(f", {number[name]} {name}" for name in names)
    lines = [f"{study.name}: {len(states)} runs{besides}; {number['waiting']} to do"]
    if left:
        first = next(cell for cell in study.cells if cell.name == left[0].name)
        cost = measured_cost(study) or probed_cost(first)
        lines += _costs(cost, left, n_workers, study)
    return "\n".join(lines)


def _costs(cost: Cost, left, n_workers, study):
    steps = sum(state.n_steps - state.step for state in left)
    seconds = (steps * cost.seconds_per_step + len(left) * cost.seconds_besides) / n_workers
    free = records.free_bytes(study.folder)
    return [
        f"time: {duration(seconds)} on {n_workers} cores: {steps:,} steps of "
        f"{1e3 * cost.seconds_per_step:.3g} ms and {cost.seconds_besides:.3g} s besides for each "
        f"run ({cost.source})",
        f"disk: {len(left) * cost.bytes / 1e9:.3g} GB, {cost.bytes / 1e6:.3g} MB for each run; "
        f"{free / 1e9:.3g} GB are free",
    ]
