"""Control of sparsity by a price."""

import numbers
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.control import Control
from sparsevae.sparsity.links import WEIGHTINGS, weighted_mean
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class Strength(Control):
    """Adds `strength * expected density` to the loss, in four phases.

    *open* (before `ramp[0]`): gates fixed and open, no noise, no price, until the model has found
    its latents; *ramp*: gates learn, the price rises linearly to `strength`; *hold*; *freeze*
    (from `freeze` on): gates fixed at the test rule, no price, weights adapt to what is left.
    Measured: without the open phase latents are lost for good at any strength.

    The density is that of the links that can still learn: masks that are given, or gates with
    `trainable = False`, cost nothing.

    Args:
        strength: Float at least 0, in nats per observation: the price of going from empty to full.
            Or a Keras schedule of the step. It may be changed while the model trains.
        ramp: Steps `(first, last)` of the rise.
        freeze: Step at which gates are fixed for good, after the ramp; None for never.
        weighting: What a link counts for: `"layers"` (every layer the same, whatever its size),
            `"links"`, `"parameters"` or `"flops"`.
    """

    strength = Setting(unit="nats per observation")

    def __init__(
        self,
        strength: float | keras.optimizers.schedules.LearningRateSchedule,
        ramp: tuple[int, int] = (2_000, 6_000),
        freeze: int | None = None,
        weighting: str = "layers",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.strength = strength
        pair = isinstance(ramp, (tuple, list)) and len(ramp) == 2 and all(map(_is_number, ramp))
        if not pair or not 0 <= ramp[0] <= ramp[1] < float("inf"):
            raise ValueError(
                "`ramp` must be two steps (first, last), 0 <= first <= last. "
                f"Received: ramp={ramp!r}"
            )
        if freeze is not None and not (_is_number(freeze) and freeze >= ramp[1]):
            raise ValueError(
                "`freeze` must be None or a step not before the end of the ramp. "
                f"Received: freeze={freeze!r}, ramp={ramp!r}"
            )
        self.ramp = tuple(ramp)
        self.freeze = freeze
        check_choice("weighting", weighting, WEIGHTINGS)
        self.weighting = weighting

    @classmethod
    def over(
        cls,
        strength: float | keras.optimizers.schedules.LearningRateSchedule,
        n_steps: int,
        open_until: float = 0.1,
        full_at: float = 0.4,
        freeze_at: float = 0.85,
        weighting: str = "layers",
    ) -> "Strength":
        """A control whose phases end at fractions of a run of `n_steps` steps."""
        if not 0 <= open_until <= full_at <= freeze_at <= 1:
            raise ValueError(
                "The phases must end in order, 0 <= open_until <= full_at <= freeze_at <= 1. "
                f"Received: open_until={open_until!r}, full_at={full_at!r}, "
                f"freeze_at={freeze_at!r}"
            )
        first, last, freeze = (round(f * n_steps) for f in (open_until, full_at, freeze_at))
        return cls(strength, (first, last), freeze, weighting)

    def learning(self, step: Any) -> Any:
        """1.0 where gates learn at `step`, else 0.0."""
        started = ops.greater_equal(step, self.ramp[0])
        if self.freeze is not None:
            started = ops.logical_and(started, ops.less(step, self.freeze))
        return ops.cast(started, "float32")

    def strength_at(self, step: Any) -> Any:
        """Price in force at `step`, in nats per observation; 0 while gates are fixed."""
        rise = self._rise(step, self.ramp[1]) * self.learning(step)
        return self.value_of("strength", step) * rise

    def progress(self, step: Any) -> Any:
        """Share of the learning phase that is over at `step`, in [0, 1]."""
        return self._rise(step, self.ramp[1] if self.freeze is None else self.freeze)

    def _rise(self, step, last):
        first = self.ramp[0]
        return ops.clip((ops.cast(step, "float32") - first + 1) / max(last - first, 1), 0.0, 1.0)

    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """The price of all links that can learn, a scalar in nats per observation."""
        priced = [layer for layer in layers if layer.gate.trainable_variables]
        if not priced:
            return ops.zeros(())
        density = weighted_mean(priced, self.weighting, lambda layer: layer.mean_cost())
        return self.strength_at(ops.convert_to_tensor(self.n_steps)) * density

    def logs(self, step: Any) -> dict[str, Any]:
        return {"sparsity_strength": self.strength_at(step), **super().logs(step)}

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "ramp": self.ramp,
            "freeze": self.freeze,
            "weighting": self.weighting,
        }


def _is_number(step):
    return isinstance(step, numbers.Real) and not isinstance(step, bool)
