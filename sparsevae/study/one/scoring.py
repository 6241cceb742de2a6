"""Work on what a run left behind: scores, exports."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import keras

from sparsevae import export, metrics, records, sparsity
from sparsevae.data import ImageData
from sparsevae.models import SparseVAE
from sparsevae.study.one.loading import load_data
from sparsevae.study.settings import RunSettings


def load_run(folder: str | Path) -> tuple[SparseVAE, dict]:
    """Model and record of a complete run.

    Raises:
        FileNotFoundError: if the run is absent or not complete.
        ValueError: if record or model are damaged.
    """
    record, model = records.read_record(folder), Path(folder) / "model.keras"
    needed = ("name", "settings", "step", "data_source")
    if absent := [name for name in needed if name not in record]:
        raise ValueError(
            f"{folder}/record.json must be that of a run. Received: one without {absent[0]}"
        )
    settings_of(record, folder)
    if not zipfile.is_zipfile(model):
        state = "a damaged file" if model.is_file() else "no such file"
        raise ValueError(
            f"{model} must be the model that the run saved; started again without "
            f"record.json, it writes it anew. Received: {state}"
        )
    return keras.saving.load_model(model), record


def settings_of(record: dict, folder: str | Path) -> RunSettings:
    """Settings of a run or an exported model, from its record.

    Raises:
        ValueError: if they are none of today's; the message names the folder.
    """
    try:
        return RunSettings(**record["settings"])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The record in {folder} must have settings of a run. Received: {error}"
        ) from None


def score(
    folder: str | Path, names: Sequence[str] = ("all",), seed: int = 0, **options: int
) -> dict[str, float]:
    """Scores a run or an exported model on its data set; writes `scores.json` into the folder.

    Args:
        folder: `runs/NAME` or `saved_models/NAME`.
        names: Names of scores, or "all".
        seed: Of the images that are drawn.
        options: `n_samples` and `n_bootstrap` of `metrics.evaluate`.

    Raises:
        FileNotFoundError: if the folder is neither.
        ValueError: for an unknown metric, one that needs factors if the set has none, or a count
            that is too small.
    """
    folder = Path(folder)
    encode, data = encoder_and_data(folder)
    scores = metrics.evaluate(encode, data, metrics=names, seed=seed, **options)
    records.write_json(folder / "scores.json", scores)
    return scores


def encoder_and_data(folder: str | Path) -> tuple[Callable, ImageData]:
    """Callable from images to codes, and the data set that the model was trained on.

    Args:
        folder: `runs/NAME` or `saved_models/NAME`.

    Raises:
        FileNotFoundError: if the folder is neither.
        ValueError: if an export is damaged, or its card does not say which data it was.
    """
    folder = Path(folder)
    if (folder / "card.json").exists():
        encoder = export.load(folder)
        encode, record = encoder.encode, encoder.card
        if not {"settings", "data_source"} <= record.keys():
            raise ValueError(f"{folder}/card.json does not say which data the model was trained on")
    else:
        vae, record = load_run(folder)
        encode = vae.codes
    return encode, load_data(settings_of(record, folder), record["data_source"])


def export_run(run: str | Path, to: str | Path, **options) -> Path:
    """Exports the model of a complete run; `options` as of `export.save`."""
    vae, record = load_run(run)
    return export.save(vae, to, record=record, **options)


def compare_encoders(run: str | Path, exported: str | Path) -> str:
    """A line on how much smaller and faster an exported encoder is than its run's."""
    vae, _ = load_run(run)
    small = keras.saving.load_model(Path(exported) / "model.keras")
    found = sparsity.compare(vae.encoder, small.encoder)
    rows = found.totals.loc[["parameters", "ms, batch 1", "ms, batch 256"]]
    digits = {"parameters": 0}
    parts = [
        f"{row.before:,.{digits.get(name, 2)}f} -> {row.after:,.{digits.get(name, 2)}f} {name}"
        for name, row in rows.iterrows()
    ]
    return f"Smaller: {'; '.join(parts)}; codes within {found.largest_difference:.0e}"
