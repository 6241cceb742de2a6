"""Hausdorff factorised support: every combination of the latents' values should occur."""

import itertools
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from sparsevae.checks import check_integer
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.training import Setting, fused


def hausdorff_support(z_mean: tf.Tensor, pairs: tf.Tensor | None = None) -> tf.Tensor:
    """How far the support of pairs of latents is from the product of their supports.

    For latents i and j, with points `(m_bi, m_bj)` over the batch: of all combinations `(m_pi,
    m_qj)`, the largest squared distance to the nearest point. Summed over pairs of latents. Its
    gradient is that of the distances that attain it.

    Args:
        z_mean: Means of the posteriors, `(batch, latent_dim)`.
        pairs: Integers `(n_pairs, 2)`; None is all pairs i < j.

    Returns:
        Float32 scalar, at least 0; 0 where one of each two latents is constant.

    References:
        Roth et al. 2023, Disentanglement of Correlated Factors via Hausdorff Factorized Support,
        section 3, 2210.07347.
    """
    z_mean = tf.cast(z_mean, tf.float32)
    if pairs is None:
        pairs = all_pairs(z_mean.shape[-1])
    columns = tf.gather(tf.transpose(z_mean), pairs)  # (pairs, 2, batch)
    p, q, b = _attained(tf.stop_gradient(columns))
    first, second = columns[:, 0], columns[:, 1]

    def at(values, places):
        return tf.gather(values, places[:, None], batch_dims=1)[:, 0]

    gaps = (at(first, p) - at(first, b), at(second, q) - at(second, b))
    return tf.reduce_sum(tf.square(gaps[0]) + tf.square(gaps[1]))


def all_pairs(latent_dim: int) -> np.ndarray:
    """All pairs i < j of latents, int32 `(n_pairs, 2)`."""
    return np.array(list(itertools.combinations(range(latent_dim), 2)), "int32").reshape(-1, 2)


def _attained(columns):
    """By pair the rows p and q of the farthest combination, and b of the point next to it."""

    def found(columns):
        both = tf.square(columns[..., None] - columns[:, :, None])  # (pairs, 2, batch, batch)
        first, second = both[:, 0], both[:, 1]
        nearest = tf.reduce_min(first[:, :, None] + second[:, None], -1)  # (pairs, p, q)
        n = tf.shape(nearest)[-1]
        farthest = tf.argmax(tf.reshape(nearest, (-1, n * n)), -1, output_type=tf.int32)
        return farthest // n, farthest % n, first, second

    # One kernel: the distances of all combinations to all points are never all in memory.
    p, q, first, second = fused(found, [], [columns])
    rows = tf.gather(first, p, batch_dims=1) + tf.gather(second, q, batch_dims=1)
    return p, q, tf.argmin(rows, -1, output_type=tf.int32)


@keras.saving.register_keras_serializable("sparsevae")
class FactorizedSupport(Objective):
    """`-E[log p(x given z)] + beta KL + gamma hausdorff_support`, see `hausdorff_support`.

    Args:
        gamma: Float at least 0, or a Keras schedule: weight of the support.
        beta: Weight of the KL; 0 is a plain autoencoder with noise, as in the paper.
        n_pairs: Pairs of latents that are drawn anew in each step, at least 1; all if there are not
            more.
        seed: Of the draws.

    References:
        Roth et al. 2023, section 3 and appendix, 2210.07347. The grid is the paper's for gamma.
    """

    grid: ClassVar[Grid] = {"gamma": (0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)}
    loss_names = ("reconstruction_loss", "kl_loss", "support_loss")
    uses = frozenset()  # the support of a batch does not weigh its images
    gamma, beta = Setting(), Setting()

    def __init__(
        self,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 10.0,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        n_pairs: int = 25,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.gamma, self.beta = gamma, beta
        self.n_pairs = check_integer("n_pairs", n_pairs, minimum=1)
        self.seed = check_integer("seed", seed, minimum=0)

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        gamma, beta = (self.value_of(name, context.step) for name in ("gamma", "beta"))
        terms = context.terms
        support = hausdorff_support(terms.z_mean, self._pairs(terms.z_mean.shape[-1], context.step))
        return {
            "reconstruction_loss": -context.mean(terms.log_likelihood),
            "kl_loss": beta * context.mean(terms.kl),
            "support_loss": gamma * support,
        }

    def _pairs(self, latent_dim, step):
        pairs = all_pairs(latent_dim)
        if len(pairs) <= self.n_pairs:
            return pairs
        seed = tf.stack([self.seed, tf.cast(step, tf.int32)])
        order = tf.argsort(tf.random.stateless_uniform((len(pairs),), seed))
        return tf.gather(pairs, order[: self.n_pairs])

    def get_config(self) -> dict:
        return {**super().get_config(), "n_pairs": self.n_pairs, "seed": self.seed}
