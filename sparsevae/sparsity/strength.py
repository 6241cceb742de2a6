"""Control of sparsity by a price."""

import keras
from keras import ops

from sparsevae.choices import check_choice
from sparsevae.sparsity.links import WEIGHTINGS, weighted_mean


@keras.saving.register_keras_serializable("sparsevae")
class Strength:
    """Adds `strength * expected density` to the loss, in four phases.

    *open* (before `ramp[0]`): gates fixed and open, no noise, no price, until the model has found
    its latents; *ramp*: gates learn, the price rises linearly to `strength`; *hold*; *freeze*
    (from `freeze` on): gates fixed at the test rule, no price, weights adapt to what is left.
    Measured: without the open phase latents are lost for good at any strength.

    Args:
        strength: Float at least 0, in nats per observation: the price of going from empty to full.
        ramp: Steps `(first, last)` of the rise.
        freeze: Step at which gates are fixed for good, after the ramp; None for never.
        weighting: What a link counts for: `"layers"` (every layer the same, whatever its size),
            `"links"`, `"parameters"` or `"flops"`.
    """

    def __init__(self, strength, ramp=(2_000, 6_000), freeze=None, weighting="layers"):
        if not 0 <= strength < float("inf"):  # written so that NaN fails too
            raise ValueError(
                "`strength` must be a finite float of at least 0 (nats per observation). "
                f"Received: strength={strength!r}"
            )
        if len(ramp) != 2 or not 0 <= ramp[0] <= ramp[1] < float("inf"):
            raise ValueError(
                "`ramp` must be two steps (first, last), 0 <= first <= last. "
                f"Received: ramp={ramp!r}"
            )
        if freeze is not None and not freeze >= ramp[1]:
            raise ValueError(
                "`freeze` must be None or a step not before the end of the ramp. "
                f"Received: freeze={freeze!r}, ramp={ramp!r}"
            )
        self.strength = float(strength)
        self.ramp = tuple(ramp)
        self.freeze = freeze
        check_choice("weighting", weighting, WEIGHTINGS)
        self.weighting = weighting

    @classmethod
    def over(
        cls, strength, n_steps, open_until=0.1, full_at=0.4, freeze_at=0.85, weighting="layers"
    ):
        """A control whose phases end at fractions of a run of `n_steps` steps."""
        if not 0 <= open_until <= full_at <= freeze_at <= 1:
            raise ValueError(
                "The phases must end in order, 0 <= open_until <= full_at <= freeze_at <= 1. "
                f"Received: open_until={open_until!r}, full_at={full_at!r}, "
                f"freeze_at={freeze_at!r}"
            )
        first, last, freeze = (round(f * n_steps) for f in (open_until, full_at, freeze_at))
        return cls(strength, (first, last), freeze, weighting)

    def learning(self, step):
        """1.0 where gates learn at `step`, else 0.0."""
        started = ops.greater_equal(step, self.ramp[0])
        if self.freeze is not None:
            started = ops.logical_and(started, ops.less(step, self.freeze))
        return ops.cast(started, "float32")

    def strength_at(self, step):
        """Price in force at `step`, in nats per observation; 0 while gates are fixed."""
        return self.strength * self._rise(step, self.ramp[1]) * self.learning(step)

    def progress(self, step):
        """Share of the learning phase that is over at `step`, in [0, 1]."""
        return self._rise(step, self.ramp[1] if self.freeze is None else self.freeze)

    def _rise(self, step, last):
        first = self.ramp[0]
        return ops.clip((ops.cast(step, "float32") - first + 1) / max(last - first, 1), 0.0, 1.0)

    def set_phase(self, layers, step):
        """Tells the gates of `layers` where the run stands; to be called before each step."""
        learning, progress = self.learning(step), self.progress(step)
        for layer in layers:
            layer.gate.set_phase(learning, progress)

    def penalty(self, layers, step):
        """The price of all links at `step`, a scalar in nats per observation."""
        price = self.strength_at(step)
        return price * weighted_mean(layers, self.weighting, lambda layer: layer.link_cost())

    def get_config(self):
        return {
            "strength": self.strength,
            "ramp": self.ramp,
            "freeze": self.freeze,
            "weighting": self.weighting,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
