"""0/1 gates with a straight-through gradient."""

import math
from typing import Any

import keras
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.gates.gate import Gate

ESTIMATORS = ("bernoulli", "threshold")


@keras.saving.register_keras_serializable("sparsevae")
class Binary(Gate):
    """A mask of zeros and ones; the gradient is that of `sigmoid(logit)` (straight-through).

    `"bernoulli"` draws each link open with probability `p = sigmoid(logit)` while learning;
    `"threshold"` is deterministic, open when `logit > 0`. Both pass the gradient p (1 - p) back
    (biased), both test with `logit > 0`, that is P(open) > 1/2.

    Args:
        estimator: `"bernoulli"` or `"threshold"`.
        initial_density: Float in (0.5, 1), start of p. Above 0.9 a VAE keeps its latents when
            learning begins.
        bounds: Range that the logit is kept in; without it scores run away and never return.
        learning_rate_multiplier, seed: See `Gate`.

    References:
        Bengio, Leonard, Courville 2013, Estimating or Propagating Gradients Through Stochastic
        Neurons, section 4, 1308.3432.
    """

    def __init__(
        self,
        estimator: str = "bernoulli",
        initial_density: float = 0.98,
        bounds: tuple[float, float] = (-4.6, 4.6),
        learning_rate_multiplier: float = 30.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate_multiplier=learning_rate_multiplier, **kwargs)
        check_choice("estimator", estimator, ESTIMATORS)
        if not 0.5 < initial_density < 1:
            raise ValueError(
                "`initial_density` must be a float above 0.5 and below 1. "
                f"Received: initial_density={initial_density!r}"
            )
        if not bounds[0] < 0 < math.log(initial_density / (1 - initial_density)) < bounds[1]:
            raise ValueError(
                "`bounds` must be a pair (low, high) with low < 0 and high above the logit of "
                f"`initial_density`. Received: bounds={bounds!r}, {initial_density=!r}"
            )
        self.estimator = estimator
        self.initial_density = initial_density
        self.bounds = tuple(bounds)

    def build(self, input_shape: tuple[int, int]) -> None:
        super().build(input_shape)
        start = math.log(self.initial_density / (1 - self.initial_density))
        self._scaled_logit = self._add_parameter("logit", start, self.bounds, stddev=0.01)
        if self.estimator == "bernoulli":
            self._add_noise()

    @property
    def logit(self) -> Any:
        """Log odds of p, float32 `(in_channels, out_channels)`."""
        return ops.multiply(self._scaled_logit, self.learning_rate_multiplier)

    def _straight_through(self, is_open):
        """Exactly 0 or 1 forward, the gradient of `sigmoid(logit)` backward."""
        soft = ops.sigmoid(self.logit)
        return ops.cast(is_open, "float32") + (soft - ops.stop_gradient(soft))

    def _learning_mask(self, windows):
        noise = self._noise(windows) if self.estimator == "bernoulli" else 0.0
        return self._straight_through(ops.greater(self.logit + noise, 0))

    def _fixed_mask(self):
        return ops.cast(ops.greater(self._scaled_logit, 0), "float32")

    def open_probability(self) -> Any:
        if self.estimator == "threshold":
            return self._fixed_mask()
        return ops.sigmoid(self.logit)

    def cost(self, kernel_energy: Any) -> Any:
        if self.estimator == "threshold":
            return self._straight_through(self.support())
        return super().cost(kernel_energy)

    @property
    def initial_mask(self) -> float:
        return self.initial_density if self.estimator == "bernoulli" else 1.0

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "estimator": self.estimator,
            "initial_density": self.initial_density,
            "bounds": self.bounds,
        }
