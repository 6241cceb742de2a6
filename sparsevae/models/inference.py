"""A VAE in use: distributions, codes, samples; gates by the test rule."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from sparsevae import objectives
from sparsevae.checks import check_integer
from sparsevae.models.arguments import check_input, check_latents, check_seed
from sparsevae.models.losses import SAMPLE, fold_in, terms_of
from sparsevae.models.pixels import to_float
from sparsevae.objectives import Batch

tfd = tfp.distributions


class Inference:
    """What a VAE with `encoder`, `decoder`, `likelihood` and `prior` is used for.

    To be inherited before `keras.Model`.
    """

    def encode(self, x: Any) -> tfd.Distribution:
        """q(z given x), a TFP distribution over `(n, latent_dim)`; noise-free gates.

        Raises:
            ValueError: if x is not images of this model's shape, uint8 or floats in [0, 1].
        """
        x = check_input(x, self.image_shape)
        return objectives.normal_posterior(*self.encoder(to_float(x), training=False))

    def decode(self, z: Any) -> tfd.Distribution:
        """p(x given z), a TFP distribution over images `(n, height, width, channels)`.

        Raises:
            ValueError: if z is not `(n, latent_dim)`, or not finite.
        """
        z = check_latents(z, self.latent_dim)
        return self.likelihood(self.decoder(z, training=False))

    def codes(self, x: Any, batch_size: int = 512) -> np.ndarray:
        """Posterior means, float32 array `(n, latent_dim)`; x as for `encode`, or no images."""
        batch_size = check_integer("batch_size", batch_size, minimum=1)
        x = check_input(x, self.image_shape, minimum=0)
        x = x if isinstance(x, np.ndarray) else tf.convert_to_tensor(x)  # variables have no length
        parts = [self._codes(x[k : k + batch_size]) for k in range(0, len(x), batch_size)]
        return np.concatenate(parts) if parts else np.zeros((0, self.latent_dim), np.float32)

    @tf.function(reduce_retracing=True, autograph=False)
    def _codes(self, x):
        return tf.cast(self.encoder(to_float(x), training=False)[0], tf.float32)

    def sample(self, n: int, seed: int = 0) -> tf.Tensor:
        """Mean images of n latents drawn from the prior, `(n, height, width, channels)`."""
        n = check_integer("n", n, minimum=1)
        z = self.prior.sample(n, seed=tf.stack([check_seed(seed), SAMPLE]))
        return self.decode(z).mean()

    def elbo(self, x: Any, seed: int = 0) -> tf.Tensor:
        """ELBO of each observation by one sample of z, `(n,)`, nats; x as for `encode`."""
        x = to_float(check_input(x, self.image_shape))
        seed = fold_in(check_seed(seed), SAMPLE)
        return terms_of(self, self.objective, Batch(x), seed, training=False)[0].elbo

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Mean reconstruction of each image, from the posterior's mean."""
        z_mean, _ = self.encoder(to_float(inputs), training=training)
        return self.likelihood(self.decoder(z_mean, training=training)).mean()

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)
