"""What is in the folder of a run, whatever state it is in."""

import dataclasses
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from sparsevae import records
from sparsevae.checks import is_number

_PICTURES = ("reconstructions", "traversals")  # of all runs that are complete
_OF_GATES = ("masks", "mask_evolution", "wiring")
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_NUMBERS = ("step", "elbo", "kl", "reconstruction", "active_latents", "density")


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
    try:
        known = float(value) if is_number(value) else math.nan
    except OverflowError:  # of an integer of hundreds of digits
        return None
    return known if math.isfinite(known) else None


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
    if wrong := _not_numbers(record):
        missing.append(f"record.json has no finite number, which is left out, for: {wrong}.")
    return record


def _not_numbers(record: dict) -> str:
    """Names of what should be numbers and is not; a score may be null, where it has no value."""
    values = {name: record[name] for name in _NUMBERS if name in record}
    for key in ("scores", "densities"):
        values |= {f"{key}/{k}": v for k, v in record.get(key, {}).items() if v is not None}
    return ", ".join([name for name, value in values.items() if number(value) is None][:8])


def _history(path: Path, missing: list[str]) -> pd.DataFrame:
    table = _tried(lambda: _whole_rows(path, missing), path, missing, ", so there are no curves")
    if table is None or "step" not in table:
        if table is not None:
            missing.append("history.csv has no column `step`, so there are no curves.")
        return pd.DataFrame({"step": []})
    read = table
    table = table.apply(pd.to_numeric, errors="coerce").replace([math.inf, -math.inf], math.nan)
    spoilt = [k for k in table if k != "elbo" and (read[k].notna() & table[k].isna()).any()]
    if spoilt:
        names = ", ".join(spoilt[:8])
        missing.append(f"history.csv has values that are no finite numbers: {names}.")
    table = table.dropna(subset=["step"])
    if table.empty:
        missing.append("history.csv has no rows, so there are no curves.")
    gaps = int(table["elbo"].isna().sum()) if "elbo" in table else 0
    if gaps:
        missing.append(
            f"history.csv has {gaps} of {len(table)} rows without a finite ELBO; curves have gaps."
        )
    if table["step"].nunique() == 1:
        missing.append("history.csv has one step, as after one epoch: there are no curves.")
    return table.sort_values("step").reset_index(drop=True)


def _whole_rows(path: Path, missing: list[str]) -> pd.DataFrame:
    """The table without a last row that was cut off, which would be read as other numbers."""
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        missing.append("history.csv is cut off in its last row, which is left out.")
        text = text[: text.rfind("\n") + 1]
    return pd.read_csv(io.StringIO(text))


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
        if content.startswith(_PNG) and content.endswith(_PNG_END):
            found[name] = content
        elif path.exists():
            missing.append(f"pictures/{name}.png is not a whole PNG file.")
        elif is_complete and name in _PICTURES:
            missing.append(f"pictures/{name}.png is not there.")
    return found
