"""The contract of an objective: of what it is made, what it gives."""

import abc
import dataclasses
import inspect
import json
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from sparsevae.objectives.batch import Batch
from sparsevae.objectives.elbo import Terms
from sparsevae.objectives.likelihoods import Likelihood
from sparsevae.training import Part, assign_group
from sparsevae.training.groups import check_own_optimizer

GROUP = "objective"  # of the optimizer
Grid = Mapping[str, tuple[float, ...]]  # a setting's published values, by its name
USED = ("partner", "labels", "weight")  # fields of a `Batch` that an objective may use


@dataclasses.dataclass(frozen=True)
class Context:
    """All that an objective may look at, for one batch.

    Attributes:
        batch: Images, and partner, labels and weight where the objective uses them.
        terms: Terms of the ELBO of the images, in nats: posterior, z, KL, log likelihood.
        decoded: What the decoder made of z, the likelihood's parameter, shaped like the images.
        step: Integer scalar, updates of the model so far; settings are read at it.
        prior: TFP distribution p(z).
        likelihood: Makes of `decoded` the TFP distribution p(x given z).
        n_data: Size of the data set, None if the model was not told.
        encoder: Keras model from images to mean and log variance.
        decoder: Keras model from z to the likelihood's parameter.
        training: Whether this is a training step.
    """

    batch: Batch
    terms: Terms
    decoded: tf.Tensor
    step: tf.Tensor
    prior: tfp.distributions.Distribution
    likelihood: Likelihood
    n_data: int | None
    encoder: keras.Model
    decoder: keras.Model
    training: bool

    def mean(self, values: tf.Tensor) -> tf.Tensor:
        """Mean over the batch of `values`, `(batch,)`, each times its weight if there are such."""
        weight = self.batch.weight
        return tf.reduce_mean(values if weight is None else weight * values)


class Objective(Part, abc.ABC):
    """Makes of a batch the losses to minimise; may own weights, settings and an optimizer.

    A subclass gives `loss_names` and `losses`. What it assigns to itself (layers, variables,
    settings) is tracked, trained with the model, and in all of its files; `build` may make more.

    Attributes:
        grid: Strengths of the published studies, by the name of the setting.
        loss_names: Names of what `losses` and `own_losses` give; each is logged.
        uses: Fields of `Batch` beside images that are consumed; others are refused.
        needs: Those of `uses` that neither training nor evaluation can do without.
        needs_to_train: Those that training alone cannot do without.
        optimizer: Keras optimizer of the objective's own weights, with its own learning rate
            (which may be changed), clipping and weight decay; None for the model's. Another one
            takes effect when the model is compiled.
    """

    grid: ClassVar[Grid] = {}
    loss_names: tuple[str, ...] = ()
    uses: frozenset[str] = frozenset({"weight"})
    needs: frozenset[str] = frozenset()
    needs_to_train: frozenset[str] = frozenset()
    optimizer: keras.optimizers.Optimizer | None = None

    def prepared(self, batch: Batch) -> Batch:
        """The batch whose images are encoded: the one given, or another made of it."""
        return batch

    def posteriors(
        self, batch: Batch, z_mean: tf.Tensor, z_log_var: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and log variance of the posteriors that z is drawn from.

        Args:
            batch: Of `prepared`.
            z_mean, z_log_var: What the encoder makes of its images, `(batch, latent_dim)`.
        """
        return z_mean, z_log_var

    @abc.abstractmethod
    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        """Scalars in nats per observation by name; their sum is minimised."""

    def own_losses(self, context: Context) -> dict[str, tf.Tensor]:
        """Losses of an adversary: they train the objective's own weights, and nothing else.

        Where there are any, `losses` do not train the objective's own weights.
        """
        return {}

    def build(self, input_shape: Any = None) -> None:
        """Makes weights.

        Args:
            input_shape: Dict with `"images"`, `(None, height, width, channels)`, and `"z"`,
                `(None, latent_dim)`.
        """

    def mark_weights(self) -> None:
        """Gives the objective's own weights to their group of the optimizer, if they have one."""
        if self.optimizer is not None:
            check_own_optimizer(self.optimizer)
        assign_group(self.trainable_variables, None if self.optimizer is None else GROUP)


def check_objective(objective: Any, reserved: frozenset[str]) -> None:
    """Refuses what is no objective, and what could not be saved with the model.

    Args:
        objective: What the user gave.
        reserved: Names that the model logs itself.

    Raises:
        TypeError: if it is no `Objective`.
        ValueError: if its names collide, or its config does not make an equal objective.
    """
    if not isinstance(objective, Objective):
        raise TypeError(
            "`objective` must be an objective such as sparsevae.objectives.BetaVAE(4.0): a "
            "function could not be saved with the model; make it a subclass of "
            f"sparsevae.objectives.Objective. Received: {objective!r}"
        )
    kind = type(objective).__name__
    names = objective.loss_names
    bad = [name for name in names if not isinstance(name, str) or name in reserved]
    if isinstance(names, str) or not names or bad or len(set(names)) != len(names):
        raise ValueError(
            f"`loss_names` of {kind} must be a tuple of distinct names of its losses, none of them "
            f"a name that the model logs ({', '.join(sorted(reserved))}). Received: {names!r}"
        )
    for field in ("uses", "needs", "needs_to_train"):
        found = getattr(objective, field)
        allowed = USED if field == "uses" else objective.uses
        if isinstance(found, str) or not set(found) <= set(allowed):
            raise ValueError(
                f"`{field}` of {kind} must be a set of some of {', '.join(sorted(allowed))}. "
                f"Received: {found!r}"
            )
    try:
        config = objective.get_config()
        json.dumps(keras.saving.serialize_keras_object(objective))
        type(objective).from_config(dict(config))
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"`objective` must be one that can be saved, with a get_config that gives the "
            f"arguments of an equal one. Received: {kind} ({type(error).__name__}: {reason})"
        ) from None
    arguments = list(inspect.signature(type(objective).__init__).parameters.values())[1:]
    named = {p.name for p in arguments if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    if lost := sorted(named - config.keys()):
        raise ValueError(
            f"`objective` must be one that can be saved: get_config of {kind} must give all "
            f"arguments. Received: a config without {', '.join(lost)}"
        )
