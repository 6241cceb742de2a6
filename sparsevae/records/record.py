"""The record of one run, and many of them as one table."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsevae.records.files import read_json, rename_file, write_json

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "record.json"
_SHORT = {"scores": "score", "densities": "density", "analyses": "analysis"}
_RENAMED_SCORES = {"active_latents": "spread_latents"}  # the former is the model's count, by KL


def write_record(folder: str | Path, record: dict[str, Any]) -> None:
    """Writes the record of a run, last of all its files: from then on the run is complete.

    Args:
        folder: Folder of the run; made if missing.
        record: Nested dict with string keys, of values that `write_json` takes.

    Raises:
        TypeError: if `record` is not a dict or holds what JSON cannot.
        OSError: as `atomic_file`.
    """
    if not isinstance(record, dict):
        raise TypeError(f"`record` must be a dict. Received: {type(record).__name__}")
    write_json(Path(folder, FILE_NAME), record)


def read_record(folder: str | Path) -> dict[str, Any]:
    """The record of a complete run.

    Args:
        folder: Folder of the run.

    Returns:
        Nested dict as written, with lists for arrays and None for NaN and infinities. Of an older
        record, `scores` under the names of today: `spread_latents` was `active_latents`.

    Raises:
        FileNotFoundError: if the run is not complete or not there.
        ValueError: if the record is damaged; the message names the file.
    """
    if not is_complete(folder):
        state = "a run that is not complete" if Path(folder).is_dir() else "no folder"
        raise FileNotFoundError(
            f"`folder` must hold {FILE_NAME}, which a run writes last. Received: {folder}, {state}"
        )
    record = read_json(Path(folder, FILE_NAME))
    if not isinstance(record, dict):
        raise ValueError(
            f"{FILE_NAME} must hold a dict. Received: {type(record).__name__} in {folder}"
        )
    if isinstance(scores := record.get("scores"), dict):
        record["scores"] = {_RENAMED_SCORES.get(name, name): v for name, v in scores.items()}
    return record


def is_complete(folder: str | Path) -> bool:
    """Whether the run in `folder` has finished: its record is there."""
    return Path(folder, FILE_NAME).is_file()


def set_record_aside(folder: str | Path) -> Path:
    """Makes a run that is to go on incomplete; its record is kept as `record_STEP.json`.

    Args:
        folder: Folder of a complete run whose record has a `step`.

    Returns:
        Where the record is now.

    Raises:
        FileNotFoundError: if the run is not complete.
    """
    aside = Path(folder, f"record_{read_record(folder)['step']}.json")
    rename_file(Path(folder, FILE_NAME), aside)
    return aside


def read_records(parent: str | Path) -> "pd.DataFrame":
    """Table of the complete runs directly under a folder; runs without a record are left out.

    Args:
        parent: Folder of run folders, such as `runs`.

    Returns:
        DataFrame, one row per run in the order of the folder names, which are the index `run`;
        columns as of `flat_record`. No rows if no run is complete.

    Raises:
        FileNotFoundError: if `parent` is not a folder.
        ValueError: if a record is damaged, or two of its entries get the same column.
    """
    import pandas as pd  # half a second, and those who read JSON do not need it

    parent = Path(parent)
    if not parent.is_dir():
        raise FileNotFoundError(f"`parent` must be a folder of runs. Received: {parent}")
    folders = [f for f in sorted(parent.iterdir()) if f.name[0] != "." and is_complete(f)]
    rows = [flat_record(read_record(folder), folder.name) for folder in folders]
    return pd.DataFrame(rows, index=pd.Index([f.name for f in folders], name="run", dtype=object))


def flat_record(record: dict[str, Any], run: str) -> dict[str, Any]:
    """A record as one row of a table: all tables of runs have these columns.

    Names of nested entries are joined by underscores: `score_mig`, `density_LAYER`. Settings have
    their own names; of one that the record has an entry for, such as `data_source`, what was used
    is given and not what was asked for. Lists, and settings that are dicts, become JSON; null
    becomes NaN; the record's own `name` is left out.

    Args:
        record: As of `read_record`.
        run: What it is called in errors.

    Raises:
        ValueError: if two entries get the same column.
    """
    row: dict[str, Any] = {}
    for key, value in record.items():
        if key == "name":
            continue
        of_settings = key == "settings" and isinstance(value, dict)
        parts = (
            [{k: _cell(item)} for k, item in value.items() if k not in ("name", *record)]
            if of_settings
            else [_flat(_SHORT.get(key, key), value)]
        )
        for part in parts:
            if clash := row.keys() & part.keys():
                raise ValueError(
                    f"A record must not name a column twice. Received: {sorted(clash)} in {run}"
                )
            row |= part
    return row


def _flat(name, value):
    if not isinstance(value, dict):
        return {name: _cell(value)}
    parts = [_flat(f"{name}_{key}", item) for key, item in value.items()]
    return {key: item for part in parts for key, item in part.items()}


def _cell(value):
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True)
    return float("nan") if value is None else value
