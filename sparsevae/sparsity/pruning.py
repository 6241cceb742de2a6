"""What controls share that set masks by a rule instead of letting gates learn."""

import abc
import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae import gates
from sparsevae.checks import check_choice, check_integer
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.control import Control
from sparsevae.sparsity.selection import check_density, largest_near, largest_over, shares
from sparsevae.training import GroupedOptimizer, assign_when, fused, seed_of_draw

SCOPES = ("layer", "global", "erk")


class Pruning(Control):
    """Sets the masks of `gates.Pruned` every few steps, by a rule, to an exact density.

    Densities are shares of all gates of the model; the last one is hit to the rounding of one. A
    gate is a link, a weight or a channel, by granularity; of "channels" layers differ in the links
    of a gate, so `report(model).density`, a share of links, is another number.

    Args:
        density: Float in (0, 1], at the end.
        begin, end: Steps of the first and of the last change of the masks.
        every: Steps between changes.
        scope: How many stay in each layer. "layer": the same share of each; "erk": more of small
            ones (see `selection.shares`); "global", where the rule knows it: the largest of all.
        granularity: See `Control`.
    """

    learned = False
    dense_gradient = False  # whether closed links shall have gradients
    watches_gradient = False  # whether `masks` looks at the gradient of kernels
    scopes: Sequence[str] = SCOPES

    def __init__(
        self,
        density: float,
        begin: int = 2_000,
        end: int = 12_000,
        every: int = 100,
        scope: str = "layer",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.density = check_density(density)
        self.begin = check_integer("begin", begin, minimum=0)
        self.end = check_integer("end", end, minimum=self.begin)
        self.every = check_integer("every", every, minimum=1)
        check_choice("scope", scope, self.scopes)
        self.scope = scope

    def default_gate(self) -> gates.Gate:
        return gates.Pruned()

    @property
    def last_step(self) -> int:
        """The step of the last change of the masks."""
        return self.end

    @property
    def may_change(self) -> bool:
        """Whether masks may still change, as of now."""
        return int(ops.convert_to_numpy(self.n_steps)) < max(self.end, 1)

    def learning(self, step: Any) -> Any:
        """1.0 while masks may change at `step`, else 0.0."""
        within = ops.logical_and(ops.greater_equal(step, self.begin), ops.less(step, self.end))
        return ops.cast(within, "float32")

    def progress(self, step: Any) -> Any:
        """Share of the changes that is over at `step`, in [0, 1]."""
        n = max(self.end - self.begin, 1)
        return ops.clip((ops.cast(step, "float32") - self.begin) / n, 0.0, 1.0)

    def take(self, layers: Sequence[GatedLayer]) -> None:
        super().take(layers)
        for layer in layers:
            layer.gate.dense_gradient = self.dense_gradient
            layer.switched_weights[0].watch_gradient = self.watches_gradient
        self._sizes = [math.prod(layer.gate.mask_shape) for layer in layers]
        self._shapes = [layer.kernel_shape for layer in layers]

    def begin_step(self, layers: Sequence[GatedLayer]) -> None:
        super().begin_step(layers)
        if self.begin:
            return
        first = ops.logical_and(ops.equal(self.n_steps, 0), ops.less(self.begun, 0.5))
        self._change(layers, first, None)
        self.begun.assign(ops.ones((), "float32"))

    @abc.abstractmethod
    def masks(
        self, layers: Sequence[GatedLayer], step: Any, optimizer: GroupedOptimizer | None
    ) -> list[Any]:
        """New masks of all layers at `step`, float32 like `gate.open`; then values of `remembered`.

        The optimizer is None before the first step.
        """

    @property
    def remembered(self) -> list[keras.Variable]:
        """Variables that `masks` gives new values for."""
        return []

    def kept(self, new: Any, old: Any) -> Any:
        """Mask of the weights that keep their value when a mask changes; others become 0."""
        del old
        return new

    def end_step(
        self, layers: Sequence[GatedLayer], updated: Any, optimizer: GroupedOptimizer | None = None
    ) -> None:
        super().end_step(layers, updated, optimizer)
        step = ops.convert_to_tensor(self.n_steps)
        due = ops.equal((step - self.begin) % self.every, 0)
        due = ops.logical_and(due, ops.greater_equal(step, self.begin))
        due = ops.logical_and(due, ops.less(step, self.end))
        due = ops.logical_or(due, ops.equal(step, self.end))
        due = ops.logical_and(due, ops.greater(updated, 0.5))
        self._change(layers, due, optimizer)

    def _change(self, layers, due, optimizer):
        """Sets masks, and to 0 what they close, where `due`."""
        step = ops.convert_to_tensor(self.n_steps)
        opens = [layer.gate.open for layer in layers]

        def values():
            new = self.masks(layers, step, optimizer)
            triples = zip(layers, new, opens, strict=False)
            weights = [layer.switched_by(self.kept(n, old)) for layer, n, old in triples]
            return [*new, *itertools.chain(*weights)]

        weights = itertools.chain(*(layer.switched_weights for layer in layers))
        assign_when(due, [*opens, *self.remembered, *weights], values)

    # Counts

    @property
    def _counts(self):
        """How many of each layer are open at the end."""
        scope = "erk" if self.scope == "erk" else "layer"
        return shares(self._sizes, self.density, scope, self._shapes)

    def density_at(self, step: Any) -> Any:
        """Share of all gates open at `step`: falls from 1 by a cubic law (Zhu and Gupta 2017)."""
        return self.density + (1.0 - self.density) * (1.0 - self.progress(step)) ** 3

    def counts_at(self, step: Any) -> list[Any]:
        """How many of each layer are open at `step`, integers."""
        left = (self.density_at(step) - self.density) / max(1.0 - self.density, 1e-9)
        ends = np.cumsum(self._counts)
        whole = np.cumsum(self._sizes)
        now = [end + left * (all_ - end) for end, all_ in zip(ends, whole, strict=True)]
        now = [ops.cast(ops.floor(n + 0.5), "int32") for n in now]
        now = [
            ops.where(ops.greater_equal(step, self.end), int(end), n)
            for end, n in zip(ends, now, strict=True)
        ]
        return [n - before for n, before in zip(now, [0, *now[:-1]], strict=True)]

    def largest_of(
        self, scores: Sequence[Any], step: Any, thresholds: Any = 0.0
    ) -> tuple[list[Any], Any]:
        """Masks of the largest scores: so many of each layer, or of all at once.

        Args:
            scores: Of each layer, float32.
            step: Integer scalar.
            thresholds: Of the step before, to find them quickly; see `largest_near`.

        Returns:
            The masks, and `(n_layers,)` thresholds of this step.
        """

        def chosen(step, thresholds, *scores):
            counts = self.counts_at(step)
            if self.scope == "global":
                masks, threshold = largest_over(scores, sum(counts), thresholds[0])
                return *masks, ops.full(thresholds.shape, threshold, "float32")
            cases = zip(scores, counts, ops.unstack(thresholds), strict=True)
            masks, found = zip(*itertools.starmap(largest_near, cases), strict=True)
            return *masks, ops.stack(found)

        thresholds = ops.broadcast_to(ops.convert_to_tensor(thresholds), (len(scores),))
        # One kernel, as these are hundreds of passes over small arrays.
        *masks, thresholds = fused(chosen, [], [step, thresholds, *scores])
        return masks, thresholds

    def logs(self, step: Any) -> dict[str, Any]:
        return {"target_density": self.density_at(step), **super().logs(step)}

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "density": self.density,
            "begin": self.begin,
            "end": self.end,
            "every": self.every,
            "scope": self.scope,
        }


def magnitudes(layer: GatedLayer) -> Any:
    """Root mean square of the weights behind each gate, float32 like its mask."""
    return ops.sqrt(layer.energy() / layer.parameters_per_gate)


def random_scores(layer: GatedLayer, seed: int, number: int, step: Any) -> Any:
    """Uniform in [0, 1), float32 like the mask: a function of seed, number of layer and step."""
    return keras.random.uniform(
        layer.gate.mask_shape, seed=seed_of_draw(seed * 65_537 + number, step)
    )
