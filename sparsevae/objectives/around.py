"""One more term on top of any objective."""

import abc
from typing import Any

import keras
import tensorflow as tf

from sparsevae.objectives.batch import Batch
from sparsevae.objectives.beta_vae import BetaVAE
from sparsevae.objectives.objective import Context, Objective


class Around(Objective, abc.ABC):
    """Another objective's losses, and `more` losses with the names `more_names`.

    Args:
        objective: Any other; `BetaVAE(1.0)` by default.

    Raises:
        TypeError: if `objective` is none.
    """

    more_names: tuple[str, ...]

    def __init__(self, objective: Objective | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        objective = BetaVAE(1.0) if objective is None else objective
        if not isinstance(objective, Objective):
            raise TypeError(f"`objective` must be an objective. Received: {objective!r}")
        self.objective = objective

    @abc.abstractmethod
    def more(self, context: Context) -> dict[str, tf.Tensor]:
        """Scalars in nats per observation by name."""

    @property
    def loss_names(self) -> tuple[str, ...]:
        return (*self.objective.loss_names, *self.more_names)

    @property
    def uses(self) -> frozenset[str]:
        return self.objective.uses

    @property
    def needs(self) -> frozenset[str]:
        return self.objective.needs

    @property
    def needs_to_train(self) -> frozenset[str]:
        return self.objective.needs_to_train

    @property
    def optimizer(self) -> keras.optimizers.Optimizer | None:
        """That of the other objective."""
        return self.objective.optimizer

    @property
    def n_changes(self) -> int:
        return super().n_changes + self.objective.n_changes

    def build(self, input_shape: Any = None) -> None:
        if not self.objective.built:
            self.objective.build(input_shape)

    def prepared(self, batch: Batch) -> Batch:
        """As of the other objective."""
        return self.objective.prepared(batch)

    def posteriors(
        self, batch: Batch, z_mean: tf.Tensor, z_log_var: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As of the other objective."""
        return self.objective.posteriors(batch, z_mean, z_log_var)

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        return {**self.objective.losses(context), **self.more(context)}

    def own_losses(self, context: Context) -> dict[str, tf.Tensor]:
        return self.objective.own_losses(context)

    def get_config(self) -> dict:
        objective = keras.saving.serialize_keras_object(self.objective)
        return {**super().get_config(), "objective": objective}

    @classmethod
    def from_config(cls, config: dict) -> "Around":
        objective = keras.saving.deserialize_keras_object(config["objective"])
        return super().from_config({**config, "objective": objective})
