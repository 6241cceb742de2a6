"""Gradients outside of a training step, and in double precision, on every backend."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sparsevae.training.fusion import read


def gradients(function: Callable[[], Any], variables: Sequence[keras.Variable]) -> list[np.ndarray]:
    """Gradients of `function()`, a scalar, with respect to variables, each shaped like its own.

    Nothing is changed: what `function` assigns, as a BatchNormalization does, is forgotten. It may
    not create variables.
    """

    def of_values(values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function()

    found = _BACKENDS[keras.backend.backend()](of_values, read(*variables))
    return [ops.convert_to_numpy(gradient) for gradient in found]


def _with_tensorflow(of_values, values):
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        result = of_values(values)
    return tape.gradient(result, values, unconnected_gradients="zero")


def _with_jax(of_values, values):
    import jax

    return jax.grad(of_values)(values)


def _with_torch(of_values, values):
    import torch

    values = [value.detach().clone().requires_grad_() for value in values]
    found = torch.autograd.grad(of_values(values), values, allow_unused=True)
    pairs = zip(found, values, strict=True)
    return [torch.zeros_like(value) if grad is None else grad for grad, value in pairs]


_BACKENDS = {"tensorflow": _with_tensorflow, "jax": _with_jax, "torch": _with_torch}


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """While it lasts there are float64 arrays; elsewhere JAX makes them float32."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield
