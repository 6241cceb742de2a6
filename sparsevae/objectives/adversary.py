"""The density ratio of FactorVAE: a classifier tells samples of q(z) from permuted ones."""

import tensorflow as tf


def permute_latents(z: tf.Tensor, seed: int | tf.Tensor) -> tf.Tensor:
    """z with each latent permuted by itself over the batch: samples of the marginals' product.

    Args:
        z: `(batch, latent_dim)`.
        seed: Integer, or int32 `(2,)`; equal seeds permute alike.
    """
    seed = tf.cast(seed, tf.int32)
    pair = tf.stack([seed, 0]) if seed.shape.rank == 0 else seed
    columns = tf.transpose(z)
    order = tf.argsort(tf.random.stateless_uniform(tf.shape(columns), pair), axis=-1)
    return tf.transpose(tf.gather(columns, order, batch_dims=1))


def density_ratio(logits: tf.Tensor) -> tf.Tensor:
    """Total correlation by a discriminator: mean of `logit_0 - logit_1`, a scalar in nats.

    Args:
        logits: `(batch, 2)` of samples of q(z); column 0 means "drawn from q(z)", 1 "permuted".

    References:
        Kim and Mnih 2018, Disentangling by Factorising, equation 3, 1802.05983.
    """
    logits = tf.cast(logits, tf.float32)
    return tf.reduce_mean(logits[:, 0] - logits[:, 1])


def discriminator_loss(logits: tf.Tensor, permuted_logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of both halves, a scalar in nats; log 2 where nothing can be told.

    Args:
        logits: `(batch, 2)` of samples of q(z), class 0.
        permuted_logits: `(batch, 2)` of permuted samples, class 1.

    References:
        Kim and Mnih 2018, algorithm 2.
    """
    logits, permuted = (tf.cast(x, tf.float32) for x in (logits, permuted_logits))
    of_joint = tf.nn.softplus(logits[:, 1] - logits[:, 0])
    of_permuted = tf.nn.softplus(permuted[:, 0] - permuted[:, 1])
    return (tf.reduce_mean(of_joint) + tf.reduce_mean(of_permuted)) / 2
