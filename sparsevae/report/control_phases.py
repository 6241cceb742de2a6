"""When a run's control did what, from its settings."""

import itertools
from collections.abc import Mapping
from typing import Any

from sparsevae.report.run_folder import number
from sparsevae.study.controls import KINDS, UNGATED

_NAMES = {
    True: ("gates open", "links close", "gates learn on", "gates fixed"),
    False: ("gates open", "links close", "masks fixed"),
}


def control_phases(settings: Mapping[str, Any], n_steps: int) -> dict[str, tuple[float, float]]:
    """First and last step of each phase by name; empty where there are none or they are not known.

    Args:
        settings: Of a run, by field.
        n_steps: Steps that the phases are laid out for.
    """
    kind = KINDS.get(str(settings.get("control")))
    if kind is None or settings.get("gate") in UNGATED:
        return {}
    if "open_until" not in kind.own:
        return {}
    names = _NAMES[kind.learns]
    fields = ("open_until", "full_at", "freeze_at")[: len(names) - 1]
    given = {name: settings.get(name) for name in fields}
    ends = [number(kind.own[k] if value is None else value) for k, value in given.items()]
    if None in ends:
        return {}
    marks = [0.0, *ends, 1.0]
    return {
        name: (a * n_steps, b * n_steps)
        for name, (a, b) in zip(names, itertools.pairwise(marks), strict=True)
        if b > a
    }
