"""Trains under `MirroredStrategy` on two logical devices; a program, since TensorFlow must be new.

Prints a JSON object: for each optimizer how far two ways of training are from each other.
"""

import json

import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from keras import optimizers as ko  # noqa: E402
from small_model import GROUP, arrays, fit, grouped  # noqa: E402

from sparsevae.training import assign_group  # noqa: E402

STRATEGY = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])  # a second one would clash with it
MADE = {  # accumulation of gradients Keras itself cannot do there
    "adamw": lambda: ko.AdamW(1e-1, weight_decay=1.0),
    "average": lambda: ko.Adam(1e-1, use_ema=True, ema_momentum=0.7),
    "loss_scale": lambda: ko.LossScaleOptimizer(ko.Adam(1e-1)),
}


class Bounded(keras.layers.Layer):
    """A factor per column in [-0.5, 0.5], which starts outside of that."""

    def build(self, input_shape):
        self.factor = self.add_weight(
            name="factor",
            shape=input_shape[-1:],
            initializer="ones",
            constraint=lambda value: keras.ops.clip(value, -0.5, 0.5),
            aggregation="mean",  # a constraint assigns inside a replica
        )
        assign_group([self.factor], GROUP)

    def call(self, x):
        return x * self.factor


def trained(optimizer, active=1, frozen=False):
    """Arrays: of the dense layer, then of the group."""
    with STRATEGY.scope():
        start = keras.initializers.GlorotUniform(1)
        model = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(2, kernel_initializer=start)]
        )
        model.add(Bounded())
        model.layers[-1].trainable = not frozen
        made = optimizer()
        if active != 1:
            getattr(made, "inner_optimizer", made).set_active(GROUP, active)
        model.compile(made, "mse", jit_compile=False)
    fit(model)
    return arrays(model.weights)


def distance(found, expected):
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))


report = {}
for name, make in MADE.items():
    plain = trained(make)
    active = trained(lambda make=make: grouped(make()))
    inactive = trained(lambda make=make: grouped(make()), active=0)
    frozen = trained(make, frozen=True)
    report[name] = {
        "stock_to_active": distance(active, plain),
        "stock_frozen_to_inactive": distance(inactive, frozen),
        "inactive_moved": float(np.abs(inactive[-1] - 1).max()),
        "stock_moved": distance(plain[:1], frozen[:1]),
    }
print(json.dumps(report))
