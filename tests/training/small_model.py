"""Two dense layers of which the second is a group with a constraint, and data to fit it to."""

import keras
import numpy as np

from sparsevae.training import Group, GroupedOptimizer, assign_group

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :2] ** 2
GROUP = "second"
ON_JAX = keras.backend.backend() == "jax"
ALL_DECAY = (Group(GROUP, decay=True),)
OPTIMIZERS = {  # every one of Keras, and a learning rate at which it moves
    "Adadelta": 1.0,
    "Adafactor": 1e-1,
    "Adagrad": 1e-2,
    "Adam": 1e-2,
    "AdamW": 1e-2,
    "Adamax": 1e-2,
    "Ftrl": 1e-2,
    "Lamb": 1e-2,
    "Lion": 1e-3,
    "Muon": 1e-2,
    "Nadam": 1e-2,
    "RMSprop": 1e-2,
    "SGD": 1e-2,
    "ScheduleFreeAdamW": 1e-2,
}


def stock(name):
    """An optimizer of Keras by name, with momentum and weight decay where it can have them."""
    more = {"momentum": 0.9} if name == "SGD" else {}
    decay = {} if name in ("Ftrl", "Adafactor") else {"weight_decay": 0.1}
    return getattr(keras.optimizers, name)(OPTIMIZERS[name], **more, **decay)


@keras.saving.register_keras_serializable("training_tests")
class Second(keras.layers.Dense):
    """Says itself which group its weights are of, so that a loaded one does too."""

    def build(self, input_shape):
        super().build(input_shape)
        assign_group(self.trainable_variables, GROUP)


def small_model(marked_by_layer=False):
    """Weights are those of `first`, then those of `second`; the constraint binds at once."""
    layer = Second if marked_by_layer else keras.layers.Dense
    inputs = keras.Input((4,))
    first = keras.layers.Dense(
        8, "relu", name="first", kernel_initializer=keras.initializers.GlorotUniform(1)
    )
    second = layer(
        2,
        name="second",
        kernel_initializer=keras.initializers.GlorotUniform(2),
        kernel_constraint=keras.constraints.MaxNorm(0.5),
    )
    model = keras.Model(inputs, second(first(inputs)))
    assign_group(second.trainable_variables, GROUP)
    return model


def grouped(optimizer, groups=ALL_DECAY):
    """The same with groups, inside a `LossScaleOptimizer` if it is one."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        inner = GroupedOptimizer(optimizer.inner_optimizer, groups)
        return keras.optimizers.LossScaleOptimizer(inner, optimizer.initial_scale)
    return GroupedOptimizer(optimizer, groups)


def compiled(optimizer, model=None, **settings):
    model = small_model() if model is None else model
    settings = {"jit_compile": ON_JAX and not settings.get("run_eagerly"), **settings}
    model.compile(optimizer, "mse", **settings)
    return model


def reference(optimizer, graph=False, **settings):
    """A model of the stock optimizer; eager on TensorFlow, where tracing takes longer."""
    return compiled(optimizer, run_eagerly=not (graph or ON_JAX), **settings)


def fit(model, epochs=1, **settings):
    """Four steps an epoch."""
    settings = {"shuffle": False, "verbose": 0, "batch_size": 16, **settings}
    return model.fit(X, Y, epochs=epochs, **settings)


def steps(model, *numbers):
    """Single steps, on the batches of these numbers, without the end of a `fit`."""
    for number in numbers:
        rows = slice(16 * (number % 4), 16 * (number % 4) + 16)
        model.train_on_batch(X[rows], Y[rows])
    return model


def arrays(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def check_close(found, expected, atol=1e-6):
    for one, other in zip(arrays(found), arrays(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


def check_same(found, expected):
    for one, other in zip(arrays(found), arrays(expected), strict=True):
        np.testing.assert_array_equal(one, other)
