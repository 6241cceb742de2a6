"""Gradual magnitude pruning."""

from collections.abc import Sequence
from typing import Any

import keras

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.phases import steps_at
from sparsevae.sparsity.pruning import Pruning, magnitudes
from sparsevae.training import GroupedOptimizer


@keras.saving.register_keras_serializable("sparsevae")
class MagnitudePruning(Pruning):
    """Closes the links of the smallest weights, more and more of them, for good.

    From step `begin` on the density falls from 1 to `density` by the cubic law
    `d + (1 - d) (1 - t)^3`; at step `end` it is hit exactly. The size of a link is the root mean
    square of its kernel weights, so that kernels of different windows compare.

    Args:
        density, begin, end, every, scope, granularity: See `Pruning`; with scope "global" a layer
            may lose all its links.

    References:
        Zhu and Gupta 2017, To prune, or not to prune, equation 1, 1710.01878.
    """

    @classmethod
    def over(
        cls,
        density: float,
        n_steps: int,
        open_until: float = 0.1,
        full_at: float = 0.7,
        every: int | None = None,
        scope: str = "layer",
        granularity: str = "links",
    ) -> "MagnitudePruning":
        """A control that prunes between fractions of a run of `n_steps` steps.

        `every` is 100 steps, or so many that there are 20 changes in a short run.
        """
        begin, end = steps_at(n_steps, open_until=open_until, full_at=full_at)
        every = max(1, min(100, (end - begin) // 20)) if every is None else every
        return cls(density, begin, end, every, scope, granularity=granularity)

    def masks(
        self, layers: Sequence[GatedLayer], step: Any, optimizer: GroupedOptimizer
    ) -> list[Any]:
        # Momentum moves what is closed for a while: it must not come back by that.
        sizes = [magnitudes(layer) * layer.gate.open for layer in layers]
        return self.largest_of(sizes, step)[0]
