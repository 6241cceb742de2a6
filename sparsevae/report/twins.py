"""The dense twin of a run: the same settings without gates."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparsevae import records
from sparsevae.study.controls import OF_GATES
from sparsevae.study.settings import RunSettings

_DEFAULTS = dataclasses.asdict(RunSettings("run"))
_BESIDES = (*OF_GATES, "name", "where", "metrics", "analyses", "cut_threshold", "pruned_from")
_BESIDES += ("n_threads", "checkpoint_every", "steps_per_execution")


def dense_twin(folder: Path, settings: Mapping[str, Any]) -> tuple[str, dict] | None:
    """Name and record of a complete run beside this one that differs by having no gates.

    A search keeps it in `dense`, two levels up.

    Args:
        folder: Of the run.
        settings: Of the run; one without gates has no twin.
    """
    if not settings or settings.get("gate") == "none":
        return None
    folder = folder.resolve()
    places = [path for path in sorted(folder.parent.iterdir()) if path != folder]
    places += [folder.parent.parent / "dense"]
    for place in places:
        if place.name.startswith(".") or not records.is_complete(place):
            continue
        try:
            record = records.read_record(place)
        except (ValueError, OSError):  # a damaged neighbor is no twin
            continue
        other = record.get("settings")
        if isinstance(other, dict) and other.get("gate") == "none" and _same(other, settings):
            return place.name, record
    return None


def _same(a, b):
    fields = (a.keys() | b.keys()) - set(_BESIDES)
    return all(_of(a, field) == _of(b, field) for field in fields)


def _of(settings, field):
    """The default where a file is older than the field."""
    return settings.get(field, _DEFAULTS.get(field))
