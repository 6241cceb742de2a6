"""The beta-TCVAE objective."""

from typing import Any, ClassVar

import keras
import tensorflow as tf

from sparsevae.checks import check_choice
from sparsevae.objectives.objective import Context, Grid, Objective
from sparsevae.objectives.total_correlation import ESTIMATORS, kl_terms
from sparsevae.training import Setting


@keras.saving.register_keras_serializable("sparsevae")
class BetaTCVAE(Objective):
    """`-E[log p(x given z)] + alpha I(x; z) + beta TC(z) + gamma sum_j KL(q(z_j) || p(z_j))`.

    The three parts are estimated from the batch by `kl_terms`, which needs the model's `n_data`.
    With all weights 1 it is the negative ELBO with the KL by the sample of z.

    Args:
        beta: Float at least 0, or a Keras schedule: weight of the total correlation.
        alpha: Weight of the mutual information.
        gamma: Weight of the dimension-wise KL.
        estimator: Of `kl_terms`: `"stratified"` or `"weighted"`.

    References:
        Chen et al. 2018, Isolating Sources of Disentanglement in VAEs, equation 4, 1802.04942. The
        grid is that of Locatello et al. 2019.
    """

    grid: ClassVar[Grid] = {"beta": (1.0, 2.0, 4.0, 6.0, 8.0, 10.0)}
    loss_names = (
        "reconstruction_loss",
        "mutual_information_loss",
        "total_correlation_loss",
        "dimension_wise_kl_loss",
    )
    uses = frozenset()  # weights of images have no place in a mixture of all posteriors
    beta, alpha, gamma = Setting(), Setting(), Setting()

    def __init__(
        self,
        beta: float | keras.optimizers.schedules.LearningRateSchedule = 6.0,
        alpha: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        gamma: float | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        estimator: str = "stratified",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_choice("estimator", estimator, ESTIMATORS)
        self.beta, self.alpha, self.gamma = beta, alpha, gamma
        self.estimator = estimator

    def losses(self, context: Context) -> dict[str, tf.Tensor]:
        alpha, beta, gamma = (
            self.value_of(name, context.step) for name in ("alpha", "beta", "gamma")
        )
        terms = context.terms
        parts = kl_terms(
            terms.z, terms.z_mean, terms.z_log_var, context.n_data, estimator=self.estimator
        )
        return {
            "reconstruction_loss": -context.mean(terms.log_likelihood),
            "mutual_information_loss": alpha * parts.mutual_information,
            "total_correlation_loss": beta * parts.total_correlation,
            "dimension_wise_kl_loss": gamma * parts.dimension_wise_kl,
        }

    def get_config(self) -> dict:
        return {**super().get_config(), "estimator": self.estimator}
