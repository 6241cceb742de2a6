"""One trial of a search: its models, their values, what became of it."""

from pathlib import Path

import numpy as np

from sparsevae import metrics, records
from sparsevae.checks import check_choice
from sparsevae.study.cells.cell import failure
from sparsevae.study.cells.progress import last_row
from sparsevae.study.one.loading import load_data
from sparsevae.study.settings import RunSettings

UDR = "udr.json"
_N_IMAGES = 1_000


def trial_folder(folder: str | Path, trial_id: str) -> Path:
    """Folder of a trial, in that of the search; holds `seed_0`, `seed_1`, …"""
    return Path(folder, f"trial_{trial_id}")


def status(folder: Path, n_seeds: int) -> tuple[str, str]:
    """ "complete", "stopped", "failed" or "running", and the reason of what is not complete."""
    for seed in range(n_seeds):
        if noted := failure(folder / f"seed_{seed}"):
            return ("stopped" if noted["stopped"] else "failed"), noted["reason"]
    complete = all(records.is_complete(folder / f"seed_{seed}") for seed in range(n_seeds))
    return ("complete" if complete else "running"), ""


def values(folder: Path, names: list[str], n_seeds: int) -> dict[str, float]:
    """Measurements of a complete trial by name, means over its models; NaN where there is none."""
    per_seed = [of_record(records.read_record(folder / f"seed_{s}"), names) for s in range(n_seeds)]
    found = {name: float(np.mean([one[name] for one in per_seed])) for name in names}
    if (folder / UDR).exists():
        found["udr"] = records.read_json(folder / UDR)["udr"]
    return found


def of_record(record: dict, names: list[str]) -> dict[str, float]:
    """Values of one record by name, wherever they stand in it; NaN where there is none."""
    everywhere = {**record["scores"], **record}
    found = {name: everywhere.get(name) for name in names}
    return {name: np.nan if value is None else float(value) for name, value in found.items()}


def check_objectives(folder: Path, names: list[str]) -> None:
    """Refuses objectives that a complete trial has not measured.

    Raises:
        ValueError: naming the nearest value that there is.
    """
    record = records.read_record(folder / "seed_0")
    known = {**record["scores"], **record, "udr": 0.0}
    for name in names:
        check_choice("objectives", name, [k for k, v in known.items() if isinstance(v, float)])


def last_values(folder: Path, names: list[str]) -> dict[str, float]:
    """Values in the last row of the history of a trial that was ended early, as far as known."""
    row = last_row(folder / "seed_0")
    return {name: float(row[name]) for name in names if name in row}


def measure_udr(folder: Path, settings: RunSettings, n_seeds: int) -> None:
    """Writes `udr.json`: agreement of the trial's models on 1,000 images, without labels."""
    # Loaded only where used: the models need TensorFlow.
    import keras

    from sparsevae import objectives

    data = load_data(settings)
    images = data.images(data.draw(_N_IMAGES, np.random.default_rng(0)))
    codes, kls = [], []
    for seed in range(n_seeds):
        vae = keras.saving.load_model(folder / f"seed_{seed}" / "model.keras")
        posterior = vae.encode(images)
        codes.append(posterior.mean().numpy())
        kls.append(objectives.kl_per_latent(posterior, vae.prior).numpy().mean(axis=0))
    scores = metrics.udr(codes, kls).model_scores
    records.write_json(folder / UDR, {"udr": float(scores.mean()), "models": scores})


def best_seed(folder: Path, objective: str, sign: int, n_seeds: int) -> Path:
    """Run folder of the trial's best model by one objective."""
    if objective == "udr":
        costs = [-score for score in records.read_json(folder / UDR)["models"]]
    else:
        found = (records.read_record(folder / f"seed_{seed}") for seed in range(n_seeds))
        costs = [sign * of_record(record, [objective])[objective] for record in found]
    return folder / f"seed_{int(np.argmin(costs))}"
