"""p(x given z): what the decoder's output means."""

import abc
import math
from typing import Any, Self

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from sparsevae.checks import check_choice

tfd = tfp.distributions


class Likelihood(abc.ABC):
    """Makes of a decoder's output the distribution p(x given z)."""

    @abc.abstractmethod
    def __call__(self, decoded: tf.Tensor) -> tfd.Independent:
        """TFP distribution over images; `decoded` is `(batch, height, width, channels)`."""

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal likelihood."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)


@keras.saving.register_keras_serializable("sparsevae")
class Bernoulli(Likelihood):
    """Independent Bernoulli pixels; the decoder gives logits.

    The log likelihood of pixels between 0 and 1 is minus the cross-entropy, the usual choice of
    the field; it is a probability only for binary images.
    """

    def __call__(self, decoded: tf.Tensor) -> tfd.Independent:
        logits = tf.cast(decoded, tf.float32)
        return tfd.Independent(
            tfd.Bernoulli(logits=logits, dtype=tf.float32), len(logits.shape) - 1
        )


@keras.saving.register_keras_serializable("sparsevae")
class Gaussian(Likelihood):
    """Independent Gaussian pixels of one given variance; the decoder gives means.

    The log likelihood is minus the squared error over twice the variance, minus
    `log(2 pi variance) / 2` a pixel. The variance sets the balance of reconstruction against KL:
    0.5 makes the loss the plain sum of squared errors plus KL.

    Args:
        variance: Float above 0, in squared units of pixels in [0, 1].
    """

    def __init__(self, variance: float = 0.5) -> None:
        if not 0 < variance < float("inf"):
            raise ValueError(
                f"`variance` must be a finite float above 0. Received: variance={variance!r}"
            )
        self.variance = variance

    def __call__(self, decoded: tf.Tensor) -> tfd.Independent:
        mean = tf.cast(decoded, tf.float32)
        return tfd.Independent(tfd.Normal(mean, math.sqrt(self.variance)), len(mean.shape) - 1)

    def get_config(self) -> dict[str, Any]:
        return {"variance": self.variance}


NAMES = {"bernoulli": Bernoulli, "gaussian": Gaussian}


def get_likelihood(identifier: str | Likelihood) -> Likelihood:
    """A likelihood from its name (with its default arguments), or the likelihood given.

    Raises:
        ValueError: if the name is unknown.
        TypeError: if it is neither a name nor a `Likelihood`.
    """
    if isinstance(identifier, Likelihood):
        return identifier
    if not isinstance(identifier, str):
        raise TypeError(
            f"`likelihood` must be one of {list(NAMES)} or a Likelihood. Received: {identifier!r}"
        )
    check_choice("likelihood", identifier, NAMES)
    return NAMES[identifier]()
