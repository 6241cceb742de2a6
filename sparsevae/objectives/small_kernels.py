"""Small weights instead of few links: L2 on kernels."""

from typing import Any

import keras
import tensorflow as tf

from sparsevae.objectives.around import Around
from sparsevae.objectives.objective import Context, Objective
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class SmallKernels(Around):
    """Another objective's losses `+ strength / 2 sum_w w^2` over all kernels of both networks.

    The control for sparsity: a continuous mask, the product of two factors under their L2, makes
    links sparse and weights small. Biases are left alone. In kernels with gates closed links count
    too, as they are stored.

    Args:
        objective: Any other; `BetaVAE(1.0)` by default.
        strength: Float at least 0, or a Keras schedule, nats per squared weight.
    """

    more_names = ("kernels_loss",)
    strength = Setting()

    def __init__(
        self,
        objective: Objective | None = None,
        strength: float | keras.optimizers.schedules.LearningRateSchedule = 0.01,
        **kwargs: Any,
    ):
        super().__init__(objective, **kwargs)
        self.strength = strength

    def more(self, context: Context) -> dict[str, tf.Tensor]:
        networks = context.encoder, context.decoder
        kernels = [v for network in networks for v in network.weights if v.name == "kernel"]
        squares = tf.add_n([tf.reduce_sum(tf.square(tf.cast(k, tf.float32))) for k in kernels])
        return {"kernels_loss": self.value_of("strength", context.step) / 2 * squares}
