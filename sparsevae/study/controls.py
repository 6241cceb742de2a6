"""The controls that a run may have, and which settings each of them looks at."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from sparsevae.checks import check_choice

_PHASED = {"open_until": 0.1, "full_at": 0.4, "freeze_at": 0.85}
_MOVING = {"open_until": 0.0, "full_at": 0.75, "scope": "erk"}


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a control needs to know.

    Attributes:
        target: Setting that says how much: "strength", "target_density" or "bound"; or which
            masks: "mask_from".
        own: Settings that have a default of the control's own, by name.
        scopes: Values that `scope` may have.
        others: More settings that it takes.
        learns: Whether its gates learn; else it sets the masks of `gates.Pruned`.
    """

    target: str
    own: Mapping[str, float | str]
    scopes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    learns: bool = True


KINDS = {
    "strength": Kind("strength", _PHASED, others=("weighting",)),
    "target_density": Kind("target_density", {**_PHASED, "scope": "model"}, ("model", "layer")),
    "distortion": Kind("bound", _PHASED),
    "magnitude": Kind(
        "target_density",
        {"open_until": 0.1, "full_at": 0.7, "scope": "layer"},
        ("layer", "global", "erk"),
        learns=False,
    ),
    "top_k": Kind(
        "target_density",
        {"open_until": 0.1, "full_at": 0.85, "scope": "layer"},
        ("layer", "global", "erk"),
        learns=False,
    ),
    "rigl": Kind("target_density", _MOVING, ("erk", "layer"), ("seed",), learns=False),
    "set": Kind("target_density", _MOVING, ("erk", "layer"), ("seed",), learns=False),
    "random": Kind(
        "target_density", {"scope": "layer"}, ("layer", "global", "erk"), ("seed",), learns=False
    ),
    "mask": Kind("mask_from", {}, learns=False),
}
LEARNING = tuple(name for name, kind in KINDS.items() if kind.learns)
PRUNING = tuple(name for name, kind in KINDS.items() if not kind.learns)
UNGATED = ("none", "l1_weights")  # gates that no control acts on
OF_CONTROL = ("control", "target_density", "bound", "mask_from", "scope", "granularity")
_PHASES = ("open_until", "full_at", "freeze_at")
OF_GATES = ("gate", "gate_options", "strength", "weighting", *OF_CONTROL, *_PHASES)


def completed(settings: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that follow from the control: its own phases and scope, and the gate it needs.

    Args:
        settings: `RunSettings` whose choices of names are valid.
        defaults: Default of each setting.

    Raises:
        ValueError: for a setting that is not at its default and that this combination does not
            look at; for a gate, scope or missing bound that does not go with the control.
    """
    kind = KINDS[settings.control]
    if settings.gate in UNGATED:
        check_unused(settings, defaults, OF_CONTROL, f"gate={settings.gate!r}")
        return {name: _PHASED[name] for name in _PHASES if getattr(settings, name) is None}
    check_unused(settings, defaults, _unused(kind), f"control={settings.control!r}")
    own = {name: value for name, value in kind.own.items() if getattr(settings, name) is None}
    if settings.scope is not None:
        check_choice("scope", settings.scope, kind.scopes)
    if kind.target == "bound" and settings.bound is None:
        raise ValueError(
            "`bound` must be given with control='distortion': the training loss that may be "
            "reached, nats per image. Received: bound=None"
        )
    if kind.target == "mask_from" and settings.mask_from is None:
        raise ValueError(
            "`mask_from` must be given with control='mask': the folder of a complete run with "
            "gates, whose masks this run has from its first step. Received: mask_from=None"
        )
    return own | _gate(settings, kind, defaults)


def _gate(settings, kind, defaults):
    """The gate that masks need which are set: pruned, also where none was chosen."""
    if kind.learns:
        if settings.gate == "pruned":
            raise ValueError(
                "`control` must be one that sets masks with gate='pruned': "
                f"{', '.join(PRUNING)}. Received: control={settings.control!r}"
            )
        return {}
    if settings.gate not in ("pruned", defaults["gate"]):
        raise ValueError(
            f"`gate` must be 'pruned', or be left out, with control={settings.control!r}, which "
            f"sets masks itself. Received: gate={settings.gate!r}"
        )
    if settings.gate_options:
        raise ValueError(
            f"`gate_options` must be empty with control={settings.control!r}: pruned gates have "
            f"none. Received: gate_options={settings.gate_options!r}"
        )
    return {"gate": "pruned"}


def _unused(kind):
    every = ("strength", "weighting", "target_density", "bound", "mask_from", "scope", *_PHASES)
    return [name for name in every if name not in (kind.target, *kind.own, *kind.others)]


def check_unused(
    settings: Any, defaults: Mapping[str, Any], names: Iterable[str], where: str
) -> None:
    """Refuses settings that are not at their default, though `where` does not look at them.

    Raises:
        ValueError: naming the first one.
    """
    for name in names:
        if (value := getattr(settings, name)) != defaults[name]:
            raise ValueError(
                f"`{name}` must be left at {defaults[name]!r} with {where}, which does not look "
                f"at it. Received: {name}={value!r}"
            )
