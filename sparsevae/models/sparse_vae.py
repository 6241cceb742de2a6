"""The variational autoencoder that everything here trains."""

import keras
import numpy as np
import tensorflow as tf

from sparsevae import objectives
from sparsevae.data.images import check_images, check_spec, check_values
from sparsevae.models.images import to_float
from sparsevae.models.tracking import ActiveLatents, GateLogs
from sparsevae.sparsity import gated_layers, layer_densities, share_of_links

TRAIN, TEST, SAMPLE = range(3)  # streams of random numbers


@keras.saving.register_keras_serializable("sparsevae")
class SparseVAE(keras.Model):
    """Variational autoencoder whose layers may hold gates.

    `fit` takes images (arrays, or a `tf.data.Dataset` of batches): uint8, or floats in [0, 1].
    It logs, in nats per observation, `loss`, `elbo`, `reconstruction` (minus the expected log
    likelihood), `kl` and `penalty`; also `active_latents`; and for gated models `density` (share
    of links open under the test rule), `density/LAYER`, `undecided` (share of gates with P(open)
    between 0.1 and 0.9), `sparsity_strength` and `learning` (1 while gates learn).

    All noise of a training step is a function of (seed, step) and of the state of the gates.

    Args:
        encoder: Keras model from images to two tensors `(batch, latent_dim)`: mean and log
            variance of the posterior.
        decoder: Keras model from z `(batch, latent_dim)` to the likelihood's parameter, shaped
            like images (logits for Bernoulli, means for Gaussian).
        objective: Callable from `objectives.Terms` to a scalar loss; default `BetaVAE(1.0)`.
        likelihood: `"bernoulli"`, `"gaussian"`, or an object of `objectives`.
        control: What closes the gates, such as `sparsity.Strength`; None leaves gates learning
            without a price.
        active_threshold: Float in nats; a latent is active if its KL is above, on average over
            the epoch so far.
        seed: Integer.
    """

    def __init__(
        self,
        encoder,
        decoder,
        objective=None,
        likelihood="bernoulli",
        control=None,
        active_threshold=0.01,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(encoder.outputs) != 2 or encoder.outputs[0].shape != encoder.outputs[1].shape:
            raise ValueError(
                "`encoder` must have two outputs of one shape (batch, latent_dim), mean and log "
                f"variance. Received: outputs {[o.shape for o in encoder.outputs]}"
            )
        self.latent_dim = encoder.outputs[0].shape[-1]
        self.image_shape = tuple(encoder.inputs[0].shape[1:])
        if tuple(decoder.inputs[0].shape[1:]) != (self.latent_dim,):
            raise ValueError(
                f"`decoder` must take the encoder's latents, shape (batch, {self.latent_dim}). "
                f"Received: input shape {decoder.inputs[0].shape}"
            )
        if tuple(decoder.outputs[0].shape[1:]) != self.image_shape:
            raise ValueError(
                f"`decoder` must give images like the encoder's, {self.image_shape}. "
                f"Received: output shape {decoder.outputs[0].shape}"
            )
        if objective is not None and not callable(objective):
            raise TypeError(
                "`objective` must be a callable from Terms to a loss, such as BetaVAE(4.0). "
                f"Received: {objective!r}"
            )
        self.encoder = encoder
        self.decoder = decoder
        self.objective = objectives.BetaVAE(1.0) if objective is None else objective
        self.likelihood = objectives.get_likelihood(likelihood)
        self.control = control
        self.active_threshold = active_threshold
        self.seed = seed
        self.prior = objectives.standard_prior(self.latent_dim)
        self._means = {
            name: keras.metrics.Mean(name)
            for name in ("loss", "elbo", "reconstruction", "kl", "penalty")
        }
        self._active = ActiveLatents(self.latent_dim, active_threshold, name="active_latents")
        self.built = True

    @property
    def gated_layers(self):
        """Layers that hold a gate: the encoder's, then the decoder's."""
        return gated_layers(self.encoder) + gated_layers(self.decoder)

    # Use: distributions, codes, samples

    def encode(self, x):
        """q(z given x), a TFP distribution over `(n, latent_dim)`; noise-free gates.

        Raises:
            ValueError: if x is not images of this model's shape, uint8 or floats in [0, 1].
        """
        x = check_images(x, self.image_shape)
        return objectives.normal_posterior(*self.encoder(to_float(x), training=False))

    def decode(self, z):
        """p(x given z), a TFP distribution over images `(n, height, width, channels)`."""
        z = tf.convert_to_tensor(z, tf.float32)
        if len(z.shape) != 2 or z.shape[-1] != self.latent_dim:
            raise ValueError(
                f"`z` must have the shape (n, {self.latent_dim}). Received: shape {z.shape}"
            )
        return self.likelihood(self.decoder(z, training=False))

    def codes(self, x, batch_size=512):
        """Posterior means, float32 array `(n, latent_dim)`; x as for `encode`."""
        x = check_images(x, self.image_shape)
        parts = [self._codes(x[k : k + batch_size]) for k in range(0, len(x), batch_size)]
        return np.concatenate(parts) if parts else np.zeros((0, self.latent_dim), np.float32)

    @tf.function(reduce_retracing=True, autograph=False)
    def _codes(self, x):
        return tf.cast(self.encoder(to_float(x), training=False)[0], tf.float32)

    def sample(self, n, seed=0):
        """Mean images of n latents drawn from the prior, `(n, height, width, channels)`."""
        z = self.prior.sample(n, seed=tf.constant([seed, SAMPLE]))
        return self.decode(z).mean()

    def elbo(self, x, seed=0):
        """ELBO of each observation by one sample of z, `(n,)`, nats; x as for `encode`."""
        x = to_float(check_images(x, self.image_shape))
        return self._terms(x, training=False, seed=(seed, SAMPLE)).elbo

    def call(self, inputs, training=False):
        """Mean reconstruction of each image, from the posterior's mean."""
        z_mean, _ = self.encoder(to_float(inputs), training=training)
        return self.likelihood(self.decoder(z_mean, training=training)).mean()

    # Training

    def fit(self, x=None, **kwargs):
        """`keras.Model.fit` on images only; see the class. Arrays are checked whole, a dataset
        by its element spec and first batch.

        Raises:
            ValueError: if the images have the wrong shape, dtype or range.
        """
        if isinstance(x, tf.data.Dataset):
            spec = tf.nest.flatten(x.element_spec)[0]
            check_spec(spec.shape, spec.dtype, self.image_shape)
            for batch in x.take(1).as_numpy_iterator():
                check_values(_images_of(batch))
            kwargs.setdefault("shuffle", False)  # Keras warns when it may not shuffle
        elif isinstance(x, (np.ndarray, tf.Tensor)):
            x = check_images(x, self.image_shape)
        callbacks = kwargs.pop("callbacks", None) or []
        callbacks = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
        return super().fit(x, callbacks=[GateLogs(), *callbacks], **kwargs)

    def compile(self, optimizer="adam", **kwargs):
        """`keras.Model.compile`; the loss is the objective's.

        Gates get an optimizer of their own, of the same kind and settings: it starts when they
        do. With one optimizer for all, Adam's bias correction would be over by then, and the
        first hundred steps of the gates up to six times too long.
        """
        super().compile(optimizer, **kwargs)
        self.optimizer.build(self._weights_without_gates())
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        self.gate_optimizer = type(optimizer).from_config(optimizer.get_config())
        self.gate_optimizer.build(self._gate_weights())

    def compile_from_config(self, config):
        """Compiles a loaded model as it was; its file restores both optimizers after that."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def train_step(self, data):
        x = to_float(_images_of(data))
        step = tf.convert_to_tensor(self.optimizer.iterations)
        if self.control is not None:
            self.control.set_phase(self.gated_layers, step)
        with tf.GradientTape() as tape:
            terms = self._terms(x, training=True, seed=(self.seed, TRAIN, step))
            penalty = tf.add_n([self._price(step), *self.losses])
            loss = self.objective(terms) + penalty
            scaled_loss = self.optimizer.scale_loss(loss)
        weights = self.trainable_variables
        self._apply_gradients(tape.gradient(scaled_loss, weights), weights, step)
        return self._track(terms, loss, penalty)

    def test_step(self, data):
        x = to_float(_images_of(data))
        batch_number = tf.cast(self._means["loss"].count, tf.int32)
        terms = self._terms(x, training=False, seed=(self.seed, TEST, batch_number))
        return self._track(terms, self.objective(terms), tf.zeros(()))

    def _terms(self, x, training, seed):
        """ELBO terms of float images; `seed` is (seed, stream) or (seed, stream, step)."""
        seed, stream, *step = seed
        pair = tf.stack([tf.cast(seed, tf.int32), tf.constant(stream)])
        for number in step:
            pair = tf.random.experimental.stateless_fold_in(pair, tf.cast(number, tf.int32))
        posterior = objectives.normal_posterior(*self.encoder(x, training=training))
        z = posterior.sample(seed=pair)
        likelihood = self.likelihood(self.decoder(z, training=training))
        return objectives.Terms(
            log_likelihood=likelihood.log_prob(x),
            kl_per_latent=objectives.kl_per_latent(posterior, self.prior),
            posterior=posterior,
            z=z,
        )

    def _price(self, step):
        if self.control is None or not self.gated_layers:
            return tf.zeros(())
        return self.control.penalty(self.gated_layers, step)

    def _apply_gradients(self, gradients, weights, step):
        """One step of the weights' optimizer, and of the gates' while they learn."""
        gradient_of = {id(w): g for g, w in zip(gradients, weights, strict=True)}
        rest = self._weights_without_gates()
        self.optimizer.apply([gradient_of[id(w)] for w in rest], rest)
        of_gates = self._gate_weights()
        if not of_gates:
            return

        def apply():
            self.gate_optimizer.apply([self._unscaled(gradient_of[id(w)]) for w in of_gates])
            return tf.constant(0)

        learning = tf.constant(1.0) if self.control is None else self.control.learning(step)
        tf.cond(learning > 0.5, apply, lambda: tf.constant(0))

    def _unscaled(self, gradient):
        """Undoes the loss scale of mixed_float16; overflows become no gradient."""
        scale = getattr(self.optimizer, "dynamic_scale", None)
        if scale is None:
            return gradient
        return tf.where(tf.math.is_finite(gradient), gradient / scale, 0.0)

    def _gate_weights(self):
        return [w for layer in self.gated_layers for w in layer.gate.trainable_variables]

    def _weights_without_gates(self):
        of_gates = {id(w) for w in self._gate_weights()}
        return [w for w in self.trainable_variables if id(w) not in of_gates]

    def _track(self, terms, loss, penalty):
        values = {
            "loss": loss,
            "elbo": terms.elbo,
            "reconstruction": -terms.log_likelihood,
            "kl": terms.kl,
            "penalty": penalty,
        }
        for name, value in values.items():
            self._means[name].update_state(tf.reduce_mean(value))
        self._active.update_state(terms.kl_per_latent)
        return self.get_metrics_result()

    def gate_logs(self):
        """What `fit` logs of the gates after each epoch: dict of floats, empty without gates."""
        if not self.gated_layers:
            return {}
        n_steps = self.optimizer.iterations if self.compiled else 0
        last_step = tf.cast(n_steps, tf.int32) - 1
        return {name: float(value) for name, value in self._gate_logs(last_step).items()}

    @tf.function(autograph=False)
    def _gate_logs(self, last_step):
        layers = self.gated_layers
        logs = {
            "density": share_of_links(layers, lambda layer: layer.gate.support()),
            "undecided": share_of_links(layers, lambda layer: layer.gate.undecided()),
        }
        logs |= {f"density/{name}": d for name, d in layer_densities(self).items()}
        if self.control is not None:
            logs["sparsity_strength"] = self.control.strength_at(last_step)
            logs["learning"] = self.control.learning(last_step)
        return logs

    @property
    def metrics(self):
        return [*self._means.values(), self._active]

    # Saving

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "objective": serialize(self.objective),
            "likelihood": serialize(self.likelihood),
            "control": serialize(self.control),
            "active_threshold": self.active_threshold,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        parts = ("encoder", "decoder", "objective", "likelihood", "control")
        made = {name: keras.saving.deserialize_keras_object(config[name]) for name in parts}
        return cls(**{**config, **made})


def _images_of(data):
    """Images of a batch that may come as (images,) or (images, labels)."""
    return data[0] if isinstance(data, (tuple, list)) else data
