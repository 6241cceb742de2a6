"""The contract of an objective."""

import abc

import tensorflow as tf

from sparsevae.objectives.elbo import Terms


class Objective(abc.ABC):
    """Makes of the terms of a batch the loss to minimise."""

    @abc.abstractmethod
    def __call__(self, terms: Terms) -> tf.Tensor:
        """Loss of a batch, a scalar in nats per observation."""

    @abc.abstractmethod
    def get_config(self) -> dict:
        """The arguments that make an equal objective."""

    @classmethod
    def from_config(cls, config):
        return cls(**config)
