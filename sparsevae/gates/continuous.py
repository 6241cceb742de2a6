"""The continuous mask with an exact L1 penalty."""

from typing import Any

import keras
from keras import ops

from sparsevae.gates.gate import Gate


@keras.saving.register_keras_serializable("sparsevae")
class Continuous(Gate):
    """A mask M in [0, 1] whose price makes the *product* with the kernel sparse.

    An L1 penalty on M alone means nothing: (K t)(M / t) is the same network with a cheaper mask.
    This gate charges `(M^2 + |K|^2) / 2` for a link with kernel weights K. Over all t that is at
    least `|M| |K|`, with equality at the optimum, so in effect the price is the L1 norm of a
    dense layer's effective kernel and the group lasso, one group per link, of a convolution's;
    where gates switch channels, one group per channel, its bias included.
    The price is that of link norm, not of a count: strength is in nats per unit of mean norm.

    L2 on both factors approaches zero without arriving, so a link is cut, to exactly 0 in training
    as in test, once M falls under `threshold`; balanced, its norm is then under `threshold^2`. A
    cut link decays to (0, 0) and stays out.

    Proximal steps on M were measured beside it (docs/gates.md): 0.1 to 0.4 nats of 28 better at
    equal density, but bound to Adam's state and to a weight decay that sets the scale. A term of
    the loss works under any optimizer and in anybody's training loop.

    Args:
        threshold: Float in [0, 1).
        learning_rate_multiplier, seed: See `Gate`.

    References:
        Ziyin, Wang 2023, spred: Solving L1 Penalty with SGD, theorem 1, 2210.01212.
    """

    charges_kernel = True

    def __init__(
        self, threshold: float = 0.1, learning_rate_multiplier: float = 1.0, **kwargs: Any
    ):
        super().__init__(learning_rate_multiplier=learning_rate_multiplier, **kwargs)
        if not 0 <= threshold < 1:
            raise ValueError(
                f"`threshold` must be a float in [0, 1). Received: threshold={threshold!r}"
            )
        self.threshold = threshold

    def build(self, input_shape: tuple[int, int]) -> None:
        super().build(input_shape)
        self._scaled_value = self._add_parameter("value", 1.0, (0.0, 1.0))

    @property
    def value(self) -> Any:
        """M before the cut, float32 `(in_channels, out_channels)` in [0, 1]."""
        return ops.multiply(self._scaled_value, self.learning_rate_multiplier)

    def _learning_mask(self, windows):
        del windows  # nothing is drawn
        return self._fixed_mask()

    def _fixed_mask(self):
        value = self.value
        cut = ops.where(ops.greater(value, self.threshold), value, 0.0)
        return ops.stop_gradient(cut) + (value - ops.stop_gradient(value))

    @property
    def closing_point(self) -> float:
        return self.threshold

    def open_probability(self) -> Any:
        return ops.cast(self.support(), "float32")

    def cost(self, kernel_energy: Any) -> Any:
        return (ops.square(self.value) + kernel_energy) / 2

    def get_config(self) -> dict:
        return {**super().get_config(), "threshold": self.threshold}
