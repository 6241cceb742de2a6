"""The oracle of liveness: which entries a layer really makes of which, by its Jacobian."""

import math

import numpy as np
import tensorflow as tf


def dependence(layer, shapes, output_shape, n_points=4):
    """Booleans (entries of the output, entries of the input), for each input.

    An entry is there if its derivative is not zero at one of the random points at least. Row k
    comes from observation k of a batch of copies, as no layer mixes observations.
    """
    rng = np.random.default_rng(0)
    n = math.prod(output_shape)
    found = [np.zeros((n, math.prod(shape)), bool) for shape in shapes]
    for _ in range(n_points):
        points = [np.repeat(rng.normal(size=(1, *shape)), n, axis=0) for shape in shapes]
        inputs = [tf.constant(point, "float32") for point in points]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            output = layer(inputs if len(inputs) > 1 else inputs[0])
            own = tf.linalg.diag_part(tf.reshape(output, (n, n)))
        for rows, gradient in zip(found, tape.gradient(own, inputs), strict=True):
            rows |= np.reshape(gradient, rows.shape) != 0
    return found


def full(pattern, shape):
    """All entries of a pattern as a vector."""
    return np.broadcast_to(pattern, shape).reshape(math.prod(shape))


def truly_varying(jacobians, patterns, shapes):
    live = [j[:, full(p, s)].any(1) for j, p, s in zip(jacobians, patterns, shapes, strict=True)]
    return np.any(live, axis=0)


def truly_needed(jacobians, pattern, shape):
    return [jacobian[full(pattern, shape)].any(axis=0) for jacobian in jacobians]
