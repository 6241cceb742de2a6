"""What a run costs, measured on complete runs or on a short one made for the purpose."""

import dataclasses
import statistics
import tempfile
from pathlib import Path

from sparsevae import records
from sparsevae.study.cells import worker
from sparsevae.study.cells.cell import TIMING, failure
from sparsevae.study.settings import RunSettings
from sparsevae.study.sweeps.grid import Study
from sparsevae.study.sweeps.sweep import WORK

N_PROBE = 40  # steps, twice: the first ones hold the compilation


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one run.

    Attributes:
        seconds_per_step: Of training.
        seconds_besides: Start, scores, pictures, files.
        bytes: On disk.
        source: How it was measured, in words.
    """

    seconds_per_step: float
    seconds_besides: float
    bytes: float
    source: str


def measured_cost(study: Study) -> Cost | None:
    """Median cost of the complete runs of a study; None if there is none."""
    folders = [study.folder / cell.name for cell in study.cells]
    folders = [folder for folder in folders if records.is_complete(folder)]
    costs = [_cost(folder, "") for folder in folders if (folder / TIMING).exists()]
    if not costs:
        return None
    median = {
        field: statistics.median(getattr(cost, field) for cost in costs)
        for field in ("seconds_per_step", "seconds_besides", "bytes")
    }
    return Cost(**median, source=f"median of {len(costs)} complete runs")


def probed_cost(settings: RunSettings) -> Cost:
    """Cost of a run by these settings, cut to a few steps, alone on one core of this machine.

    Raises:
        RuntimeError: if that run fails, with its reason.
    """
    n_steps = N_PROBE * settings.steps_per_execution
    short = dataclasses.replace(settings, n_steps=2 * n_steps, checkpoint_every=n_steps)
    with tempfile.TemporaryDirectory(prefix="sparsevae-") as folder:
        study = Study(Path(folder), (short,), ())
        core, log = worker.pick_cores(1)[0], Path(folder, "log")
        process = worker.start(WORK, study, False, core=core, log=log)
        process.join()
        run = Path(folder, short.name)
        if not records.is_complete(run):
            noted = failure(run)
            reason = noted["reason"] if noted else f"exit code {process.exitcode}"
            raise RuntimeError(f"A probe of {short.n_steps} steps failed: {reason}")
        source = f"a probe of {short.n_steps} steps alone on one core; several share its memory"
        return _cost(run, source)


def _cost(folder, source):
    timing = records.read_json(folder / TIMING)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Cost(timing["seconds_per_step"], timing["seconds_besides"], size, source)
