"""What searches and studies cost beside the training itself, and what a large study would take.

`python benchmarks/study.py --out benchmarks/results/study.json` measures on this machine, each in
interleaved rounds: (a) a trial of a search, a run and a bare `fit` of the same settings, in one
process; (b) runs an hour of a study with one worker and with one on each core; (c) from the step
time in (b), the study of Locatello et al. 2019: 12,600 models of 300,000 steps.
"""

import collections
import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import result
import tyro

from sparsevae import records
from sparsevae.study import RunSettings, SearchPlan, make_study, sweep
from sparsevae.study.searches.gap import FILE_NAME as GAP
from sparsevae.study.sweeps.estimate import measured_cost
from sparsevae.study.sweeps.sweep import pick_cores

MODELS, STEPS, P100_YEARS = 12_600, 300_000, 2.52  # Locatello et al. 2019, section 5
YEAR = 365.25 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    data: str = "dsprites"
    precision: str = "float32"
    gate: str = "binary"
    metrics: tuple[str, ...] = ("mig", "sap", "dci_fast")
    batch_size: int = 64
    n_steps: int = 200
    """Steps of a trial and of a run."""
    n_rounds: int = 5
    n_cells: int = 2
    """Runs of the study in a round, for each number of workers."""
    out: Path = Path("benchmarks/results/study.json")


def base(arguments) -> RunSettings:
    """Settings of everything here."""
    return RunSettings(
        "search",
        data=arguments.data,
        precision=arguments.precision,
        gate=arguments.gate,
        metrics=list(arguments.metrics),
        batch_size=arguments.batch_size,
        n_steps=arguments.n_steps,
        checkpoint_every=max(arguments.n_steps // 10, 1),  # the median leaves compilation out
        n_threads=1,
    )


def overhead(arguments) -> dict[str, list[float]]:
    """Seconds of a bare fit, a run and a trial, by round; all in this process, on one thread."""
    # Loaded only now: the workers of `rates` begin without TensorFlow in their parent.
    from sparsevae.study import run
    from sparsevae.study.one.loading import load_data
    from sparsevae.study.one.training import build
    from sparsevae.study.searches.tuner import SparsityTuner

    settings = base(arguments)
    one = {"gates": [settings.gate], "betas": [settings.beta], "places": [settings.where]}
    rates = {"learning_rates": (1e-3, 1e-3), "gate_learning_rates": (1.0, 1.0)}
    data = load_data(settings)

    def fit(folder, number):
        vae = build(settings, data)
        batches = data.as_tf_dataset(settings.batch_size, settings.seed)
        vae.fit(batches, steps_per_epoch=settings.n_steps, verbose=0)

    def whole_run(folder, number):
        run(dataclasses.replace(settings, name=f"run_{number}"), folder)

    def trial(folder, number):
        """One more trial of a search that is taken up from its folder."""
        plan = SearchPlan("random", n_trials=number + 1, stop_hopeless=False, **one, **rates)
        SparsityTuner(plan.base(settings), plan, Path(folder, settings.name)).search()

    seconds = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        records.write_json(Path(folder, settings.name, GAP), {"collapsed": -200.0, "dense": -100.0})
        for number in range(arguments.n_rounds + 1):
            for measured in (whole_run, fit, trial):  # the run sets threads, before the first fit
                began = time.perf_counter()
                measured(folder, number)
                if number:  # the first round finds caches empty
                    seconds[measured.__name__].append(time.perf_counter() - began)
    return dict(seconds)


def rates(arguments) -> dict[int, list[dict[str, float]]]:
    """Runs an hour, and cost of a run, by number of workers and round."""
    found = collections.defaultdict(list)
    settings = dataclasses.asdict(base(arguments))
    fixed = {k: v for k, v in settings.items() if k not in ("name", "seed")}
    for _ in range(arguments.n_rounds):
        for workers in sorted({1, len(pick_cores(None))}):
            with tempfile.TemporaryDirectory() as folder:
                seeds = list(range(arguments.n_cells))
                study = make_study(Path(folder, "study"), fixed, [{"seed": seeds}])
                began = time.perf_counter()
                sweep(study, workers)
                seconds = time.perf_counter() - began
                cost = measured_cost(study)
            found[workers].append(
                {
                    "runs_per_hour": 3600 * arguments.n_cells / seconds,
                    "ms_per_step": 1e3 * cost.seconds_per_step,
                    "seconds_besides": cost.seconds_besides,
                    "megabytes": cost.bytes / 1e6,
                }
            )
    return dict(found)


def spread(values) -> str:
    """Least, median and largest."""
    return f"{min(values):.3g}, {statistics.median(values):.3g}, {max(values):.3g}"


def main() -> None:
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    by_workers = rates(arguments)
    seconds = overhead(arguments)
    print(f"(a) {arguments.n_steps} steps, {arguments.n_rounds} rounds; min, median, max")
    for name, values in seconds.items():
        beside = spread([v / f for v, f in zip(values, seconds["fit"], strict=True)])
        print(f"    {name}: {spread(values)} s; beside fit {beside}")
    costs = {}
    for workers, rounds in by_workers.items():
        columns = {k: [one[k] for one in rounds] for k in rounds[0]}
        costs[workers] = {k: statistics.median(values) for k, values in columns.items()}
        print(
            f"(b) {workers} workers: " + "; ".join(f"{k} {spread(v)}" for k, v in columns.items())
        )
    workers, cost = max(costs.items())
    each = STEPS * cost["ms_per_step"] / 1e3 + cost["seconds_besides"]
    years = MODELS * each / workers / YEAR
    print(
        f"(c) {MODELS:,} models of {STEPS:,} steps on {workers} cores: {years:.1f} years, "
        f"{years * workers:.1f} core-years (published: {P100_YEARS} P100-years)"
    )
    result.write(
        arguments,
        ("keras", "tensorflow", "keras-tuner"),
        seconds=seconds,
        by_workers={str(k): v for k, v in by_workers.items()},
        projected_years=years,
    )


if __name__ == "__main__":
    main()
