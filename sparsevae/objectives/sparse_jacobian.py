"""A sparse decoder Jacobian: each latent moves few pixels."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_integer
from sparsevae.objectives.around import Around
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class SparseJacobian(Around):
    """Another objective's losses `+ gamma E sum_ij |d x_i / d z_j|`, x the decoder's mean image.

    The derivatives are exact, by forward mode along `n_latents` latents drawn in each step, whose
    sum is scaled to all; each of them costs one pass of the decoder.

    Args:
        objective: Any other; `BetaVAE(1.0)` by default.
        gamma: Float at least 0, or a Keras schedule.
        n_latents: Latents along which each step looks, at least 1; all if there are not more.
        seed: Of the draws.

    References:
        Rhodes and Lee 2021, Local Disentanglement in Variational Auto-Encoders Using Jacobian L1
        Regularization, section 4, 2106.02923. The grid is ours: strengths differ by data set there.
    """

    grid: ClassVar[Grid] = {"gamma": (0.001, 0.003, 0.01, 0.03, 0.1)}
    more_names = ("jacobian_loss",)
    gamma = Setting()

    def __init__(
        self,
        objective: Objective | None = None,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 0.01,
        n_latents: int = 2,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(objective, **kwargs)
        self.gamma = gamma
        self.n_latents = check_integer("n_latents", n_latents, minimum=1)
        self.seed = check_integer("seed", seed, minimum=0)

    def more(self, context: Context) -> dict[str, tf.Tensor]:
        z = context.terms.z
        latent_dim = z.shape[-1]
        seed = tf.stack([self.seed, tf.cast(context.step, tf.int32)])
        order = tf.argsort(tf.random.stateless_uniform((latent_dim,), seed))
        n = min(self.n_latents, latent_dim)
        sums = [self._sum(context, z, tf.one_hot(order[k], latent_dim)) for k in range(n)]
        total = tf.add_n([context.mean(values) for values in sums]) * (latent_dim / n)
        return {"jacobian_loss": self.value_of("gamma", context.step) * total}

    def _sum(self, context, z, direction):
        """Sum over pixels of the derivatives' sizes, `(batch,)`."""
        with tf.autodiff.ForwardAccumulator(z, tf.ones_like(z) * direction) as forward:
            decoded = context.decoder(z, training=context.training)
            image = context.likelihood(decoded).mean()
        slope = tf.cast(forward.jvp(image), tf.float32)
        return tf.reduce_sum(tf.abs(slope), axis=range(1, len(slope.shape)))

    def get_config(self) -> dict:
        config = {"n_latents": self.n_latents, "seed": self.seed}
        return {**super().get_config(), **config}
