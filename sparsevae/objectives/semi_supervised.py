"""Few labels on top of any objective."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_choice, check_integer
from sparsevae.objectives.around import Around
from sparsevae.objectives.batch import Batch
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.objectives.supervision import KINDS, supervised_penalty
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class SemiSupervised(Around):
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
    more_names = ("supervised_loss",)
    gamma = Setting()

    def __init__(
        self,
        factor_sizes: Sequence[int],
        objective: Objective | None = None,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 16.0,
        kind: str = "l2",
        **kwargs: Any,
    ):
        super().__init__(objective, **kwargs)
        check_choice("kind", kind, KINDS)
        if "labels" in self.objective.uses:
            raise ValueError(
                "`objective` must be one that uses no labels itself. "
                f"Received: {type(objective).__name__}"
            )
        if isinstance(factor_sizes, str) or not len(factor_sizes):
            raise ValueError(
                "`factor_sizes` must list the number of values of each labelled factor. "
                f"Received: {factor_sizes!r}"
            )
        self.factor_sizes = tuple(
            check_integer("factor_sizes", size, minimum=1) for size in factor_sizes
        )
        self.gamma, self.kind = gamma, kind

    @property
    def uses(self) -> frozenset[str]:
        return frozenset({*super().uses, "labels"})

    @property
    def needs_to_train(self) -> frozenset[str]:
        return frozenset({*super().needs_to_train, "labels"})

    def prepared(self, batch: Batch) -> Batch:
        """As of the other objective; images that it adds have no labels."""
        made = super().prepared(batch)
        if batch.labels is None:  # validation on images alone
            return made
        more = tf.shape(made.images)[0] - tf.shape(batch.labels)[0]
        labels = tf.pad(batch.labels, [[0, more], [0, 0]], constant_values=-1)
        return dataclasses.replace(made, labels=labels)

    def more(self, context: Context) -> dict[str, tf.Tensor]:
        labels, penalty = context.batch.labels, tf.zeros(())
        if labels is not None:
            codes = context.terms.z_mean
            penalty = supervised_penalty(codes, labels, self.factor_sizes, self.kind)
        return {"supervised_loss": self.value_of("gamma", context.step) * penalty}

    def get_config(self) -> dict:
        config = {"factor_sizes": list(self.factor_sizes), "kind": self.kind}
        return {**super().get_config(), **config}
