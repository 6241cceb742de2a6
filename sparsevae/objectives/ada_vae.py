"""Ada-GVAE and Ada-ML-VAE: pairs of images share the latents that did not change."""

import abc
from typing import Any

import keras
import tensorflow as tf

from sparsevae.checks import check_choice
from sparsevae.objectives.batch import Batch
from sparsevae.objectives.beta_vae import BetaVAE

HOW = ("gvae", "mlvae")

Parameters = tuple[tf.Tensor, tf.Tensor]


def share_latents(
    first: Parameters, second: Parameters, how: str = "gvae"
) -> tuple[Parameters, Parameters]:
    """Posteriors of a pair of images, equal in the latents in which the images seem to agree.

    A latent is shared if its KL(first || second) is below half-way between the smallest and the
    largest of the pair's latents: strictly, so none is where all are equal. Gradients flow through
    averages, not through the choice.

    Args:
        first, second: Mean and log variance of independent normals, `(batch, latent_dim)` each.
        how: `"gvae"`: shared latents get the mean of the means and of the variances; `"mlvae"`: the
            mean weighted by precision, and the harmonic mean of the variances.

    Returns:
        Mean and log variance of the first and of the second image.

    Raises:
        ValueError: for an unknown `how`.

    References:
        Locatello et al. 2020, Weakly-Supervised Disentanglement Without Compromises, section 4,
        2002.02886. The averages are those of Bouchacourt et al. 2018 (ML-VAE), 1705.08841, the
        product of densities as its geometric mean, whose variance is twice the product's.
    """
    check_choice("how", how, HOW)
    first, second = ([tf.cast(x, tf.float32) for x in pair] for pair in (first, second))
    distances = tf.stop_gradient(_kl(first, second))
    most, least = (f(distances, -1, keepdims=True) for f in (tf.reduce_max, tf.reduce_min))
    shared = distances < (most + least) / 2
    average = _AVERAGES[how](first, second)
    return tuple(
        tuple(tf.where(shared, mean, own) for mean, own in zip(average, pair, strict=True))
        for pair in (first, second)
    )


def _kl(first, second):
    """KL of normals, latent by latent."""
    (m1, v1), (m2, v2) = first, second
    return 0.5 * (v2 - v1 + (tf.exp(v1) + tf.square(m1 - m2)) * tf.exp(-v2) - 1)


def _mean_of_both(first, second):
    (m1, v1), (m2, v2) = first, second
    return (m1 + m2) / 2, tf.math.log((tf.exp(v1) + tf.exp(v2)) / 2)


def _by_precision(first, second):
    (m1, v1), (m2, v2) = first, second
    p1, p2 = tf.exp(-v1), tf.exp(-v2)
    return (m1 * p1 + m2 * p2) / (p1 + p2), tf.math.log(2 / (p1 + p2))


_AVERAGES = {"gvae": _mean_of_both, "mlvae": _by_precision}


class _AdaVAE(BetaVAE, abc.ABC):
    """The beta-VAE loss of both images of each pair, under shared posteriors."""

    uses = frozenset({"partner", "weight"})
    needs_to_train = frozenset({"partner"})
    how: str

    def prepared(self, batch: Batch) -> Batch:
        """Both images of each pair as images, the first ones first, each with its partner."""
        if batch.partner is None:  # validation on single images
            return batch
        pair = [batch.images, batch.partner]
        weight = batch.weight
        return Batch(
            images=tf.concat(pair, 0),
            partner=tf.concat(pair[::-1], 0),
            weight=None if weight is None else tf.concat([weight, weight], 0),
        )

    def posteriors(self, batch: Batch, z_mean: Any, z_log_var: Any) -> Parameters:
        """Shared ones, where there are pairs."""
        if batch.partner is None:
            return z_mean, z_log_var
        first, second = zip(*(tf.split(x, 2) for x in (z_mean, z_log_var)), strict=True)
        pair = share_latents(first, second, self.how)
        return tuple(tf.concat(both, 0) for both in zip(*pair, strict=True))


@keras.saving.register_keras_serializable("sparsevae")
class AdaGVAE(_AdaVAE):
    """`BetaVAE` on pairs of images that share latents by `share_latents(how="gvae")`.

    Batches are pairs, as of `data.pairs`; the loss is the mean over both images. Single images, as
    for validation, have posteriors of their own.

    Args:
        beta: See `BetaVAE`.

    References:
        Locatello et al. 2020, Weakly-Supervised Disentanglement Without Compromises, section 4,
        2002.02886.
    """

    how = "gvae"


@keras.saving.register_keras_serializable("sparsevae")
class AdaMLVAE(_AdaVAE):
    """As `AdaGVAE`, with the averages of ML-VAE: `share_latents(how="mlvae")`.

    Args:
        beta: See `BetaVAE`.

    References:
        Locatello et al. 2020, section 4, 2002.02886.
    """

    how = "mlvae"
