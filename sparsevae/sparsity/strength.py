"""Control of sparsity by a price."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.links import WEIGHTINGS
from sparsevae.sparsity.phases import Phased, steps_at
from sparsevae.sparsity.prices import mean_cost
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class Strength(Phased):
    """Adds `strength * expected density` to the loss, in the four phases of `Phased`.

    The density is that of the links that can still learn: masks that are given, or gates with
    `trainable = False`, cost nothing.

    Args:
        strength: Float at least 0, in nats per observation: the price of going from empty to full.
            Or a Keras schedule of the step. It may be changed while the model trains.
        ramp, freeze: See `Phased`; the price rises linearly over the ramp and is 0 once frozen.
        weighting: What a link counts for: `"layers"` (every layer the same, whatever its size),
            `"links"`, `"parameters"` or `"flops"`.
        granularity: See `Control`.
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
        super().__init__(ramp, freeze, **kwargs)
        self.strength = strength
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
        granularity: str = "links",
    ) -> "Strength":
        """A control whose phases end at fractions of a run of `n_steps` steps."""
        first, last, freeze = steps_at(
            n_steps, open_until=open_until, full_at=full_at, freeze_at=freeze_at
        )
        return cls(strength, (first, last), freeze, weighting, granularity=granularity)

    def strength_at(self, step: Any) -> Any:
        """Price in force at `step`, in nats per observation; 0 while gates are fixed."""
        return self.value_of("strength", step) * self.rise(step) * self.learning(step)

    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """The price of all links that can learn, a scalar in nats per observation."""
        strength = self.strength_at(ops.convert_to_tensor(self.n_steps))
        return strength * mean_cost(layers, self.weighting)

    def logs(self, step: Any) -> dict[str, Any]:
        return {"sparsity_strength": self.strength_at(step), **super().logs(step)}

    def get_config(self) -> dict:
        return {**super().get_config(), "weighting": self.weighting}
