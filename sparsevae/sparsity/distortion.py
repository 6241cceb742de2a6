"""Control of sparsity by the loss that may be given up for it."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae import gates
from sparsevae.checks import is_number
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.phases import Phased, steps_at
from sparsevae.sparsity.prices import mean_over, open_share
from sparsevae.sparsity.smoothed_loss import N_STEPS, SmoothedLoss
from sparsevae.training import GroupedOptimizer

_TOLERANCE = 0.01  # of the bound: the price falls to 0 over the last of it
_N_FOLDS = 5.0  # the target can fall by so many factors of e over the ramp
_FOLLOWED = 1.02  # the target falls only while the density is at most so many times as large
_ERRORS = (-0.02, 0.1)  # of the density, relative to its target, by which the multiplier moves
_HIGHEST = 1e6  # multiplier in bounds: gates that cannot close shall not drive it to infinity


@keras.saving.register_keras_serializable("sparsevae")
class Distortion(Phased):
    """Looks for the least density at which the loss stays under a bound.

    A target for the density starts at 1. While the loss, smoothed over a tenth of the ramp and at
    most 100 steps, is under the bound and the density has followed, the target falls; while the
    loss is above, it rises three times as fast. Adds `room * multiplier * density` to the loss:
    the room falls from 1 to 0 over the last hundredth of the bound, and a multiplier m moves by
    `800 (m + 2 bound) / n` times what the density is above its target, relative to it, for n
    steps of learning (of the ramp, without a freeze): links close the slower, the nearer the loss
    is to the bound. The weights go on learning, so the bound is used up only while gates do too.

    The bound is of the loss as it is trained, so gates without noise suit it best: by default
    `gates.Binary("threshold")`, whose training and test masks are the same. A bound that the
    dense model does not reach leaves all links open.

    Args:
        bound: Float above 0, nats per observation: the training loss that may be reached.
        ramp, freeze: See `Phased`; the ramp says how fast the target may fall. Gates that are
            frozen early leave the loss time to fall under the bound; `over` does at the end.
        granularity: See `Control`.

    References:
        Rezende and Viola 2018, Taming VAEs, section 2.2, 1810.00597 (GECO), the constraint of
        which bounds the reconstruction; De Boom et al. 2020, 2012.08234, on L0 gates. There the
        loss moves the price itself, which here closed whole models before the loss had told.
    """

    def __init__(
        self,
        bound: float,
        ramp: tuple[int, int] = (2_000, 6_000),
        freeze: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ramp, freeze, **kwargs)
        if not (is_number(bound) and 0 < bound < float("inf")):
            raise ValueError(
                f"`bound` must be a finite float above 0, in nats. Received: bound={bound!r}"
            )
        self.bound = float(bound)

    @classmethod
    def over(
        cls,
        bound: float,
        n_steps: int,
        open_until: float = 0.1,
        full_at: float = 0.4,
        freeze_at: float = 1.0,
        granularity: str = "links",
    ) -> "Distortion":
        """A control whose phases end at fractions of a run of `n_steps` steps."""
        first, last, freeze = steps_at(
            n_steps, open_until=open_until, full_at=full_at, freeze_at=freeze_at
        )
        return cls(bound, (first, last), freeze, granularity=granularity)

    def default_gate(self) -> gates.Gate:
        return gates.Binary("threshold", seed=0)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.loss = SmoothedLoss(self, min(max((self.ramp[1] - self.ramp[0]) / 10, 1.0), N_STEPS))
        self.density = self.add_state("density", 1.0)
        self.target = self.add_state("target", 1.0)
        self.multiplier = self.add_state("multiplier")

    def _room(self):
        """What the loss leaves of the tolerance, in [-1, 1]; negative above the bound."""
        room = (self.bound - self.loss.value) / (_TOLERANCE * self.bound)
        return ops.clip(room, -1.0, 1.0)

    def _price(self, step):
        price = ops.convert_to_tensor(self.multiplier) * ops.maximum(self._room(), 0.0)
        return self.learning(step) * price

    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """The price of all links that can learn, a scalar in nats per observation."""
        price = self._price(ops.convert_to_tensor(self.n_steps))
        return price * mean_over(layers, lambda layer: layer.mean_cost())

    def observe(self, loss: Any, layers: Sequence[GatedLayer]) -> None:
        """Notes the density of a step, and its loss, smoothed."""
        self.density.assign(ops.stop_gradient(mean_over(layers, open_share)))
        self.loss.add(loss)

    def end_step(
        self, layers: Sequence[GatedLayer], updated: Any, optimizer: GroupedOptimizer | None = None
    ) -> None:
        step = ops.convert_to_tensor(self.n_steps)
        multiplier = ops.convert_to_tensor(self.multiplier)
        target = self._moved_target()
        error = ops.clip(ops.convert_to_tensor(self.density) / target - 1.0, *_ERRORS)
        rate = 800 / max(self.last_step - self.ramp[0], 1)
        moved = multiplier + rate * (multiplier + 2 * self.bound) * error
        moved = ops.clip(moved, 0.0, _HIGHEST * self.bound)
        moves = ops.logical_and(ops.greater(self.learning(step), 0.5), ops.greater(updated, 0.5))
        for variable, value in ((self.target, target), (self.multiplier, moved)):
            variable.assign(ops.where(moves, value, ops.convert_to_tensor(variable)))
        super().end_step(layers, updated, optimizer)

    def _moved_target(self):
        """The target after a step."""
        target, density = ops.convert_to_tensor(self.target), ops.convert_to_tensor(self.density)
        rate, room = _N_FOLDS / max(self.ramp[1] - self.ramp[0], 1), self._room()
        falls = ops.less_equal(density, _FOLLOWED * target)
        fallen = target * ops.exp(-rate * ops.where(falls, room, 0.0))
        risen = ops.minimum(ops.maximum(target, density) * ops.exp(-3.0 * rate * room), 1.0)
        return ops.where(room > 0, fallen, risen)

    def logs(self, step: Any) -> dict[str, Any]:
        found = {"multiplier": self._price(step), "smoothed_loss": self.loss.value}
        return {**found, "target_density": ops.convert_to_tensor(self.target), **super().logs(step)}

    def get_config(self) -> dict:
        return {**super().get_config(), "bound": self.bound}
