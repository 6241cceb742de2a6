"""What a run folder is to become: a run that begins, goes on, or goes on further than planned."""

import dataclasses
import subprocess
from importlib import metadata
from pathlib import Path

from sparsevae import records
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study.settings import RunSettings

FILE_NAME = "settings.json"
PACKAGES = ("sparsevae", "keras", "tensorflow", "tensorflow-probability", "numpy")
# all others decide what each step does
_MAY_CHANGE = {"n_steps", "metrics", "analyses", "cut_threshold"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run folder is to become.

    Attributes:
        settings: Of the run.
        n_steps_planned: Steps that the phases of sparsity are laid out for: `n_steps` of the
            settings that it was trained with first.
        changed: Whether `settings.json` does not say so yet.
    """

    settings: RunSettings
    n_steps_planned: int
    changed: bool


def read_plan(folder: Path, settings: RunSettings) -> Plan:
    """The plan of a run folder for these settings; nothing is written.

    Args:
        folder: Of the run; it need not exist.
        settings: What is wanted of it. Those of the run that it holds, but for `n_steps` and what
            is computed after training: `metrics`, `analyses` and `cut_threshold`.

    Raises:
        ValueError: if other settings differ, if `n_steps` is less than what has been trained, or
            if a complete run is to go on and its last checkpoint is missing.
    """
    if not (folder / FILE_NAME).exists():
        return Plan(settings, settings.n_steps, changed=True)
    content = records.read_json(folder / FILE_NAME)
    # settings that are younger than the file had their default
    found = dataclasses.asdict(RunSettings(**content["settings"]))
    wanted = dataclasses.asdict(settings)
    differing = {k: (found[k], v) for k, v in wanted.items() if found[k] != v}
    n_steps_planned = content.get("n_steps_planned", found["n_steps"])
    if not differing:
        return Plan(settings, n_steps_planned, changed=False)
    step = max(checkpoints(folder / "checkpoints"), default=0)
    _check_change(folder, settings, differing, step)
    return Plan(settings, n_steps_planned if step else settings.n_steps, changed=True)


def write_plan(folder: Path, plan: Plan) -> None:
    """Writes `settings.json` if it does not say so yet.

    The record of a complete run is set aside first: at no moment is there a record in its place
    that is not of the settings beside it.
    """
    if not plan.changed:
        return
    if records.is_complete(folder):
        records.set_record_aside(folder)
    path = folder / FILE_NAME
    began = records.read_json(path) if path.exists() else _began()
    settings = dataclasses.asdict(plan.settings)
    records.write_json(
        path, {**began, "settings": settings, "n_steps_planned": plan.n_steps_planned}
    )


def _check_change(folder, settings, differing, step):
    """Refuses what would not be the same run trained further, or scored anew."""
    others = [
        f"{k} was {a!r}, now {b!r}" for k, (a, b) in differing.items() if k not in _MAY_CHANGE
    ]
    if others:
        raise ValueError(
            f"{folder} holds a run of other settings: {'; '.join(others)}. "
            "Choose another name, or delete it"
        )
    if settings.n_steps < step:
        raise ValueError(
            f"`n_steps` must be at least {step}, the steps that {folder} has been trained for. "
            f"Received: n_steps={settings.n_steps}"
        )
    if records.is_complete(folder) and (done := records.read_record(folder)["step"]) != step:
        raise ValueError(
            f"{folder} can go on only from its checkpoint of step {done}, which is missing. "
            "Choose another name, or delete it"
        )


def _began():
    made_by = {name: metadata.version(name) for name in PACKAGES}
    return {"versions": made_by, "git_commit": _git_commit()}


def _git_commit():
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
