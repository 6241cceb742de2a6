"""What is in the folder of a run, whatever state it is in."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from sparsevae import records
from sparsevae.checks import is_number

_PICTURES = ("reconstructions", "traversals")  # of all runs that are complete
_OF_GATES = ("masks", "mask_evolution", "wiring")
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """What could be read of a run.

    Attributes:
        folder: Its folder.
        settings: By field; empty if no file has them.
        record: As of `records.read_record`; empty if the run is not complete.
        history: As in `history.csv`, numbers only, rows in order of `step`; may have no rows.
        analyses: By name, with `numbers` and, of `analysis.json`, `tables`.
        made_by: Versions of packages and the commit, by name.
        failure: Why it failed; empty if it did not.
        pictures: Bytes of PNG files, by name.
        missing: What could not be read, a sentence each.
    """

    folder: Path
    settings: dict[str, Any]
    record: dict[str, Any]
    history: pd.DataFrame
    analyses: dict[str, dict]
    made_by: dict[str, str]
    failure: str
    pictures: dict[str, bytes]
    missing: list[str]

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def is_complete(self) -> bool:
        return bool(self.record)

    @property
    def step(self) -> int:
        """Steps done, as far as files tell."""
        known = number(self.record.get("step"))
        if known is None and len(self.history):
            known = self.history["step"].iloc[-1]
        return int(known or 0)

    def measured(self) -> dict[str, float]:
        """Numbers of the record, else of the last row of the history that has each."""
        if self.record:
            return {k: v for k, v in self.record.items() if number(v) is not None}
        last = self.history.ffill().tail(1).to_dict("records")
        return {k: v for k, v in (last[0] if last else {}).items() if number(v) is not None}


def number(value: Any) -> float | None:
    """The value as a float if it is a finite number, else None."""
    return float(value) if is_number(value) and math.isfinite(value) else None


def read_run(folder: str | Path, pictures: bool = True) -> RunFolder:
    """Reads what there is; what is not there or damaged is named in `missing`.

    Args:
        folder: Of a run.
        pictures: Whether to read the pictures too.
    """
    folder, missing = Path(folder), []
    written = _json(folder / "settings.json", missing)
    record = _record(folder, missing)
    failed = _json(folder / "failed.json", missing) if (folder / "failed.json").exists() else {}
    settings = _dict(record.get("settings")) or _dict(written.get("settings"))
    if failed and not record:
        missing.append(f"The run has failed: {failed.get('reason', 'no reason given')}")
    return RunFolder(
        folder=folder,
        settings=settings,
        record=record,
        history=_history(folder / "history.csv", missing),
        analyses=_analyses(folder, record, missing),
        made_by=_made_by(written),
        failure=str(failed.get("reason", "")) if not record else "",
        pictures=_pictures(folder / "pictures", missing, bool(record)) if pictures else {},
        missing=missing,
    )


def _dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def _tried(read: Callable[[], Any], path: Path, missing: list[str], lack: str) -> Any:
    """What `read` gives, or None with a sentence in `missing`."""
    if not path.exists():
        missing.append(f"{path.name} is not there{lack}.")
        return None
    try:
        return read()
    except (ValueError, OSError) as error:  # pandas' errors of parsing are ValueErrors
        reason = " ".join(str(error).split())
        missing.append(f"{path.name} could not be read{lack}: {reason[:300]}")
        return None


def _json(path: Path, missing: list[str]) -> dict:
    content = _tried(lambda: records.read_json(path), path, missing, "")
    if content is not None and not isinstance(content, dict):
        missing.append(f"{path.name} holds {type(content).__name__} where a dict was expected.")
    return _dict(content)


def _record(folder: Path, missing: list[str]) -> dict:
    lack = ", so the run is not complete: test values, scores and findings are not known yet"
    path = folder / "record.json"
    record = _dict(_tried(lambda: records.read_record(folder), path, missing, lack))
    for key in ("settings", "scores", "densities", "analyses"):
        if key in record and not isinstance(record[key], dict):
            missing.append(f"record.json has no dict under {key!r}; it is left out.")
            record = {**record, key: {}}
    return record


def _history(path: Path, missing: list[str]) -> pd.DataFrame:
    table = _tried(lambda: pd.read_csv(path), path, missing, ", so there are no curves")
    if table is None or "step" not in table:
        if table is not None:
            missing.append("history.csv has no column `step`, so there are no curves.")
        return pd.DataFrame({"step": []})
    table = table.apply(pd.to_numeric, errors="coerce")
    table = table.replace([math.inf, -math.inf], math.nan).dropna(subset=["step"])
    gaps = int(table["elbo"].isna().sum()) if "elbo" in table else 0
    if gaps:
        missing.append(
            f"history.csv has {gaps} of {len(table)} rows without a finite ELBO; curves have gaps."
        )
    if table["step"].nunique() == 1:
        missing.append("history.csv has one step, as after one epoch: there are no curves.")
    return table.sort_values("step").reset_index(drop=True)


def _analyses(folder: Path, record: dict, missing: list[str]) -> dict[str, dict]:
    found = {k: {"numbers": _dict(v)} for k, v in _dict(record.get("analyses")).items()}
    path = folder / "analysis.json"
    if path.exists():
        more = _dict(_json(path, missing).get("analyses"))
        found |= {name: _dict(one) for name, one in more.items()}
    return found


def _made_by(written: dict) -> dict[str, str]:
    found = {str(k): str(v) for k, v in _dict(written.get("versions")).items()}
    return found | ({"git commit": str(written["git_commit"])} if written.get("git_commit") else {})


def _pictures(folder: Path, missing: list[str], is_complete: bool) -> dict[str, bytes]:
    found = {}
    for name in (*_PICTURES, *_OF_GATES):
        path = folder / f"{name}.png"
        content = path.read_bytes() if path.is_file() else b""
        if content.startswith(_PNG):
            found[name] = content
        elif path.exists():
            missing.append(f"pictures/{name}.png is not a PNG file.")
        elif is_complete and name in _PICTURES:
            missing.append(f"pictures/{name}.png is not there.")
    return found
