"""Few labels on top of any objective."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_choice
from sparsevae.objectives.batch import Batch
from sparsevae.objectives.beta_vae import BetaVAE
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.objectives.supervision import KINDS, supervised_penalty
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class SemiSupervised(Objective):
    """Another objective's losses `+ gamma supervised_penalty` of the images that have labels.

    Labels come in the batch, `(batch, n_factors)`; -1 stands for a label that is missing, so that
    few labelled images can be mixed with others. Latent f learns factor f.

    Args:
        factor_sizes: Number of values of each labelled factor, such as `data.factor_sizes`.
        objective: Any other; `BetaVAE(1.0)` by default.
        gamma: Float at least 0, or a Keras schedule: weight of the penalty.
        kind: `"l2"`, `"xent"` or `"cov"`, see `supervised_penalty`.

    Raises:
        TypeError: if `objective` is none.
        ValueError: if it uses labels itself.

    References:
        Locatello et al. 2020, Disentangling Factors of Variation Using Few Labels, section 4,
        1905.01258. The grid is that of its appendix.
    """

    grid: ClassVar[Grid] = {"gamma": (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)}
    gamma = Setting()

    def __init__(
        self,
        factor_sizes: Sequence[int],
        objective: Objective | None = None,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 16.0,
        kind: str = "l2",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_choice("kind", kind, KINDS)
        objective = BetaVAE(1.0) if objective is None else objective
        if not isinstance(objective, Objective):
            raise TypeError(f"`objective` must be an objective. Received: {objective!r}")
        if "labels" in objective.uses:
            raise ValueError(
                "`objective` must be one that uses no labels itself. "
                f"Received: {type(objective).__name__}"
            )
        self.factor_sizes = tuple(int(size) for size in factor_sizes)
        self.objective, self.gamma, self.kind = objective, gamma, kind

    @property
    def loss_names(self) -> tuple[str, ...]:
        return (*self.objective.loss_names, "supervised_loss")

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({*self.objective.uses, "labels"})

    @property
    def needs(self) -> frozenset[str]:
        return self.objective.needs

    @property
    def needs_to_train(self) -> frozenset[str]:
        return frozenset({*self.objective.needs_to_train, "labels"})

    @property
    def optimizer(self) -> keras.optimizers.Optimizer | None:
        """That of the other objective."""
        return self.objective.optimizer

    def build(self, input_shape: Any = None) -> None:
        if not self.objective.built:
            self.objective.build(input_shape)

    @property
    def n_changes(self) -> int:
        return super().n_changes + self.objective.n_changes

    def prepared(self, batch: Batch) -> Batch:
        """As of the other objective; images that it adds have no labels."""
        made = self.objective.prepared(batch)
        if batch.labels is None:  # validation on images alone
            return made
        more = tf.shape(made.images)[0] - tf.shape(batch.labels)[0]
        labels = tf.pad(batch.labels, [[0, more], [0, 0]], constant_values=-1)
        return dataclasses.replace(made, labels=labels)

    def posteriors(
        self, batch: Batch, z_mean: tf.Tensor, z_log_var: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """As of the other objective."""
        return self.objective.posteriors(batch, z_mean, z_log_var)

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        gamma, labels = self.value_of("gamma", context.step), context.batch.labels
        penalty = tf.zeros(())
        if labels is not None:
            codes = context.terms.z_mean
            penalty = supervised_penalty(codes, labels, self.factor_sizes, self.kind)
        return {**self.objective.losses(context), "supervised_loss": gamma * penalty}

    def own_losses(self, context: Context) -> dict[str, tf.Tensor]:
        return self.objective.own_losses(context)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "factor_sizes": list(self.factor_sizes),
            "objective": keras.saving.serialize_keras_object(self.objective),
            "kind": self.kind,
        }

    @classmethod
    def from_config(cls, config: dict) -> "SemiSupervised":
        objective = keras.saving.deserialize_keras_object(config["objective"])
        return super().from_config({**config, "objective": objective})
