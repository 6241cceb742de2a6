"""A small model under a control, trained batch by batch; NumPy's side of it."""

import keras
import numpy as np
from keras import layers

import sparsevae as sv
from sparsevae import sparsity

EAGER = keras.backend.backend() == "tensorflow"  # the quickest way to a few steps
N_INPUTS, N_OUTPUTS = 6, 4
_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(16, N_INPUTS)).astype("float32")
Y = (X @ _RNG.normal(size=(N_INPUTS, N_OUTPUTS)) + 1).astype("float32")

CONTROLS = {  # by name: from the steps of a run
    "strength": lambda n: sparsity.Strength.over(2.0, n),
    "target_density": lambda n: sparsity.TargetDensity.over(0.5, n),
    "distortion": lambda n: sparsity.Distortion.over(3.0, n),
    "magnitude": lambda n: sparsity.MagnitudePruning.over(0.5, n),
    "top_k": lambda n: sparsity.TopK.over(0.5, n),
    "rigl": lambda n: sparsity.RigL.over(0.5, n),
    "set": lambda n: sparsity.SET.over(0.5, n),
}


def regression(hidden=()):
    """Dense layers from `N_INPUTS` to `N_OUTPUTS`, without biases; linear without hidden ones."""
    made = [layers.Dense(n, "relu", use_bias=False) for n in hidden]
    return keras.Sequential(
        [keras.Input((N_INPUTS,)), *made, layers.Dense(N_OUTPUTS, use_bias=False)]
    )


def images():
    """A convolution of 2 x 3 links of 2 x 2 weights, and a dense layer of 27 x 4."""
    return keras.Sequential(
        [
            keras.Input((4, 4, 2)),
            layers.Conv2D(3, 2, name="conv"),
            layers.Flatten(),
            layers.Dense(4, name="dense"),
        ]
    )


def sparse(control, model=None, optimizer=None, **compile):
    """A compiled model under a control, from the same weights each time."""
    keras.utils.set_random_seed(0)
    made = sv.sparsify(regression((5,)) if model is None else model(), control=control)
    optimizer = keras.optimizers.Adam(0.01) if optimizer is None else optimizer
    made.compile(optimizer, loss="mse", **{"run_eagerly": EAGER, **compile})
    return made


def steps(model, n, x=X, y=Y):
    """Trains on a batch n times; yields the number of steps after each."""
    for k in range(1, n + 1):
        model.train_on_batch(x, y)
        yield k


def train(model, n, x=X, y=Y):
    for _ in steps(model, n, x, y):
        pass


def masks(model):
    return [np.array(layer.gate.support()) for layer in model.gated_layers]


def kernels(model):
    """Weights as they act, in the shape in which they are stored."""
    return [np.array(layer.gated_kernel()) for layer in model.gated_layers]


def state(model):
    """All that training depends on, of a model and its optimizer."""
    return [np.array(v) for v in [*model.variables, *model.optimizer.variables]]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def top(scores, n):
    """Mask of the n largest, the first among equals."""
    order = np.argsort(-np.ravel(scores), kind="stable")[:n]
    mask = np.zeros(np.size(scores), bool)
    mask[order] = True
    return mask.reshape(np.shape(scores))
