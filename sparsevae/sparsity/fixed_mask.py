"""Masks that stay as they are from the first step on."""

from collections.abc import Sequence
from typing import Any

import keras

from sparsevae.checks import check_integer
from sparsevae.layers import GatedLayer
from sparsevae.sparsity.control import Control
from sparsevae.sparsity.pruning import Pruning, random_scores
from sparsevae.training import GroupedOptimizer


@keras.saving.register_keras_serializable("sparsevae")
class FixedMask(Pruning):
    """Trains under masks that never change: those that are set before, or random ones.

    Before the first step links are closed at random until `density` of all is open, and none is
    opened. So density 1 keeps the masks that the functions of `at_start`, or `set_gate_masks`,
    have set; and a lower one makes a random mask of a model whose gates are all open.

    Args:
        density: Float in (0, 1], of gates: see `Pruning`.
        scope: Of the draw. "layer": the same share of each layer; "erk": see `selection.shares`;
            "global": any of the model.
        seed: Of the draw.
        granularity: See `Control`.
    """

    def __init__(self, density: float = 1.0, scope: str = "layer", seed: int = 0, **kwargs: Any):
        super().__init__(density, begin=0, end=0, every=1, scope=scope, **kwargs)
        self.seed = check_integer("seed", seed, minimum=0)

    @classmethod
    def over(
        cls,
        density: float,
        n_steps: int,
        scope: str = "layer",
        seed: int = 0,
        granularity: str = "links",
    ) -> "FixedMask":
        """The same for a run of any number of steps; other controls need to know it."""
        check_integer("n_steps", n_steps, minimum=1)
        return cls(density, scope, seed, granularity=granularity)

    @property
    def may_change(self) -> bool:
        return self.density < 1 and super().may_change

    def begin_step(self, layers: Sequence[GatedLayer]) -> None:
        if self.density < 1:
            super().begin_step(layers)
        else:  # nothing to close, so nothing of it need be in the step
            Control.begin_step(self, layers)

    def end_step(
        self, layers: Sequence[GatedLayer], updated: Any, optimizer: GroupedOptimizer
    ) -> None:
        Control.end_step(self, layers, updated, optimizer)  # without changes of the masks

    def masks(
        self, layers: Sequence[GatedLayer], step: Any, optimizer: GroupedOptimizer | None
    ) -> list[Any]:
        opens = [layer.gate.open for layer in layers]
        draws = [random_scores(layer, self.seed, k, step) for k, layer in enumerate(layers)]
        scores = [(1.0 + draw) * is_open for draw, is_open in zip(draws, opens, strict=True)]
        masks, _ = self.largest_of(scores, step)
        return [mask * is_open for mask, is_open in zip(masks, opens, strict=True)]

    def logs(self, step: Any) -> dict[str, Any]:
        return {"learning": self.learning(step)}  # no density is aimed at

    def get_config(self) -> dict:
        config = super().get_config()
        kept = {key: config[key] for key in config if key not in ("begin", "end", "every")}
        return {**kept, "seed": self.seed}
