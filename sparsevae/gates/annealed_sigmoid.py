"""A noise-free soft gate that hardens over training."""

import math
from typing import Any

import keras
from keras import ops

from sparsevae.gates.gate import Gate


@keras.saving.register_keras_serializable("sparsevae")
class AnnealedSigmoid(Gate):
    """`sigmoid(hardness * score)`, with a hardness that grows from 1 to `final_hardness`.

    Deterministic, so that training and test agree and no noise can silence a latent. The control
    anneals: hardness is `final_hardness ** progress`. At the end of the learning phase the mask
    becomes 0 or 1 (open when `score > 0`); until then it is soft, also at test, and `support` says
    what it will become. Links near 0.5 change by that last cut, so weights need the freeze phase.

    The price is that of the soft mask, as in the paper; beside it hardened links are drawn back to
    where the loss decides (`cost`). Without that the model stays where it was when masks hardened:
    at a target of .02 of the links at .085, and the last cut took whole layers.

    Args:
        initial_score: Float above 0, start of the score.
        final_hardness: Float above 1.
        bounds: Range that the score is kept in.
        learning_rate_multiplier, seed: See `Gate`.

    References:
        Savarese, Silva, Maire 2020, Winning the Lottery with Continuous Sparsification,
        section 3, 1912.04427.
    """

    def __init__(
        self,
        initial_score: float = 1.0,
        final_hardness: float = 200.0,
        bounds: tuple[float, float] = (-5.0, 5.0),
        learning_rate_multiplier: float = 3.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate_multiplier=learning_rate_multiplier, **kwargs)
        if not bounds[0] < 0 < initial_score < bounds[1]:
            raise ValueError(
                "`initial_score` must be a float above 0, inside `bounds`, whose low end is below "
                f"0. Received: initial_score={initial_score!r}, bounds={bounds!r}"
            )
        if not 1 < final_hardness < float("inf"):
            raise ValueError(
                "`final_hardness` must be a finite float above 1. "
                f"Received: final_hardness={final_hardness!r}"
            )
        self.initial_score = initial_score
        self.final_hardness = final_hardness
        self.bounds = tuple(bounds)

    def build(self, input_shape: tuple[int, int]) -> None:
        super().build(input_shape)
        self._scaled_score = self._add_parameter(
            "score", self.initial_score, self.bounds, stddev=0.01
        )
        self.progress = self._add_state("progress", "zeros")

    @property
    def mask_variables(self) -> list[keras.Variable]:
        return [*super().mask_variables, self.progress]

    def set_phase(self, learning: Any, progress: Any) -> None:
        super().set_phase(learning, progress)
        self.progress.assign(progress)

    def _learning_mask(self, windows):
        del windows  # nothing is drawn
        return self._soft_mask()

    def _soft_mask(self):
        return ops.sigmoid(ops.power(self.final_hardness, self.progress) * self.score())

    def _fixed_mask(self):
        hard = ops.cast(self.support(), "float32")
        return ops.where(ops.greater_equal(self.progress, 1.0), hard, self._soft_mask())

    def support(self) -> Any:
        return ops.greater(self._scaled_score, 0)

    def open_probability(self) -> Any:
        """The soft mask: what its paper penalises, and the nearest thing here to a probability."""
        return self._soft_mask()

    def cost(self, kernel_energy: Any) -> Any:
        """The soft mask. Its slope is that, and what hardness has taken of the slope at hardness 1.

        A mask that has hardened has no slope where it is open, so that no price could close it
        any more, and its scores would say nothing of which links to cut last.
        """
        del kernel_energy
        lost = 1 - ops.power(self.final_hardness, -self.progress)
        pull = lost * ops.sigmoid(self.score())
        return self._soft_mask() + pull - ops.stop_gradient(pull)

    @property
    def initial_test_mask(self) -> float:
        return 1 / (1 + math.exp(-self.initial_score))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "initial_score": self.initial_score,
            "final_hardness": self.final_hardness,
            "bounds": self.bounds,
        }
