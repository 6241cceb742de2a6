"""Mutual information, total correlation and dimension-wise KL of a batch's posteriors."""

import dataclasses
import math

import tensorflow as tf

from sparsevae.checks import check_choice, check_integer

ESTIMATORS = ("stratified", "weighted")
_BATCH = (
    "An objective with total correlation needs a batch of at least 2 and at most "
    "n_data={n_data} images. Received:"
)


@dataclasses.dataclass(frozen=True)
class KLTerms:
    """Parts of the mean KL of the posteriors from the prior, float32 scalars in nats.

    Attributes:
        mutual_information: Of x and z under the aggregated posterior q(z).
        total_correlation: KL of q(z) from the product of its marginals.
        dimension_wise_kl: Sum over latents of the KL of q(z_j) from the prior.
    """

    mutual_information: tf.Tensor
    total_correlation: tf.Tensor
    dimension_wise_kl: tf.Tensor


def kl_terms(
    z: tf.Tensor,
    z_mean: tf.Tensor,
    z_log_var: tf.Tensor,
    n_data: int,
    estimator: str = "stratified",
) -> KLTerms:
    """Estimates the three parts of the KL from one batch.

    q(z) is a mixture of the posteriors of all `n_data` observations; a batch of B stands for it.
    `"weighted"` (Chen et al. 2018, equation 3) gives each posterior of the batch the weight
    1 / (n_data B). `"stratified"` is their appendix C.2 averaged over which of the others is the
    stratified one, so it does not depend on the order of rows: z's own posterior weighs
    1 / n_data, the others share the rest, and it is exact when the batch is the data set. Both are
    biased, being logarithms of means; no term need be at least 0. The sum of the three does not
    depend on the estimator: it is the mean of log q(z given x) - log p(z).

    Args:
        z: Samples, `(batch, latent_dim)`, of the posteriors in the same row.
        z_mean, z_log_var: Posteriors, independent normals, `(batch, latent_dim)`.
        n_data: Size of the data set, at least the batch size.
        estimator: `"stratified"` or `"weighted"`.

    Raises:
        ValueError: for an unknown estimator, `n_data` that is missing or below the batch size, or a
            batch of 1.

    References:
        Chen et al. 2018, Isolating Sources of Disentanglement in VAEs, equations 2 and 3,
        1802.04942.
    """
    check_choice("estimator", estimator, ESTIMATORS)
    z, z_mean, z_log_var = (tf.cast(x, tf.float32) for x in (z, z_mean, z_log_var))
    n = _batch_size(z, n_data)
    log_weights = _log_weights(n, float(n_data), estimator)
    of_latent = _log_normal(z[:, None], z_mean[None], z_log_var[None])  # row: z, column: posterior
    log_qz = tf.reduce_logsumexp(log_weights + tf.reduce_sum(of_latent, -1), 1)
    of_marginals = tf.reduce_logsumexp(log_weights[..., None] + of_latent, 1)
    log_product = tf.reduce_sum(of_marginals, -1)
    log_posterior = tf.reduce_sum(_log_normal(z, z_mean, z_log_var), -1)
    log_prior = tf.reduce_sum(_log_normal(z, 0.0, tf.zeros_like(z)), -1)
    return KLTerms(
        tf.reduce_mean(log_posterior - log_qz),
        tf.reduce_mean(log_qz - log_product),
        tf.reduce_mean(log_product - log_prior),
    )


def _batch_size(z, n_data):
    """Rows of z, an int or a tensor, from 2 to `n_data`."""
    if n_data is None:
        raise ValueError(
            "`n_data`, the size of the data set, must be given: SparseVAE(..., n_data=len(data)). "
            "Received: None"
        )
    n_data = check_integer("n_data", n_data, minimum=2)
    if (n := z.shape[0]) is not None:
        if not 2 <= n <= n_data:
            raise ValueError(f"{_BATCH.format(n_data=n_data)} {n}")
        return n
    n = tf.shape(z)[0]
    fits = tf.logical_and(n >= 2, n <= n_data)
    check = tf.debugging.Assert(fits, [_BATCH.format(n_data=n_data), n])
    with tf.control_dependencies([check] if tf.is_symbolic_tensor(n) else []):
        return tf.identity(n)


def _log_weights(n, n_data, estimator):
    """`(n, n)`, or a scalar where all weigh alike."""
    n = tf.cast(n, tf.float32)
    if estimator == "weighted":
        return -tf.math.log(n_data * n) * tf.ones((1, 1))
    own = tf.eye(tf.cast(n, tf.int32), dtype=tf.bool)
    return tf.where(own, -math.log(n_data), tf.math.log((1 - 1 / n_data) / (n - 1)))


def _log_normal(x, mean, log_var):
    """Log density of a normal, entry by entry."""
    squares = tf.square(x - mean) * tf.exp(-log_var)
    return -0.5 * (math.log(2 * math.pi) + log_var + squares)
