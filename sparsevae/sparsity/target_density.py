"""Control of sparsity by the density that is wanted."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae.checks import check_choice, is_number
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.cutting import cut_when
from sparsevae.sparsity.phases import Phased, steps_at
from sparsevae.sparsity.prices import learnable, mean_over, n_gates, open_share
from sparsevae.sparsity.selection import check_density, largest, largest_over, shares
from sparsevae.sparsity.smoothed_loss import SmoothedLoss
from sparsevae.training import GroupedOptimizer

SCOPES = ("model", "layer")


@keras.saving.register_keras_serializable("sparsevae")
class TargetDensity(Phased):
    """Adds `multiplier * (density - target)` to the loss, with a multiplier that finds itself.

    The Lagrangian of "least loss such that the expected density is at most the target". After
    each step the multiplier (in nats, like a `Strength`) rises by `dual_rate * (density -
    target)`, and starts again from 0 as soon as the target is met, so that it does not go on
    closing links. Gates are never forced open. The target itself falls from 1 over the ramp.

    When the gates are frozen exactly the share `density` of the gates is left open: those most
    open, by their own parameters. A gate is a link, a weight or a channel, by granularity; of
    "channels" layers differ in the links of a gate, so `report(model).density`, and `density` in
    the logs, which are shares of links, are other numbers. `density_before_cut` and `cut_jump`
    (mean loss of 100 steps after, minus before) are logged.

    Args:
        density: Float in (0, 1]: share of the gates that can learn.
        ramp, freeze: See `Phased`; `freeze` None: there is no cut, and the density is approached.
        scope: "model": one multiplier; "layer": one for each, so that each has the target.
        dual_rate: Float above 0, nats. None: `400 |loss| / (n (1 - density))` for n steps of
            learning and the mean loss of the open phase, which brings the multiplier to tens of
            times what a VAE's code is worth, where gates close that carry something. The loss
            counts as 1 nat at least: that of a classifier trained before is next to nothing.
        granularity: See `Control`.

    References:
        Gallego-Posada et al. 2022, Controlled Sparsity via Constrained Optimization, section 4,
        2208.04425. There the density is of parameters, and there is no last cut.
    """

    def __init__(
        self,
        density: float,
        ramp: tuple[int, int] = (2_000, 6_000),
        freeze: int | None = None,
        scope: str = "model",
        dual_rate: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(ramp, freeze, **kwargs)
        self.density = check_density(density)
        check_choice("scope", scope, SCOPES)
        self.scope = scope
        if dual_rate is not None and not (is_number(dual_rate) and 0 < dual_rate < float("inf")):
            raise ValueError(
                "`dual_rate` must be None or a finite float above 0. "
                f"Received: dual_rate={dual_rate!r}"
            )
        self.dual_rate = dual_rate

    @classmethod
    def over(
        cls,
        density: float,
        n_steps: int,
        open_until: float = 0.1,
        full_at: float = 0.4,
        freeze_at: float = 0.85,
        scope: str = "model",
        dual_rate: float | None = None,
        granularity: str = "links",
    ) -> "TargetDensity":
        """A control whose phases end at fractions of a run of `n_steps` steps."""
        first, last, freeze = steps_at(
            n_steps, open_until=open_until, full_at=full_at, freeze_at=freeze_at
        )
        return cls(density, (first, last), freeze, scope, dual_rate, granularity=granularity)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        n = len(input_shape) if self.scope == "layer" else 1
        self.multipliers = self.add_state("multipliers", shape=(n,))
        self.densities = self.add_state("densities", 1.0, shape=(n,))
        self.loss = SmoothedLoss(self)
        self.loss_when_open = self.add_state("loss_when_open")
        self.loss_before_cut = self.add_state("loss_before_cut")
        self.density_before_cut = self.add_state("density_before_cut", 1.0)

    def target_at(self, step: Any) -> Any:
        """The density wanted at `step`."""
        return 1.0 - (1.0 - self.density) * self.rise(step)

    def penalty(self, layers: Sequence[GatedLayer]) -> Any:
        """The price of all links that can learn, a scalar in nats per observation."""
        price = ops.sum(self.multipliers * self._means(layers, lambda layer: layer.mean_cost()))
        return self.learning(ops.convert_to_tensor(self.n_steps)) * price

    def _means(self, layers, of):
        """Means over the layers that share a multiplier, shaped like `multipliers`."""
        parts = [[layer] for layer in layers] if self.scope == "layer" else [layers]
        return ops.stack([mean_over(part, of) for part in parts])

    def observe(self, loss: Any, layers: Sequence[GatedLayer]) -> None:
        """Notes the density of a step, and its loss, smoothed."""
        charged = any(layer.gate.charges_kernel for layer in learnable(layers))
        density = self._means(layers, open_share if charged else lambda layer: layer.mean_cost())
        self.densities.assign(ops.stop_gradient(density))
        self.loss.add(loss)

    def end_step(
        self, layers: Sequence[GatedLayer], updated: Any, optimizer: GroupedOptimizer | None = None
    ) -> None:
        step = ops.convert_to_tensor(self.n_steps)
        violation = ops.convert_to_tensor(self.densities) - self.target_at(step)
        raised = ops.convert_to_tensor(self.multipliers) + self._rate() * violation
        new = ops.where(violation > 0, ops.maximum(raised, 0.0), 0.0)
        moves = ops.logical_and(ops.greater(self.learning(step), 0.5), ops.greater(updated, 0.5))
        self.multipliers.assign(ops.where(moves, new, ops.convert_to_tensor(self.multipliers)))
        self._note_open_loss(step)
        super().end_step(layers, updated, optimizer)
        self._cut(layers, updated, optimizer)

    def _rate(self):
        if self.dual_rate is not None:
            return self.dual_rate
        n = self.learning_ends - self.ramp[0]
        scale = 400 / (max(n, 1) * max(1 - self.density, 1e-3))
        return scale * ops.maximum(ops.abs(ops.convert_to_tensor(self.loss_when_open)), 1.0)

    def _note_open_loss(self, step):
        """The scale of the loss: its mean when gates begin to learn."""
        is_open = ops.less(step, max(self.ramp[0], 1))
        before, now = ops.convert_to_tensor(self.loss_when_open), self.loss.value
        self.loss_when_open.assign(ops.where(is_open, now, before))

    def _cut(self, layers, updated, optimizer):
        """When gates are frozen: leaves exactly the links that are wanted."""
        layers = learnable(layers)
        if self.freeze is None or not layers:
            return
        step = ops.convert_to_tensor(self.n_steps)
        now = ops.logical_and(ops.equal(step, self.freeze), ops.greater(updated, 0.5))
        notes = [self.loss_before_cut, self.density_before_cut, self.loss.variables[1]]

        def cut():
            before = self.loss.value, mean_over(layers, open_share)
            return self._cut_parameters(layers), [*before, ops.zeros((), "float32")]  # mean anew

        cut_when(now, layers, optimizer, cut, notes)

    def _cut_parameters(self, layers):
        scores = [layer.gate.score() for layer in layers]
        if self.scope == "layer":
            sizes = [math.prod(layer.gate.mask_shape) for layer in layers]
            counts = shares(sizes, self.density)
            kept = [largest(score, n) for score, n in zip(scores, counts, strict=True)]
        else:
            n = max(1, math.floor(self.density * n_gates(layers) + 0.5))
            kept, _ = largest_over(scores, n)
        return [layer.gate.parameter_for(keep) for layer, keep in zip(layers, kept, strict=True)]

    def logs(self, step: Any) -> dict[str, Any]:
        logs = {"multiplier": ops.mean(ops.convert_to_tensor(self.multipliers))}
        logs["target_density"] = self.target_at(step)
        if self.freeze is not None:
            cut = ops.greater_equal(step, self.freeze)
            jump = self.loss.value - ops.convert_to_tensor(self.loss_before_cut)
            logs["density_before_cut"] = ops.convert_to_tensor(self.density_before_cut)
            logs["cut_jump"] = ops.where(cut, jump, 0.0)
        return {**logs, **super().logs(step)}

    def get_config(self) -> dict:
        config = {"density": self.density, "scope": self.scope, "dual_rate": self.dual_rate}
        return {**super().get_config(), **config}
