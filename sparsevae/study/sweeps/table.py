"""Results of a study as one flat table, one row for each run."""

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any

import pandas as pd

from sparsevae import records
from sparsevae.study.cells.cell import failure
from sparsevae.study.settings import RunSettings
from sparsevae.study.sweeps.grid import Study

FILE_NAME = "table.parquet"
_PLAIN = {int: "int64", float: "float64", bool: "bool", str: "string"}


def study_table(study: Study) -> pd.DataFrame:
    """All runs of a study that have ended, in run order.

    Columns: `run` (its folder) and `status`, "complete" or "failed"; every field of
    `RunSettings` under its own name, lists and dicts as JSON; what was measured, such as `elbo`,
    `kl`, `density`, `density_LAYER`, `score_mig`; `reason` of a failure. Measurements of a failed
    run are NaN. Nothing in it depends on when or where a run was done.
    """
    rows = []
    for settings in study.cells:
        folder = study.folder / settings.name
        if records.is_complete(folder):
            rows.append(_row(settings, "complete", records.read_record(folder)))
        elif noted := failure(folder):
            rows.append(_row(settings, "failed", {}) | {"reason": noted["reason"]})
    columns = list(dict.fromkeys(["run", "status", *setting_columns(), *_names(rows)]))
    table = pd.DataFrame(rows, columns=columns)
    kinds = {"run": "string", "status": "string", "reason": "string", **setting_columns()}
    return table.astype({k: kind for k, kind in kinds.items() if k in table})


def write_table(study: Study) -> Path:
    """Writes `table.parquet` into the study's folder: for pandas, polars, DuckDB."""
    path = study.folder / FILE_NAME
    with records.atomic_file(path) as temporary:
        study_table(study).to_parquet(temporary, index=False)
    return path


def means(table: pd.DataFrame, varied: tuple[str, ...]) -> pd.DataFrame:
    """Means over seeds of ELBO, KL, density and scores, one row for each other setting."""
    by = [field for field in varied if field != "seed"]
    shown = [c for c in ("elbo", "kl", "active_latents", "density") if c in table]
    scores = (c for c in table if c.startswith("score_"))
    shown += [c for c in scores if not c.endswith(("_active", "_ceiling"))]
    done = table[table["status"] == "complete"]
    if not by:
        return done[shown].mean().to_frame("mean").T
    means = done.groupby(by, sort=False)[shown].mean()
    means.insert(0, "runs", done.groupby(by, sort=False).size())
    return means.reset_index()


def setting_columns() -> dict[str, str]:
    """Fields of the run settings with the pandas type of their column; all but the name."""
    hints = typing.get_type_hints(RunSettings)
    del hints["name"]
    return {field: _kind(hint) for field, hint in hints.items()}


def _kind(hint):
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = {_PLAIN.get(option, "string") for option in options if option is not type(None)}
    if type(None) in options and kinds != {"string"}:
        return "float64" if kinds <= {"int64", "float64"} else "string"
    return kinds.pop() if len(kinds) == 1 else "string"


def _row(settings, status, record) -> dict[str, Any]:
    row = {"run": settings.name, "status": status}
    # what was run: somebody may have trained a cell further
    values = dataclasses.asdict(settings) | record.get("settings", {})
    for field, kind in setting_columns().items():
        value = values[field]
        text = kind == "string" and value is not None and not isinstance(value, str)
        row[field] = json.dumps(value, sort_keys=True) if text else value
    measured = {name: value for name, value in record.items() if name != "settings"}
    return row | records.flat_record(measured, settings.name)


def _names(rows):
    """Columns of all rows in their order, `reason` last."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [n for n in names if n != "reason"] + [n for n in names if n == "reason"]
