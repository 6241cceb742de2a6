"""The hard-concrete gate of L0 regularisation."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.checks import check_choice
from sparsevae.gates.gate import Gate


@keras.saving.register_keras_serializable("sparsevae")
class HardConcrete(Gate):
    """Stretched, rectified concrete gate: exactly 0, exactly 1, or in between, and trainable.

    With logistic noise L, location a = `log_alpha`, temperature b and stretch (g, h):
    `s = sigmoid((L + a) / b)`, mask `z = clip(s (h - g) + g, 0, 1)`. One sample a step serves the
    whole batch. The penalty is the closed-form `P(z > 0) = sigmoid(a - b log(-g / h))`.

    Two test rules are in use, and they differ in which gates are closed. `"median"`:
    `clip(sigmoid(a / b) (h - g) + g)`, closed exactly when P(open) <= 1/2, so the number of open
    gates agrees with the expected density. `"mean"` (equation 13 of the paper):
    `clip(sigmoid(a) (h - g) + g)`, closed only when P(open) <= 0.31.

    Start with the gates fixed and open until the model has learned what its channels are for:
    noise from the first step makes a VAE lose latents at any strength.

    Args:
        initial_density: Float in (0, 1). Start of `log_alpha` is its logit, the paper's
            `1 - dropout rate` (P(open) is higher: 0.978 for 0.9; the expected mask is 0.88).
        temperature: Float above 0.
        stretch: `(g, h)` with g < 0 and h > 1.
        test_rule: `"median"` or `"mean"`.
        bounds: Range that `log_alpha` is kept in, so that gates can return. At the lower bound
            P(open) is the floor of the expected density (0.0045 at -7).
        learning_rate_multiplier: See `Gate`. From open to closed `log_alpha` travels 4 units,
            40,000 steps of Adam at a rate of 1e-4; hence 30 times the weights' rate.
        seed: See `Gate`.

    References:
        Louizos, Welling, Kingma 2018, Learning Sparse Neural Networks through L0 Regularization,
        equations 10-13, 1712.01312. Median rule: Gallego-Posada et al. 2022, 2208.04425.
    """

    def __init__(
        self,
        initial_density: float = 0.9,
        temperature: float = 2 / 3,
        stretch: tuple[float, float] = (-0.1, 1.1),
        test_rule: str = "median",
        bounds: tuple[float, float] = (-7.0, 5.0),
        learning_rate_multiplier: float = 30.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate_multiplier=learning_rate_multiplier, **kwargs)
        if not 0 < initial_density < 1:
            raise ValueError(
                "`initial_density` must be a float above 0 and below 1. "
                f"Received: initial_density={initial_density!r}"
            )
        if not 0 < temperature < float("inf"):
            raise ValueError(
                "`temperature` must be a finite float above 0. "
                f"Received: temperature={temperature!r}"
            )
        if not stretch[0] < 0 < 1 < stretch[1]:
            raise ValueError(
                "`stretch` must be a pair (low, high) with low < 0 and high > 1. "
                f"Received: stretch={stretch!r}"
            )
        check_choice("test_rule", test_rule, ("median", "mean"))
        if not bounds[0] < math.log(initial_density / (1 - initial_density)) < bounds[1]:
            raise ValueError(
                "`bounds` must be a pair (low, high) around the logit of `initial_density`. "
                f"Received: bounds={bounds!r}, initial_density={initial_density!r}"
            )
        self.initial_density = initial_density
        self.temperature = temperature
        self.stretch = tuple(stretch)
        self.test_rule = test_rule
        self.bounds = tuple(bounds)

    def build(self, input_shape: tuple[int, int]) -> None:
        super().build(input_shape)
        start = math.log(self.initial_density / (1 - self.initial_density))
        self._scaled_log_alpha = self._add_parameter("log_alpha", start, self.bounds, stddev=0.01)
        self._add_noise(scale=1 / self.temperature)

    @property
    def log_alpha(self) -> Any:
        """Location of the concrete distribution, float32 `(in_channels, out_channels)`."""
        return ops.multiply(self._scaled_log_alpha, self.learning_rate_multiplier)

    def _mask(self, temperature, noise=0.0):
        """clip(sigmoid(log_alpha / temperature + noise) (h - g) + g, 0, 1), in few passes."""
        low, high = self.stretch
        scale = self.learning_rate_multiplier / temperature
        soft = ops.sigmoid(ops.multiply(self._scaled_log_alpha, scale) + noise)
        # relu6 is a clip whose gradient is one pass over memory; that of ops.clip is five
        return ops.relu6(soft * (6 * (high - low)) + 6 * low) / 6

    def _learning_mask(self, windows):
        return self._mask(self.temperature, self._noise(windows))

    def _fixed_mask(self):
        return self._mask(self.temperature if self.test_rule == "median" else 1.0)

    def open_probability(self) -> Any:
        low, high = self.stretch
        return ops.sigmoid(self.log_alpha - self.temperature * math.log(-low / high))

    @property
    def closing_point(self) -> float:
        """`log_alpha` at which the mask of the test rule is 0."""
        low, high = self.stretch
        temperature = self.temperature if self.test_rule == "median" else 1.0
        return temperature * math.log(-low / high)

    def expected_mask(self) -> Any:
        """E[z], float32 `(in_channels, out_channels)` in [0, 1]; exact to about 1e-6."""
        return self._expectation(self.log_alpha, ops.sigmoid)

    @property
    def initial_mask(self) -> float:
        start = math.log(self.initial_density / (1 - self.initial_density))
        return self._expectation(start, lambda x: 1 / (1 + math.exp(-x)))

    @property
    def initial_test_mask(self) -> float:
        start = math.log(self.initial_density / (1 - self.initial_density))
        if self.test_rule == "median":
            start /= self.temperature
        low, high = self.stretch
        return min(1.0, max(0.0, (high - low) / (1 + math.exp(-start)) + low)) or 1.0

    def _expectation(self, log_alpha, sigmoid):
        """E[z] as the integral of P(z > t) over t in [0, 1], by Gauss-Legendre quadrature."""
        low, high = self.stretch
        nodes, weights = np.polynomial.legendre.leggauss(32)
        soft = ((nodes + 1) / 2 - low) / (high - low)
        shifts = self.temperature * np.log(soft / (1 - soft))
        return sum(
            float(w) / 2 * sigmoid(log_alpha - float(shift))
            for w, shift in zip(weights, shifts, strict=True)
        )

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "initial_density": self.initial_density,
            "temperature": self.temperature,
            "stretch": self.stretch,
            "test_rule": self.test_rule,
            "bounds": self.bounds,
        }
