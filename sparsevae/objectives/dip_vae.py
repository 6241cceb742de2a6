"""The DIP-VAE objectives: the aggregated posterior's covariance is pulled to the identity."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_choice
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting

KINDS = ("i", "ii")


def dip_penalty(
    z_mean: tf.Tensor,
    z_log_var: tf.Tensor,
    off_diagonal: float | tf.Tensor = 10.0,
    diagonal: float | tf.Tensor = 100.0,
    kind: str = "i",
) -> tf.Tensor:
    """`off_diagonal sum_{i != j} C_ij^2 + diagonal sum_i (C_ii - 1)^2`, a float32 scalar.

    Args:
        z_mean, z_log_var: Posteriors, independent normals, `(batch, latent_dim)`.
        off_diagonal, diagonal: Weights, at least 0.
        kind: `"i"`: C is the covariance of the means over the batch (divided by its size); `"ii"`:
            that of z, which has the mean of the variances on its diagonal too.

    Raises:
        ValueError: for an unknown kind.

    References:
        Kumar et al. 2018, Variational Inference of Disentangled Latent Concepts, equations 5 to 7,
        1711.00848.
    """
    check_choice("kind", kind, KINDS)
    z_mean, z_log_var = tf.cast(z_mean, tf.float32), tf.cast(z_log_var, tf.float32)
    centered = z_mean - tf.reduce_mean(z_mean, 0)  # first: large means would cancel
    n = tf.cast(tf.shape(z_mean)[0], tf.float32)
    covariance = tf.matmul(centered, centered, transpose_a=True) / n
    variances = tf.linalg.diag_part(covariance)
    off = tf.reduce_sum(tf.square(tf.linalg.set_diag(covariance, tf.zeros_like(variances))))
    if kind == "ii":
        variances += tf.reduce_mean(tf.exp(z_log_var), 0)
    return off_diagonal * off + diagonal * tf.reduce_sum(tf.square(variances - 1))


@keras.saving.register_keras_serializable("sparsevae")
class DIPVAE(Objective):
    """`-E[log p(x given z)] + KL + dip_penalty`, see `dip_penalty`.

    Args:
        off_diagonal: Float at least 0, or a Keras schedule.
        diagonal: The same; None is ten times `off_diagonal` for kind "i", and as much for "ii", as
            in the 2019 study.
        kind: `"i"` or `"ii"`.

    References:
        Kumar et al. 2018, equations 6 and 7. The grid is that of Locatello et al. 2019.
    """

    grid: ClassVar[Grid] = {"off_diagonal": (1.0, 2.0, 5.0, 10.0, 20.0, 50.0)}
    loss_names = ("reconstruction_loss", "kl_loss", "covariance_loss")
    uses = frozenset()  # a covariance over the batch does not weigh its images
    off_diagonal, diagonal = Setting(), Setting()

    def __init__(
        self,
        off_diagonal: float | keras.optimizers.schedules.LearningRateSchedule = 10.0,
        diagonal: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
        kind: str = "i",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_choice("kind", kind, KINDS)
        self.kind = kind
        self.off_diagonal = off_diagonal
        if diagonal is None:
            if not isinstance(off_diagonal, (int, float)):
                raise ValueError(
                    "`diagonal` must be given where `off_diagonal` is a schedule. Received: None"
                )
            diagonal = (10 if kind == "i" else 1) * off_diagonal
        self.diagonal = diagonal

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        terms = context.terms
        weights = (self.value_of(name, context.step) for name in ("off_diagonal", "diagonal"))
        return {
            "reconstruction_loss": -context.mean(terms.log_likelihood),
            "kl_loss": context.mean(terms.kl),
            "covariance_loss": dip_penalty(terms.z_mean, terms.z_log_var, *weights, self.kind),
        }

    def get_config(self) -> dict:
        return {**super().get_config(), "kind": self.kind}
