"""The variational autoencoder that everything here trains."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from sparsevae import gates, objectives
from sparsevae.checks import check_integer
from sparsevae.layers import GatedLayer
from sparsevae.models.arguments import check_compile, check_seed
from sparsevae.models.entry_points import CheckedInputs
from sparsevae.models.grouping import OBJECTIVE, grouped
from sparsevae.models.inference import Inference
from sparsevae.models.inputs import batch_of
from sparsevae.models.losses import TEST, TRAIN, Losses, losses_of
from sparsevae.models.networks import check_networks
from sparsevae.models.parts import ready_objective
from sparsevae.models.saving import VAEFiles
from sparsevae.models.tracking import (
    ELBO_NAMES,
    ActiveLatents,
    Means,
)
from sparsevae.sparsity import gated_layers
from sparsevae.sparsity.controlled import Controlled
from sparsevae.training import Part, inner

tfd = tfp.distributions

_SERIALIZED = ("encoder", "decoder", "objective", "likelihood", "control")


@keras.saving.register_keras_serializable("sparsevae")
class SparseVAE(Inference, CheckedInputs, Controlled, VAEFiles, keras.Model):
    """Variational autoencoder whose layers may hold gates.

    `fit` takes images (arrays, or a `tf.data.Dataset` of batches): uint8, or floats in [0, 1].
    It logs, in nats per observation, `loss`, the objective's losses by name, `elbo`,
    `reconstruction` (minus the expected log likelihood), `kl` and `penalty` (of the control and
    of regularizers); also `active_latents`; and for gated models `density` (share of links open
    under the test rule), `density/LAYER`, `undecided` (share of gates with P(open) between 0.1
    and 0.9), `sparsity_strength` and `learning` (1 while gates learn). `evaluate` gives the same
    losses, with the gates of the test rule. Weights of images count in the loss only.

    All noise of a training step is a function of the seed and of the number of batches before,
    which is a weight of the model: any Keras file goes on as an unbroken run would.

    Args:
        encoder: Keras model from images to two tensors `(batch, latent_dim)`: mean and log
            variance of the posterior.
        decoder: Keras model from z `(batch, latent_dim)` to the likelihood's parameter, shaped
            like images (logits for Bernoulli, means for Gaussian).
        objective: An `objectives.Objective`; default `BetaVAE(1.0)`. May be replaced later.
        likelihood: `"bernoulli"`, `"gaussian"`, or an object of `objectives`.
        control: What closes the gates, such as `sparsity.Strength`; None leaves gates learning
            without a price. May be replaced later.
        active_threshold: Float in nats; a latent is active if its KL is above, on average over
            the epoch so far.
        n_data: Size of the data set, for objectives that need it.
        seed: Integer that fits int32.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        objective: objectives.Objective | None = None,
        likelihood: str | objectives.Likelihood = "bernoulli",
        control: Any = None,
        active_threshold: float = 0.01,
        n_data: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_networks(encoder, decoder)
        self.encoder, self.decoder = encoder, decoder
        self.latent_dim = encoder.outputs[0].shape[-1]
        self.image_shape = tuple(encoder.inputs[0].shape[1:])
        self.likelihood = objectives.get_likelihood(likelihood)
        self.prior = objectives.standard_prior(self.latent_dim)
        self.active_threshold = active_threshold
        self.n_data = None if n_data is None else check_integer("n_data", n_data, minimum=1)
        self.seed = check_seed(seed)
        self._loss = keras.metrics.Mean("loss")  # by itself: Keras's lists begin with it
        self._active = ActiveLatents(self.latent_dim, active_threshold, name="active_latents")
        count = {"shape": (), "dtype": "int32", "initializer": "zeros", "trainable": False}
        count["aggregation"] = "only_first_replica"
        self.n_batches = self.add_weight(name="n_batches", **count)
        self.n_updates = self.add_weight(name="n_updates", **count)
        self.objective = objectives.BetaVAE(1.0) if objective is None else objective
        self.control = control
        self.built = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "objective":
            value = ready_objective(self, value)
            for old in (getattr(self, "objective", None), getattr(self, "_means", None)):
                if old is not None and old is not value:
                    self._tracker.untrack(old)
        super().__setattr__(name, value)
        if name == "objective":
            self.uses, self.needs = value.uses, value.needs
            self.needs_to_train = value.needs_to_train
            self.objective_name = type(value).__name__
            self._means = Means([*ELBO_NAMES, *value.loss_names], name="means")

    @property
    def parts(self) -> list[Part]:
        return [self.objective, *super().parts]

    @property
    def networks(self) -> tuple[keras.Model, keras.Model]:
        """Encoder and decoder, between which z is drawn."""
        return self.encoder, self.decoder

    @property
    def gated_layers(self) -> list[GatedLayer]:
        """Layers that hold a gate: the encoder's, then the decoder's."""
        return gated_layers(self.encoder) + gated_layers(self.decoder)

    def count_params(self) -> int:
        """Weights of both networks."""
        return self.encoder.count_params() + self.decoder.count_params()

    # Training

    def compile(
        self,
        optimizer: Any = "adam",
        loss: None = None,
        loss_weights: None = None,
        metrics: None = None,
        weighted_metrics: None = None,
        **kwargs: Any,
    ) -> None:
        """`keras.Model.compile`; the loss is the objective's.

        `self.optimizer` is a `training.GroupedOptimizer` around the one given: gates are a group
        whose steps are counted from when they begin to learn, without weight decay. Objective and
        control keep their state. Variables frozen later stay as they are.

        Raises:
            ValueError: for a loss, loss weights or metrics, or an optimizer that has trained
                something else.
        """
        check_compile(loss, loss_weights, metrics, weighted_metrics)
        self.objective.mark_weights()
        super().compile(optimizer, **kwargs)
        if unknown := self.unknown_weights():
            raise ValueError(
                "`optimizer` was built for other weights: give a new one. "
                f"Received: one that does not know {unknown[0]}"
            )

    def regrouped(self, optimizer: Any) -> keras.optimizers.Optimizer:
        """The optimizer with groups for gates and for the objective."""
        return grouped(optimizer, self.objective.optimizer)

    def known_weights(self) -> list[int]:
        """As `Retracing`; the objective's own optimizer is the one compiled with."""
        known = super().known_weights()
        if self.compiled and self.objective.trainable_variables:
            group = inner(self.optimizer).groups.get(OBJECTIVE)
            if (group and group.optimizer) is not self.objective.optimizer:
                raise ValueError(
                    "`optimizer` of the objective was replaced: call `compile` again. Its "
                    "learning rate may be changed without"
                )
        return known

    def train_step(self, data: Any) -> dict:
        self.begin_step()
        with gates.one_step(priced=self.control is not None), tf.GradientTape() as tape:
            losses = losses_of(self, batch_of(data, self.uses), TRAIN)
        n_before = tf.convert_to_tensor(self.optimizer.iterations)
        self.optimizer.apply(losses.gradients(self, tape), self.trainable_variables)
        self.end_step(tf.cast(self.optimizer.iterations - n_before, tf.float32))
        return self._track(losses)

    def test_step(self, data: Any) -> dict:
        return self._track(losses_of(self, batch_of(data, self.uses), TEST))

    def end_step(self, updated: Any) -> None:
        self.n_batches.assign_add(1)
        self.n_updates.assign_add(tf.cast(updated, tf.int32))
        super().end_step(updated)

    def _track(self, losses: Losses):
        n = tf.shape(losses.terms.log_likelihood)[0]
        total = tf.math.multiply_no_nan(losses.total, tf.cast(n > 0, tf.float32))
        self._loss.update_state(total, sample_weight=tf.cast(n, tf.float32))
        self._means.update_state(losses.values(), n)
        self._active.update_state(losses.terms.kl_per_latent)
        return self.get_metrics_result()

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self._loss, self._means, self._active]

    def kl_per_latent(self) -> np.ndarray | None:
        """Mean KL of each latent over the epoch or evaluation so far, nats; None before any."""
        return self._active.kl_per_latent().numpy() if float(self._active.count) else None

    # Saving

    def with_networks(self, encoder: keras.Model, decoder: keras.Model) -> "SparseVAE":
        """The same model of other networks, without a control and not compiled.

        With another number of latents the objective begins anew, as its weights may have that size.
        """
        objective = self.objective
        if encoder.outputs[0].shape[-1] != self.latent_dim:
            objective = type(objective).from_config(objective.get_config())
        return type(self)(
            encoder,
            decoder,
            objective=objective,
            likelihood=self.likelihood,
            active_threshold=self.active_threshold,
            n_data=self.n_data,
            seed=self.seed,
        )

    def get_config(self) -> dict:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            **{name: serialize(getattr(self, name)) for name in _SERIALIZED},
            "active_threshold": self.active_threshold,
            "n_data": self.n_data,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict) -> "SparseVAE":
        made = {name: keras.saving.deserialize_keras_object(config[name]) for name in _SERIALIZED}
        return cls(**{**config, **made})
