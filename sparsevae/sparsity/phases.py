"""The phases of a run in which gates learn: open, ramp, hold, freeze."""

import itertools
import numbers
from typing import Any

from keras import ops

from sparsevae.checks import check_integer, is_number
from sparsevae.sparsity.control import Control


class Phased(Control):
    """A control of gates that learn from the first step of a ramp until they are frozen.

    *open* (before `ramp[0]`): gates fixed and open, no noise, no price, until the model has found
    what its channels are for; *ramp*: gates learn, what the control wants rises; *hold*; *freeze*
    (from `freeze` on): gates fixed at the test rule, weights adapt to what is left.
    Measured: without the open phase a VAE loses latents for good.

    Args:
        ramp: Steps `(first, last)` of the rise.
        freeze: Step at which gates are fixed for good, after the ramp; None for never.
    """

    def __init__(
        self, ramp: tuple[int, int] = (2_000, 6_000), freeze: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.ramp, self.freeze = check_ramp(ramp), check_freeze(freeze, ramp)

    @property
    def learning_ends(self) -> int:
        """The step at which gates are frozen, or at which the ramp ends if they never are."""
        return self.ramp[1] if self.freeze is None else self.freeze

    @property
    def last_step(self) -> int:
        """The step at which gates have learned; controls that act after it override this."""
        return self.learning_ends

    def learning(self, step: Any) -> Any:
        """1.0 where gates learn at `step`, else 0.0."""
        started = ops.greater_equal(step, self.ramp[0])
        if self.freeze is not None:
            started = ops.logical_and(started, ops.less(step, self.freeze))
        return ops.cast(started, "float32")

    def progress(self, step: Any) -> Any:
        """Share of the learning phase that is over at `step`, in [0, 1]."""
        return self.rise(step, self.learning_ends)

    def rise(self, step: Any, last: int | None = None) -> Any:
        """From 0 before the ramp to 1 at its last step, or at `last`."""
        first, last = self.ramp[0], self.ramp[1] if last is None else last
        return ops.clip((ops.cast(step, "float32") - first + 1) / max(last - first, 1), 0.0, 1.0)

    def get_config(self) -> dict:
        return {**super().get_config(), "ramp": self.ramp, "freeze": self.freeze}


def check_ramp(ramp: Any) -> tuple[int, int]:
    """Refuses what is no pair of steps in order."""
    pair = isinstance(ramp, (tuple, list)) and len(ramp) == 2 and all(map(_is_step, ramp))
    if not pair or not 0 <= ramp[0] <= ramp[1]:
        raise ValueError(
            "`ramp` must be two steps (first, last), integers with 0 <= first <= last. "
            f"Received: ramp={ramp!r}"
        )
    return tuple(ramp)


def check_freeze(freeze: Any, ramp: tuple[int, int]) -> int | None:
    """Refuses a step before the end of the ramp."""
    if freeze is not None and not (_is_step(freeze) and freeze >= ramp[1]):
        raise ValueError(
            "`freeze` must be None or a step, an integer not before the end of the ramp. "
            f"Received: freeze={freeze!r}, ramp={ramp!r}"
        )
    return freeze


def check_land(land: Any, freeze: int | None) -> int | None:
    """Refuses a step that is not after the freeze."""
    if land is not None and not (freeze is not None and _is_step(land) and land > freeze):
        raise ValueError(
            "`land` must be None or a step after `freeze`, which goes before it. "
            f"Received: land={land!r}, freeze={freeze!r}"
        )
    return land


def steps_at(n_steps: int, **fractions: float) -> list[int]:
    """Steps at which phases end, given in order as fractions of a run.

    The first, in which all is open, may round to none.

    Raises:
        TypeError: if `n_steps` is not an integer.
        ValueError: if the fractions are no numbers in order, or a later phase would have no step.
    """
    n_steps = check_integer("n_steps", n_steps, minimum=1)
    names, values = list(fractions), list(fractions.values())
    for name, value in fractions.items():
        if not is_number(value):
            raise ValueError(
                f"`{name}` must be a fraction of the run, a float in [0, 1]. "
                f"Received: {name}={value!r}"
            )
    in_order = all(a <= b for a, b in zip([0, *values], [*values, 1], strict=True))
    if not in_order:
        received = ", ".join(f"{name}={value!r}" for name, value in fractions.items())
        raise ValueError(
            f"The phases must end in order, 0 <= {' <= '.join(names)} <= 1. Received: {received}"
        )
    steps = [round(value * n_steps) for value in values]
    ends = [*zip(values, steps, strict=True), (1.0, n_steps)]
    if any(a < b and m == n for (a, m), (b, n) in itertools.pairwise(ends)):
        raise ValueError(
            "`n_steps` must be so many that every phase has a step. "
            f"Received: n_steps={n_steps}, with phases that end at {', '.join(map(str, steps))}"
        )
    return steps


def _is_step(step):
    return isinstance(step, numbers.Integral) and is_number(step)
