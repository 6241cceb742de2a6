"""Gradients of scalar functions of Keras variables, on either backend."""

import keras
import numpy as np


def gradients(function, variables):
    """Arrays: the gradients of `function()`, a scalar, with respect to each variable."""
    if keras.backend.backend() == "jax":
        import jax

        def of_values(values):
            pairs = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=pairs):
                return function()

        found = jax.grad(of_values)([variable.value for variable in variables])
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        inner = [variable.value for variable in variables]
        found = tape.gradient(value, inner, unconnected_gradients="zero")
    return [keras.ops.convert_to_numpy(gradient) for gradient in found]


def elementwise_slopes(function, variable, step=1e-2):
    """Central differences of `function()`, whose entry k depends on entry k of `variable` only.

    Returns the slopes, and the values at both ends.
    """
    start = np.asarray(variable).copy()
    ends = []
    for shift in (-step, step):
        variable.assign(start + shift)
        ends.append(np.asarray(keras.ops.convert_to_numpy(function()), "float64"))
    variable.assign(start)
    return (ends[1] - ends[0]) / (2 * step), *ends
