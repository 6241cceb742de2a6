"""A stock classifier that was trained before is made sparse as Keras users write it."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from sparsevae import sparsity


def sparse_model(control):
    inputs = keras.Input((4,))
    return sparsity.sparsify(keras.Model(inputs, keras.layers.Dense(3)(inputs)), control=control)


def test_compile_takes_loss_and_metrics_in_the_order_of_keras():
    model = sparse_model(sparsity.MagnitudePruning(0.5, begin=0, end=1))
    model.compile("sgd", "mse", None, ["mae"])
    logs = model.evaluate(np.ones((2, 4)), np.ones((2, 3)), return_dict=True, verbose=0)
    assert logs.keys() == {"loss", "mae"}


def raised_in_a_step(loss):
    """How far one step far from the target raises the multiplier, in nats."""
    control = sparsity.TargetDensity(0.2, ramp=(1, 1), freeze=101)
    model = sparse_model(control)
    model.compile("sgd", loss="mse")
    for _ in range(2):  # the last open step; the first of learning, which wants 0.2 at once
        control.observe(keras.ops.full((), loss), model.gated_layers)
        model.end_step(1.0)
    violation = float(control.densities[0]) - 0.2
    return float(control.multipliers[0]) / violation


@pytest.mark.parametrize(
    ("loss", "counts_as"), [(0.0, 1), (1e-3, 1), (-0.5, 1), (7.0, 7), (-7.0, 7)]
)
def test_dual_rate_has_the_scale_of_the_loss_and_of_one_nat_at_least(loss, counts_as):
    assert raised_in_a_step(loss) == pytest.approx(400 * counts_as / (100 * 0.8), rel=1e-5)


TRAINED_TWICE = """
import keras
import numpy as np
from sparsevae import sparsity

x = inputs = keras.Input((4,))
for layer in (keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(3)):
    x = layer(x)
dense = keras.Model(inputs, x)
before = dense.get_weights()
control = sparsity.MagnitudePruning(0.5, begin=0, end=1)
for model in (sparsity.sparsify(dense, control=control), sparsity.sparsify(dense)):
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 4)), np.ones((8, 3)), verbose=0)
assert keras.backend.backend() == "jax"
assert all((a == b).all() for a, b in zip(before, dense.get_weights(), strict=True))
"""


def test_on_jax_the_stock_model_outlives_the_training_of_the_sparse_one():
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", TRAINED_TWICE]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
