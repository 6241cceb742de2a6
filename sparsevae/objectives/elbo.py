"""The terms of the evidence lower bound."""

import dataclasses

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class Terms:
    """What an objective is made of, for one batch; all in nats.

    Attributes:
        log_likelihood: E[log p(x given z)] by one sample of z, `(batch,)`.
        kl_per_latent: KL(q(z_j given x) || p(z_j)), `(batch, latent_dim)`.
        posterior: TFP distribution q(z given x).
        z: The sample, `(batch, latent_dim)`.
    """

    log_likelihood: tf.Tensor
    kl_per_latent: tf.Tensor
    posterior: tfd.Distribution
    z: tf.Tensor

    @property
    def z_mean(self) -> tf.Tensor:
        """Means of the posteriors, `(batch, latent_dim)`."""
        return self.posterior.distribution.loc

    @property
    def z_log_var(self) -> tf.Tensor:
        """Log variances of the posteriors, `(batch, latent_dim)`."""
        return 2 * tf.math.log(self.posterior.distribution.scale)

    @property
    def kl(self) -> tf.Tensor:
        """KL of each observation, `(batch,)`."""
        return tf.reduce_sum(self.kl_per_latent, axis=-1)

    @property
    def elbo(self) -> tf.Tensor:
        """Evidence lower bound of each observation, `(batch,)`: at most log p(x) on average."""
        return self.log_likelihood - self.kl


def normal_posterior(z_mean: tf.Tensor, z_log_var: tf.Tensor) -> tfd.Independent:
    """q(z given x): independent normals, from two tensors `(batch, latent_dim)`."""
    z_mean, z_log_var = tf.cast(z_mean, tf.float32), tf.cast(z_log_var, tf.float32)
    return tfd.Independent(tfd.Normal(z_mean, tf.exp(0.5 * z_log_var)), 1)


def standard_prior(latent_dim: int) -> tfd.Independent:
    """p(z): independent standard normals."""
    return tfd.Independent(tfd.Normal(tf.zeros(latent_dim), tf.ones(latent_dim)), 1)


def kl_per_latent(posterior: tfd.Independent, prior: tfd.Independent) -> tf.Tensor:
    """KL divergence of each latent in closed form, `(batch, latent_dim)`, nats, at least 0."""
    return tfd.kl_divergence(posterior.distribution, prior.distribution)
