"""The AnnealedVAE objective: a KL that is told how large to be."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_integer
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class AnnealedVAE(Objective):
    """`-E[log p(x given z)] + gamma |KL - C|`, where C rises from 0 to the capacity.

    KL is the mean over the batch. Below C the loss pushes it up.

    Args:
        capacity: Float at least 0, nats: C after `n_steps` steps; from 0 it rises linearly.
        gamma: Float at least 0, or a Keras schedule.
        n_steps: Updates over which C rises, at least 1.

    References:
        Burgess et al. 2018, Understanding disentangling in beta-VAE, equation 8, 1804.03599. The
        grid and defaults are those of Locatello et al. 2019.
    """

    grid: ClassVar[Grid] = {"capacity": (5.0, 10.0, 25.0, 50.0, 75.0, 100.0)}
    loss_names = ("reconstruction_loss", "capacity_loss")
    capacity, gamma = Setting(), Setting()

    def __init__(
        self,
        capacity: float = 25.0,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 1000.0,
        n_steps: int = 100_000,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.capacity, self.gamma = capacity, gamma
        self.n_steps = check_integer("n_steps", n_steps, minimum=1)

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        gamma = self.value_of("gamma", context.step)
        risen = tf.minimum(tf.cast(context.step, tf.float32) / self.n_steps, 1.0)
        capacity = self.value_of("capacity", context.step) * risen
        return {
            "reconstruction_loss": -context.mean(context.terms.log_likelihood),
            "capacity_loss": gamma * tf.abs(context.mean(context.terms.kl) - capacity),
        }

    def get_config(self) -> dict:
        return {**super().get_config(), "n_steps": self.n_steps}
