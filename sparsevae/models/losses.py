"""The losses of one batch, and the random numbers they are computed with."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from sparsevae import objectives
from sparsevae.models.grouping import GATES
from sparsevae.objectives import Batch, Context, Objective, Terms
from sparsevae.training.groups import group_of

TRAIN, TEST, SAMPLE = range(3)  # streams of random numbers


@dataclasses.dataclass(frozen=True)
class Losses:
    """What a step minimises and logs, in nats per observation.

    Attributes:
        terms: Terms of the ELBO.
        named: The objective's losses by name, scalars.
        total: Sum of its `losses` and of `penalty`.
        penalty: Of the control and of regularizers, scalar.
        own: Sum of its `own_losses`, which train its own weights only; None without any.
        own_tape: What recorded them.
    """

    terms: Terms
    named: dict[str, tf.Tensor]
    total: tf.Tensor
    penalty: tf.Tensor
    own: tf.Tensor | None
    own_tape: tf.GradientTape

    def gradients(self, vae: keras.Model, tape: tf.GradientTape) -> list[tf.Tensor | None]:
        """Gradients for `vae.trainable_variables`, scaled as its optimizer wants them.

        Args:
            vae: Compiled model.
            tape: What recorded the total.
        """
        n_replicas = tf.distribute.get_strategy().num_replicas_in_sync  # gradients are summed
        scale = tf.cast(vae.optimizer.scale_loss(tf.constant(1.0 / n_replicas)), tf.float32)
        found = {}
        variables, own = vae.trainable_variables, vae.objective.trainable_variables
        if self.own is not None:
            by_own = self.own_tape.gradient(self.own, own, scale)
            found = {id(variable): g for variable, g in zip(own, by_own, strict=True)}
        rest = [variable for variable in variables if id(variable) not in found]
        by_total = tape.gradient(self.total, rest, scale)
        found |= {id(variable): g for variable, g in zip(rest, by_total, strict=True)}
        # Outside of a graph, fixed gates are not connected to the loss at all.
        return [
            tf.zeros(v.shape) if (g := found[id(v)]) is None and group_of(v) == GATES else g
            for v in variables
        ]

    def values(self) -> dict[str, tf.Tensor]:
        """All that is logged beside the total, by name."""
        return {
            "elbo": self.terms.elbo,
            "reconstruction": -self.terms.log_likelihood,
            "kl": self.terms.kl,
            "penalty": self.penalty,
            **self.named,
        }


def fold_in(seed: int, stream: int, *numbers: tf.Tensor) -> tf.Tensor:
    """Seed of one draw, int32 `(2,)`: a function of all its arguments, and of the replica."""
    pair = tf.stack([tf.cast(seed, tf.int32), tf.constant(stream)])
    replica = tf.distribute.get_replica_context()
    if replica is not None and replica.num_replicas_in_sync > 1:
        numbers = (*numbers, replica.replica_id_in_sync_group)
    for number in numbers:
        pair = tf.random.experimental.stateless_fold_in(pair, tf.cast(number, tf.int32))
    return pair


def terms_of(
    vae: keras.Model, objective: Objective, batch: Batch, seed: tf.Tensor, training: bool
) -> tuple[Terms, tf.Tensor]:
    """ELBO terms of a prepared batch, and what the decoder made of z."""
    images = batch.images
    encoded = vae.encoder(images, training=training)
    posterior = objectives.normal_posterior(*objective.posteriors(batch, *encoded))
    z = posterior.sample(seed=seed)
    decoded = vae.decoder(z, training=training)
    terms = Terms(
        log_likelihood=vae.likelihood(decoded).log_prob(images),
        kl_per_latent=objectives.kl_per_latent(posterior, vae.prior),
        posterior=posterior,
        z=z,
    )
    return terms, decoded


def context_of(
    vae: keras.Model, objective: Objective, batch: Batch, seed: tf.Tensor, training: bool
) -> Context:
    """What the objective is given; z is drawn by `seed`."""
    batch = objective.prepared(batch)
    terms, decoded = terms_of(vae, objective, batch, seed, training)
    return Context(
        batch=batch,
        terms=terms,
        decoded=decoded,
        step=tf.convert_to_tensor(vae.n_updates),
        prior=vae.prior,
        likelihood=vae.likelihood,
        n_data=vae.n_data,
        encoder=vae.encoder,
        decoder=vae.decoder,
        training=training,
    )


def losses_of(vae: keras.Model, batch: Batch, stream: int) -> Losses:
    """The losses of a batch: the training stream with learning gates, else the test rule."""
    training = stream == TRAIN
    number = vae.n_batches if training else vae._means.n_observations()
    seed = fold_in(vae.seed, stream, tf.convert_to_tensor(number))
    context = context_of(vae, vae.objective, batch, seed, training)
    terms = context.terms
    named = _scalars(vae.objective, vae.objective.losses(context), "losses")
    with tf.GradientTape() as own_tape:
        own = _scalars(vae.objective, vae.objective.own_losses(context), "own_losses")
        total_of_own = tf.add_n(list(own.values())) if own else None
    _check_names(vae.objective, [*named, *own])
    price = tf.zeros(())
    if vae.control is not None:
        price = vae.control.penalty(vae.gated_layers)
        if training:
            vae.control.observe(tf.add_n(list(named.values())), vae.gated_layers)
    penalty = tf.add_n([price, *(tf.cast(loss, tf.float32) for loss in vae.losses)])
    return Losses(
        terms=terms,
        named={**named, **own},
        total=tf.add_n([*named.values(), penalty]),
        penalty=penalty,
        own=total_of_own,
        own_tape=own_tape,
    )


def _scalars(objective, losses, method):
    """The losses as float32 scalars, whatever the policy of the layers that they come from."""
    kind = type(objective).__name__
    if not isinstance(losses, dict):
        raise TypeError(
            f"`{method}` of {kind} must give a dict from names to scalars. "
            f"Received: a {type(losses).__name__}"
        )
    scalars = {name: tf.cast(loss, tf.float32) for name, loss in losses.items()}
    for name, loss in scalars.items():
        if loss.shape.rank != 0:
            raise ValueError(
                f"`{method}` of {kind} must give scalars; `context.mean` makes one of a value for "
                f"each image. Received: {name} of shape {tuple(loss.shape)}"
            )
    return scalars


def _check_names(objective, names):
    if sorted(names) != sorted(objective.loss_names):
        raise ValueError(
            f"`losses` of {type(objective).__name__} must give the losses that `loss_names` names, "
            f"{', '.join(objective.loss_names)}. Received: {', '.join(names)}"
        )
