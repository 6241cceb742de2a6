"""The beta-VAE objective."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class BetaVAE(Objective):
    """`-E[log p(x given z)] + beta KL(q(z given x) || p(z))`, mean over the batch.

    Args:
        beta: Float at least 0; 1 is the negative ELBO. Or a Keras schedule of the step, such as
            `keras.optimizers.schedules.PolynomialDecay(0.0, 10_000, 4.0)` for a linear warm-up.
            It may be changed while the model trains.

    References:
        Higgins et al. 2017, beta-VAE, equation 4. The grid is that of Locatello et al. 2019.
    """

    grid: ClassVar[Grid] = {"beta": (1.0, 2.0, 4.0, 6.0, 8.0, 16.0)}
    loss_names = ("reconstruction_loss", "kl_loss")
    beta = Setting()

    def __init__(
        self,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.beta = beta

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        beta = self.value_of("beta", context.step)
        return {
            "reconstruction_loss": -context.mean(context.terms.log_likelihood),
            "kl_loss": beta * context.mean(context.terms.kl),
        }
