"""What searches and studies cost beside the training itself, and what a large study would take.

`python benchmarks/study.py --out benchmarks/results/study.json` measures on this machine:
(a) a trial of a search, a run and a bare `fit` of the same settings, one after another in one
process; (b) runs an hour of a study with one worker and with one on each core; (c) from the step
time in (b), the study of Locatello et al. 2019: 12,600 models of 300,000 steps.
"""

import dataclasses
import os
import statistics
import tempfile
import time
from importlib import metadata
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tyro

from sparsevae import records
from sparsevae.study import RunSettings, SearchPlan, make_study, sweep
from sparsevae.study.estimate import measured_cost
from sparsevae.study.gap import FILE_NAME as GAP
from sparsevae.study.studies import pick_cores

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
    n_steps: int = 500
    """Steps of a trial and of a run."""
    n_rounds: int = 3
    """Trials, runs and bare fits to compare."""
    n_cells: int = 4
    """Runs of the study, for each number of workers."""
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
    from sparsevae import data as data_sets
    from sparsevae.study import run, search
    from sparsevae.study.run import _set_up, build

    settings = base(arguments)
    plan = SearchPlan(
        "random", n_trials=arguments.n_rounds, gates=[settings.gate], betas=[settings.beta],
        places=[settings.where], learning_rates=(1e-3, 1e-3), stop_hopeless=False,
    )  # fmt: skip
    seconds: dict[str, list[float]] = {"fit": [], "run": [], "trial": []}
    _set_up(settings)
    data = data_sets.load(settings.data)
    for number in range(arguments.n_rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            vae = build(settings, data)
            batches = data.as_tf_dataset(settings.batch_size, settings.seed)
            vae.fit(batches, steps_per_epoch=settings.n_steps, verbose=0)
            fitted = time.perf_counter()
            run(plan.base(settings), folder)
            if number:  # the first round finds caches empty
                seconds["fit"].append(fitted - began)
                seconds["run"].append(time.perf_counter() - fitted)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, settings.name)
        records.write_json(place / GAP, {"collapsed": -200.0, "dense": -100.0})
        records.write_record(place / "dense", {"elbo": -100.0, "scores": {}})
        search(settings, plan, runs=folder, saved=Path(folder, "saved"), workers=1)
        state = records.read_json(place / "oracle.json")
        times = [
            path.stat().st_mtime for path in sorted(place.glob("trial_*/seed_0/settings.json"))
        ]
        ends = [path.stat().st_mtime for path in sorted(place.glob("trial_*/seed_0/record.json"))]
        assert len(state["end_order"]) == arguments.n_rounds
        # from one trial's first file to the next one's, then to the end of the last
        seconds["trial"] = [b - a for a, b in zip(times, [*times[1:], ends[-1]], strict=True)]
    return seconds


def rates(arguments) -> dict[int, dict[str, float]]:
    """Runs an hour, and cost of a run, by number of workers."""
    found = {}
    for workers in sorted({1, len(pick_cores(None))}):
        with tempfile.TemporaryDirectory() as folder:
            settings = dataclasses.asdict(base(arguments))
            fixed = {k: v for k, v in settings.items() if k not in ("name", "seed")}
            study = make_study(Path(folder, "s"), fixed, [{"seed": list(range(arguments.n_cells))}])
            began = time.perf_counter()
            sweep(study, workers)
            seconds = time.perf_counter() - began
            cost = measured_cost(study)
            found[workers] = {
                "runs_per_hour": 3600 * arguments.n_cells / seconds,
                "ms_per_step": 1e3 * cost.seconds_per_step,
                "seconds_besides": cost.seconds_besides,
                "megabytes": cost.bytes / 1e6,
            }
    return found


def main() -> None:
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    by_workers = rates(arguments)
    seconds = overhead(arguments)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(
        f"(a) {arguments.n_steps} steps: " + ", ".join(f"{n} {s:.2f} s" for n, s in medians.items())
    )
    for workers, rate in by_workers.items():
        print(
            f"(b) {workers} workers: {rate['runs_per_hour']:.1f} runs/h, {rate['ms_per_step']:.2f} "
            f"ms a step, {rate['seconds_besides']:.1f} s besides, {rate['megabytes']:.1f} MB a run"
        )
    workers, rate = max(by_workers.items())
    each = STEPS * rate["ms_per_step"] / 1e3 + rate["seconds_besides"]
    years = MODELS * each / workers / YEAR
    print(
        f"(c) {MODELS:,} models of {STEPS:,} steps on {workers} cores: {years:.1f} years, "
        f"{years * workers:.1f} core-years (published: {P100_YEARS} P100-years)"
    )
    records.write_json(
        arguments.out,
        {
            "arguments": {**dataclasses.asdict(arguments), "out": str(arguments.out)},
            "cores": os.cpu_count(),
            "versions": {n: metadata.version(n) for n in ("keras", "tensorflow", "keras-tuner")},
            "seconds": seconds,
            "by_workers": {str(k): v for k, v in by_workers.items()},
            "projected_years": years,
        },
    )


if __name__ == "__main__":
    main()
