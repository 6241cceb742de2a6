"""The FactorVAE objective: total correlation by an adversary."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_integer
from sparsevae.objectives.adversary import density_ratio, discriminator_loss, permute_latents
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class FactorVAE(Objective):
    """`-E[log p(x given z)] + KL + gamma TC(z)`, TC by a discriminator that trains beside.

    The discriminator (six dense layers of 1,000 units, leaky ReLU of slope 0.2, two logits) learns
    to tell z from z whose latents are permuted over the batch, by an Adam of its own (rate 1e-4,
    beta_1 0.5, beta_2 0.9: `optimizer`). Its loss reaches the encoder as little as the VAE's loss
    reaches it. Both take one step a batch, from the same z: the paper permutes a second batch.

    Args:
        gamma: Float at least 0, or a Keras schedule: weight of the total correlation.
        hidden: Units of each hidden layer of the discriminator.
        n_hidden: Its number of hidden layers.
        seed: Of its weights and of the permutations.

    References:
        Kim and Mnih 2018, Disentangling by Factorising, equation 2 and algorithm 2, 1802.05983. The
        grid is that of Locatello et al. 2019.
    """

    grid: ClassVar[Grid] = {"gamma": (10.0, 20.0, 30.0, 40.0, 50.0, 100.0)}
    loss_names = ("reconstruction_loss", "kl_loss", "total_correlation_loss", "discriminator_loss")
    uses = frozenset()  # both classes of the discriminator are whole batches
    gamma = Setting()

    def __init__(
        self,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 10.0,
        hidden: int = 1000,
        n_hidden: int = 6,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.gamma = gamma
        self.hidden = check_integer("hidden", hidden, minimum=1)
        self.n_hidden = check_integer("n_hidden", n_hidden, minimum=0)
        self.seed = check_integer("seed", seed, minimum=0)
        self.optimizer = keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.9)

    def build(self, input_shape: Any = None) -> None:
        self.discriminator = keras.Sequential([keras.Input(input_shape["z"][1:])])
        for number in range(self.n_hidden):
            self.discriminator.add(self._dense(self.hidden, number, "leaky_relu"))  # of slope 0.2
        self.discriminator.add(self._dense(2, self.n_hidden, dtype="float32"))

    def _dense(self, units, number, activation=None, **kwargs):
        start = keras.initializers.GlorotUniform(self.seed + number)
        return keras.layers.Dense(units, activation, kernel_initializer=start, **kwargs)

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        terms = context.terms
        total_correlation = density_ratio(self.discriminator(terms.z))
        return {
            "reconstruction_loss": -context.mean(terms.log_likelihood),
            "kl_loss": context.mean(terms.kl),
            "total_correlation_loss": self.value_of("gamma", context.step) * total_correlation,
        }

    def own_losses(self, context: Context) -> dict[str, tf.Tensor]:
        z = tf.stop_gradient(context.terms.z)
        seed = tf.stack([self.seed, tf.cast(context.step, tf.int32)])
        permuted = permute_latents(z, seed)
        loss = discriminator_loss(self.discriminator(z), self.discriminator(permuted))
        return {"discriminator_loss": loss}

    def get_config(self) -> dict:
        names = ("hidden", "n_hidden", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
