"""What belongs to one training step: every gate draws once in it, and is priced once."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

_present = threading.local()  # replicas are traced in threads of their own


@dataclasses.dataclass
class Step:
    """One training step.

    Attributes:
        priced: Whether layers shall note their costs.
        draws: What gates have drawn, by id of gate.
        costs: Mean costs of a link, by id of layer.
    """

    priced: bool = False
    draws: dict[int, Any] = dataclasses.field(default_factory=dict)
    costs: dict[int, Any] = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def one_step(step: Step | None = None, priced: bool = False) -> Iterator[Step]:
    """While it lasts every gate draws once, however often its layer is used; may be nested.

    Args:
        step: A step that is gone on with; by default a new one.
        priced: Whether layers shall note their costs.
    """
    if (outer := getattr(_present, "step", None)) is not None:
        yield outer
        return
    _present.step = Step(priced) if step is None else step
    try:
        yield _present.step
    finally:
        _present.step = None


def present_step() -> Step:
    """The step that lasts; outside of any, a new one."""
    return getattr(_present, "step", None) or Step()
