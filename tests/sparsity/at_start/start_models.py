"""Small models whose masks are chosen before training."""

import keras
import numpy as np

from sparsevae.sparsity import FixedMask, sparsify


def mlp(*widths, n_inputs=6, activation="relu", last=None, norm=False, seed=0):
    """A stock network of dense layers."""
    x = inputs = keras.Input((n_inputs,))
    for k, width in enumerate(widths):
        start = keras.initializers.GlorotUniform(seed=seed + k)
        end = k == len(widths) - 1
        x = keras.layers.Dense(
            width, activation=last if end else activation, kernel_initializer=start, name=f"d{k}"
        )(x)
        x = keras.layers.BatchNormalization()(x) if norm and not end else x
    return keras.Model(inputs, x)


def convolutional():
    """A skip, pooling, two kinds of gated layers."""
    starts = [keras.initializers.GlorotUniform(seed=k) for k in range(3)]
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(4, 3, padding="same", kernel_initializer=starts[0])(inputs)
    skip = x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(4, 3, padding="same", kernel_initializer=starts[1])(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([x, skip]))
    return keras.Model(inputs, keras.layers.Dense(3, "softmax", kernel_initializer=starts[2])(x))


def gated(model, granularity="weights", loss="mse"):
    sparse = sparsify(model, control=FixedMask(granularity=granularity))
    sparse.compile("sgd", loss)
    return sparse


def batch(model, seed=0):
    """Inputs and outputs for a regression."""
    rng = np.random.default_rng(seed)
    shapes = [tensor.shape[1:] for tensor in (*model.inputs, *model.outputs)]
    return [rng.normal(size=(16, *shape)).astype("float32") for shape in shapes]
