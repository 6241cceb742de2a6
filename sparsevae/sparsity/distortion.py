"""Control of sparsity by the loss that may be given up for it."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae import gates
from sparsevae.checks import is_number
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.phases import Phased, steps_at
from sparsevae.sparsity.prices import mean_over
from sparsevae.sparsity.smoothed_loss import SmoothedLoss
from sparsevae.training import GroupedOptimizer

_TOLERANCE = 0.01  # of the bound: errors beyond move the price at full speed
_FIRST_PRICE = 0.01  # of the bound
_N_FOLDS = 10.0  # the price can grow by so many factors of e over the ramp


@keras.saving.register_keras_serializable("sparsevae")
class Distortion(Phased):
    """Looks for the least density at which the loss stays under a bound.

    Adds `price * density` to the loss. While the loss, smoothed over 100 steps, is under the
    bound, the price grows; above it, it falls three times as fast. Its logarithm moves, so that
    it finds its scale by itself. The bound is of the loss as it is trained, so gates without
    noise suit it best: by default `gates.Binary("threshold")`, whose training and test masks are
    the same. A bound that the dense model does not reach leaves all links open.

    Args:
        bound: Float above 0, nats per observation: the training loss that may be reached.
        ramp, freeze: See `Phased`; the ramp says how fast the price may grow. Gates that are
            frozen early leave the loss time to fall under the bound again.
        granularity: See `Control`.

    References:
        Rezende and Viola 2018, Taming VAEs, section 2.2, 1810.00597 (GECO), the constraint of
        which bounds the reconstruction; De Boom et al. 2020, 2012.08234, on L0 gates.
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
        freeze_at: float = 0.95,
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
        self.loss = SmoothedLoss(self)
        self.log_price = self.add_state("log_price", math.log(_FIRST_PRICE * self.bound))

    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """The price of all links that can learn, a scalar in nats per observation."""
        price = ops.exp(ops.convert_to_tensor(self.log_price))
        learning = self.learning(ops.convert_to_tensor(self.n_steps))
        return learning * price * mean_over(layers, lambda layer: layer.mean_cost())

    def observe(self, loss: Any, layers: Sequence[GatedLayer]) -> None:
        """Notes the loss of a step, smoothed."""
        self.loss.add(loss)

    def end_step(
        self, layers: Sequence[GatedLayer], updated: Any, optimizer: GroupedOptimizer | None = None
    ) -> None:
        step = ops.convert_to_tensor(self.n_steps)
        room = (self.bound - self.loss.value) / (_TOLERANCE * self.bound)
        move = ops.where(room > 0, ops.minimum(room, 1.0), 3.0 * ops.maximum(room, -1.0))
        rate = _N_FOLDS / max(self.ramp[1] - self.ramp[0], 1)
        moved = ops.convert_to_tensor(self.log_price) + rate * move
        moves = ops.logical_and(ops.greater(self.learning(step), 0.5), ops.greater(updated, 0.5))
        self.log_price.assign(ops.where(moves, moved, ops.convert_to_tensor(self.log_price)))
        super().end_step(layers, updated, optimizer)

    def logs(self, step: Any) -> dict[str, Any]:
        price = ops.exp(ops.convert_to_tensor(self.log_price)) * self.learning(step)
        return {"price": price, "smoothed_loss": self.loss.value, **super().logs(step)}

    def get_config(self) -> dict:
        return {**super().get_config(), "bound": self.bound}
