"""The beta-VAE objective."""

import keras
import tensorflow as tf

from sparsevae.objectives.elbo import Terms
from sparsevae.objectives.objective import Objective


@keras.saving.register_keras_serializable("sparsevae")
class BetaVAE(Objective):
    """`-E[log p(x given z)] + beta KL(q(z given x) || p(z))`, mean over the batch.

    Args:
        beta: Float at least 0; 1 is the negative ELBO.

    References:
        Higgins et al. 2017, beta-VAE, equation 4.
    """

    def __init__(self, beta=1.0):
        if not 0 <= beta < float("inf"):
            raise ValueError(
                f"`beta` must be a finite float of at least 0. Received: beta={beta!r}"
            )
        self.beta = beta

    def __call__(self, terms: Terms) -> tf.Tensor:
        return tf.reduce_mean(self.beta * terms.kl - terms.log_likelihood)

    def get_config(self):
        return {"beta": self.beta}
