"""Top-k projection after every step."""

from collections.abc import Sequence
from typing import Any

import keras

from sparsevae.layers import GatedLayer
from sparsevae.sparsity.phases import steps_at
from sparsevae.sparsity.pruning import Pruning, magnitudes
from sparsevae.training import GroupedOptimizer


@keras.saving.register_keras_serializable("sparsevae")
class TopK(Pruning):
    """After every step keeps the links of the largest weights and sets the others to 0.

    Gradients are dense: a closed link can come back in any step in which one update makes it
    larger than an open one. The density falls by the cubic law of `MagnitudePruning`; from step
    `end` on masks stay as they are.

    Args:
        density, begin, end, every, scope, granularity: See `Pruning`.

    References:
        Gao et al. 2025, Weight-sparse transformers have interpretable circuits, section 2,
        2511.13653; there the density falls linearly and the projection goes on to the end.
    """

    dense_gradient = True

    def __init__(
        self, density: float, begin: int = 2_000, end: int = 17_000, every: int = 1, **kwargs: Any
    ):
        super().__init__(density, begin, end, every, **kwargs)

    @classmethod
    def over(
        cls,
        density: float,
        n_steps: int,
        open_until: float = 0.1,
        full_at: float = 0.85,
        every: int = 1,
        scope: str = "layer",
        granularity: str = "links",
    ) -> "TopK":
        """A control that projects between fractions of a run of `n_steps` steps."""
        begin, end = steps_at(n_steps, open_until=open_until, full_at=full_at)
        return cls(density, begin, end, every, scope=scope, granularity=granularity)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.thresholds = self.add_state("thresholds", shape=(len(input_shape),))

    @property
    def remembered(self) -> list[keras.Variable]:
        return [self.thresholds]

    def masks(
        self, layers: Sequence[GatedLayer], step: Any, optimizer: GroupedOptimizer
    ) -> list[Any]:
        sizes = [magnitudes(layer) for layer in layers]
        masks, thresholds = self.largest_of(sizes, step, self.thresholds)
        return [*masks, thresholds]
