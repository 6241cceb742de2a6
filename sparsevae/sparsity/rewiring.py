"""Sparse training that moves its links: SET and RigL."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from sparsevae.checks import check_integer, is_number
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.phases import steps_at
from sparsevae.sparsity.pruning import Pruning, magnitudes, random_scores
from sparsevae.sparsity.selection import largest
from sparsevae.training import GroupedOptimizer


class Rewiring(Pruning):
    """Trains at one density: every few steps drops small links and grows as many others.

    At step `begin` a random mask of exactly the density is set; 0 is before the first step. Links
    that grow begin at 0. Each layer keeps its number of links.

    Args:
        density, begin, end, every, granularity: See `Pruning`; no link moves after `end`.
        drop_fraction: Float in (0, 1): share of the open links that is dropped.
        scope: "erk" or "layer".
        seed: Of the first mask, and of what grows at random.
    """

    scopes = ("erk", "layer")

    def __init__(
        self,
        density: float,
        begin: int = 0,
        end: int = 15_000,
        every: int = 100,
        drop_fraction: float = 0.3,
        scope: str = "erk",
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(density, begin, end, every, scope, **kwargs)
        if not (is_number(drop_fraction) and 0 < drop_fraction < 1):
            raise ValueError(
                "`drop_fraction` must be a float above 0 and below 1. "
                f"Received: drop_fraction={drop_fraction!r}"
            )
        self.drop_fraction = drop_fraction
        self.seed = check_integer("seed", seed, minimum=0)

    @classmethod
    def over(
        cls,
        density: float,
        n_steps: int,
        open_until: float = 0.0,
        full_at: float = 0.75,
        every: int | None = None,
        drop_fraction: float = 0.3,
        scope: str = "erk",
        seed: int = 0,
        granularity: str = "links",
    ) -> "Rewiring":
        """A control whose links move between fractions of a run of `n_steps` steps.

        `every` is 100 steps, or so many that there are 20 changes in a short run.
        """
        begin, end = steps_at(n_steps, open_until=open_until, full_at=full_at)
        every = max(1, min(100, (end - begin) // 20)) if every is None else every
        options = {"drop_fraction": drop_fraction, "scope": scope, "seed": seed}
        return cls(density, begin, end, every, granularity=granularity, **options)

    def density_at(self, step: Any) -> Any:
        """All links before `begin`, then the density."""
        return ops.where(ops.less(step, self.begin), 1.0, self.density)

    @abc.abstractmethod
    def fraction_at(self, step: Any) -> Any:
        """Share of the open links that is dropped at `step`."""

    @abc.abstractmethod
    def growth(self, layer: GatedLayer, number: int, step: Any, optimizer: GroupedOptimizer) -> Any:
        """Closed links of a higher score grow, float32 at least 0, like `gate.open`."""

    def masks(
        self, layers: Sequence[GatedLayer], step: Any, optimizer: GroupedOptimizer | None
    ) -> list[Any]:
        if optimizer is None:
            return [self._first(layer, k, step) for k, layer in enumerate(layers)]
        return ops.cond(
            ops.less_equal(step, self.begin),
            lambda: [self._first(layer, k, step) for k, layer in enumerate(layers)],
            lambda: [self._moved(layer, k, step, optimizer) for k, layer in enumerate(layers)],
        )

    def kept(self, new: Any, old: Any) -> Any:
        return new * old

    def _first(self, layer, number, step):
        return largest(self.draw(layer, number, step), self._counts[number])

    def _moved(self, layer, number, step, optimizer):
        n, is_open = self._counts[number], ops.greater(layer.gate.open, 0.5)
        dropped = ops.cast(ops.floor(self.fraction_at(step) * n), "int32")
        dropped = ops.minimum(dropped, self._sizes[number] - n)
        stay = largest(ops.where(is_open, magnitudes(layer), -1.0), n - dropped)
        growth = self.growth(layer, number, step, optimizer)
        return stay + largest(ops.where(is_open, -1.0, growth), dropped)

    def draw(self, layer: GatedLayer, number: int, step: Any) -> Any:
        """Uniform random scores: a function of the seed, the layer's number and the step."""
        return random_scores(layer, self.seed, number, step)

    def get_config(self) -> dict:
        config = {"drop_fraction": self.drop_fraction, "seed": self.seed}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("sparsevae")
class SET(Rewiring):
    """Sparse evolutionary training: what grows is random; the dropped share stays the same.

    Args:
        density, begin, end, every, drop_fraction, scope, seed, granularity: See `Rewiring`.

    References:
        Mocanu et al. 2018, Scalable training of artificial neural networks with adaptive sparse
        connectivity inspired by network science, algorithm 1, 1707.04780.
    """

    def fraction_at(self, step: Any) -> Any:
        del step
        return self.drop_fraction

    def growth(self, layer: GatedLayer, number: int, step: Any, optimizer: GroupedOptimizer) -> Any:
        return self.draw(layer, number, step)


@keras.saving.register_keras_serializable("sparsevae")
class RigL(Rewiring):
    """Rigged lottery: links of the largest gradient grow; the dropped share falls to 0.

    The gradient is that of the last batch, as if all links were open. The share is
    `drop_fraction / 2 (1 + cos(pi t))`, with t from 0 at `begin` to 1 at `end`.

    Args:
        density, begin, end, every, drop_fraction, scope, seed, granularity: See `Rewiring`.

    References:
        Evci et al. 2020, Rigging the Lottery, algorithm 1, 1911.11134.
    """

    dense_gradient = True
    watches_gradient = True

    def fraction_at(self, step: Any) -> Any:
        return self.drop_fraction / 2 * (1 + ops.cos(math.pi * self.progress(step)))

    def growth(self, layer: GatedLayer, number: int, step: Any, optimizer: GroupedOptimizer) -> Any:
        return layer.energy(optimizer.gradient_of(layer.switched_weights[0]))
