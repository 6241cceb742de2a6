"""Control of sparsity by the loss that may be given up for it."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae import gates
from sparsevae.checks import is_number
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.cutting import cut_when
from sparsevae.sparsity.phases import Phased, check_land, steps_at
from sparsevae.sparsity.prices import learnable, mean_over, n_gates, open_share
from sparsevae.sparsity.selection import largest_over
from sparsevae.sparsity.smoothed_loss import N_STEPS, SmoothedLoss
from sparsevae.training import GroupedOptimizer

_TOLERANCE = 0.01  # of the bound: the price falls to 0 over the last of it
_N_FOLDS = 5.0  # the target can fall by so many factors of e over the ramp
_N_FOLDS_LANDING = 2.0  # over the landing, at full pace
_N_FOLDS_PACE = 8.0  # the pace can grow by so many factors of e over the landing
_FOLLOWED = 1.02  # the target falls only while the density is at most so many times as large
_ERRORS = (-0.02, 0.1)  # of the density, relative to its target, by which the multiplier moves
_HIGHEST = 1e6  # multiplier in bounds: gates that cannot close shall not drive it to infinity


@keras.saving.register_keras_serializable("sparsevae")
class Distortion(Phased):
    """Looks for the least density at which the loss stays under a bound.

    *Learning*: a target for the density starts at 1. While the loss, smoothed, is under the bound
    and the density has followed, the target falls; while the loss is above, it rises three times
    as fast. Adds `room * multiplier * density` to the loss: the room falls from 1 to 0 over the
    last hundredth of the bound, and a multiplier m moves by `800 (m + 2 bound) / n` times what the
    density is above its target, relative to it, for n steps of learning: links close the slower,
    the nearer the loss is to the bound.

    *Landing*, from `freeze` to `land`: gates are fixed at the test rule, so that the loss is that
    of the model as it is used, and the target alone says how many are open, those of the highest
    parameters. It moves by the room, at most by a factor of e^2. Its pace halves whenever the loss
    has gone from one side of the bound to the other, and grows back as long as it has not: how
    much a link is worth differs by orders of magnitude between models.

    The loss is smoothed over a tenth of the ramp, a twentieth of the landing and 100 steps, the
    shortest of these. It ends near the bound: as it is known, and to what one link is worth.
    After the landing masks stay and the weights go on, so that the loss falls under the bound.
    The default gate is `gates.Binary("threshold")`, whose training and test masks are the same. A
    bound that the dense model does not reach leaves all links open.

    Args:
        bound: Float above 0, nats per observation: the training loss that may be reached.
        ramp, freeze: See `Phased`; the ramp says how fast the target may fall.
        land: Step after `freeze` at which the landing ends; None for no landing.
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
        land: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(ramp, freeze, **kwargs)
        self.land = check_land(land, freeze)
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
        freeze_at: float = 0.85,
        granularity: str = "links",
    ) -> "Distortion":
        """A control whose phases end at fractions of a run of `n_steps` steps; it lands at 1."""
        first, last, freeze = steps_at(
            n_steps, open_until=open_until, full_at=full_at, freeze_at=freeze_at
        )
        land = n_steps if freeze < n_steps else None
        return cls(bound, (first, last), freeze, land, granularity=granularity)

    @property
    def last_step(self) -> int:
        """The step at which the landing ends, or without one that of `Phased`."""
        return super().last_step if self.land is None else self.land

    def default_gate(self) -> gates.Gate:
        return gates.Binary("threshold", seed=0)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        spans = [(self.ramp[1] - self.ramp[0]) / 10, N_STEPS]
        spans += [] if self.land is None else [(self.land - self.freeze) / 20]
        self.loss = SmoothedLoss(self, max(min(spans), 1.0))
        self.density = self.add_state("density", 1.0)
        self.target = self.add_state("target", 1.0)
        self.multiplier = self.add_state("multiplier")
        self.pace = self.add_state("pace", 1.0)  # of the landing; its sign: the side of the bound
        shapes = [] if self.land is None else input_shape
        self.scores = [self.add_state("scores", shape=shape) for shape in shapes]  # as frozen

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
        rate = 800 / max(self.learning_ends - self.ramp[0], 1)
        moved = multiplier + rate * (multiplier + 2 * self.bound) * error
        moved = ops.clip(moved, 0.0, _HIGHEST * self.bound)
        moves = ops.logical_and(ops.greater(self.learning(step), 0.5), ops.greater(updated, 0.5))
        for variable, value in ((self.target, target), (self.multiplier, moved)):
            variable.assign(ops.where(moves, value, ops.convert_to_tensor(variable)))
        super().end_step(layers, updated, optimizer)
        self._land(layers, updated, optimizer)

    def _land(self, layers, updated, optimizer):
        """Once gates are frozen: leaves as many open as the loss has room for."""
        able = learnable(layers)
        if self.land is None or not able:
            return
        step, n = ops.convert_to_tensor(self.n_steps), n_gates(layers)
        first = ops.equal(step, self.freeze)
        lands = ops.logical_and(ops.greater_equal(step, self.freeze), ops.less(step, self.land))
        now = ops.logical_and(lands, ops.greater(updated, 0.5))
        kept = [s for layer, s in zip(layers, self.scores, strict=True) if layer in able]
        n_losses = self.loss.variables[1]

        def cut():
            moved, pace = self._landing()
            target = ops.where(first, mean_over(layers, open_share), moved)
            target = ops.clip(target, 1 / n, 1.0)
            scores = [
                ops.where(first, layer.gate.score(), ops.convert_to_tensor(score))
                for layer, score in zip(able, kept, strict=True)
            ]
            new = _most_open(able, scores, ops.cast(ops.round(target * n), "int32"))
            since = ops.where(first, 0.0, ops.convert_to_tensor(n_losses))  # the mean begins anew
            return new, [target, ops.where(first, 1.0, pace), since, *scores]

        cut_when(now, able, optimizer, cut, [self.target, self.pace, n_losses, *kept])

    def _landing(self):
        """Target and pace after a step of the landing."""
        n, room, pace = self.land - self.freeze, self._room(), ops.convert_to_tensor(self.pace)
        # noise about the bound itself is no crossing
        side = ops.where(ops.abs(room) > 0.5, ops.sign(room), ops.sign(pace))
        grown = ops.minimum(ops.abs(pace) * math.exp(_N_FOLDS_PACE / n), 1.0)
        size = ops.where(side * pace < 0, ops.abs(pace) / 2, grown)
        fall = ops.exp(-_N_FOLDS_LANDING / n * size * room)
        return ops.convert_to_tensor(self.target) * fall, side * size

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
        return {**super().get_config(), "bound": self.bound, "land": self.land}


def _most_open(layers, scores, count):
    """Trainable weights of gates, of which the `count` with the highest scores are open.

    Those that had closed get the mean score of those that had not: just across the closing point
    they would be open by name, with masks of next to nothing.
    """
    above = [score - layer.gate.closing_point for layer, score in zip(layers, scores, strict=True)]
    masks, _ = largest_over(above, count)
    n_open = sum(ops.sum(ops.cast(ops.greater(a, 0.0), "float32")) for a in above)
    mean = sum(ops.sum(ops.maximum(a, 0.0)) for a in above) / ops.maximum(n_open, 1.0)
    return [
        layer.gate.parameter_for(mask, layer.gate.closing_point + ops.where(a > 0.0, a, mean))
        for layer, mask, a in zip(layers, masks, above, strict=True)
    ]
