"""Every misuse of `harden`, `compact`, `compare` and `register_liveness` has one clear line."""

import keras
import numpy as np
import pytest
import zoo
from all_gates import MAKERS, NAMES
from keras import layers

import sparsevae as sv
from sparsevae import sparsity
from sparsevae.sparsity import compare

UNBUILT = keras.Sequential([layers.Dense(2)])
NO_MODELS = {  # by name: what is given, the type of the error, what its line says
    "a number": (lambda: 3, TypeError, "must be a Keras model. Received: 3"),
    "none": (lambda: None, TypeError, "must be a Keras model. Received: None"),
    "subclassed": (
        zoo.Subclassed,
        ValueError,
        "must be functional or a Sequential.*Subclassed 'subclassed",
    ),
    "unbuilt": (lambda: UNBUILT, ValueError, "must be.* that is built.*Sequential 'sequential"),
}
TAKERS = {  # by name: what takes a model, under which name
    "harden": (sv.harden, "model"),
    "compact": (sv.compact, "model"),
    "compare": (lambda model: compare(model, zoo.dense(2)), "model"),
    "compare to": (lambda model: compare(zoo.dense(2), model), "small"),
}
MISUSES = {
    f"{taker}: {name}": (lambda take=take, make=make: take(make()), error, f"`{argument}` {match}")
    for taker, (take, argument) in TAKERS.items()
    for name, (make, error, match) in NO_MODELS.items()
}


def vae():
    """Latent 1 is closed on both sides."""
    images, codes = keras.Input((4, 4, 1)), keras.Input((3,))
    mean, log_var = layers.Dense(3, name="mean"), layers.Dense(3, name="log_var")
    flat, hidden = layers.Flatten()(images), layers.Dense(5, "relu", name="hidden")
    encoder = keras.Model(images, [mean(flat), log_var(flat)])
    pixels = layers.Dense(16, name="pixels")(hidden(codes))
    decoder = keras.Model(codes, layers.Reshape((4, 4, 1))(pixels))
    for layer, closed in ((mean, np.s_[:, 1]), (log_var, np.s_[:, 1]), (hidden, np.s_[1])):
        kernel = np.array(layer.kernel)
        kernel[closed] = 0
        layer.kernel.assign(kernel)
    return sv.models.SparseVAE(encoder, decoder)


def with_weights(value, gate=None):
    """A model whose layer "dense_0" has such a weight, or such a parameter of its gate."""
    model = zoo.dense(2, 3)
    if gate is not None:
        model = sv.sparsify(model, gate, where="dense_0")
    layer = model.get_layer("dense_0")
    weights = layer.weights if gate is None else layer.gate.weights
    weight = next(weight for weight in weights if len(weight.shape) == 2)
    numbers = np.array(weight)
    numbers[0, 1] = value
    weight.assign(numbers)
    return model


def renamed(n_in, n_out):
    return keras.Sequential([keras.Input((n_in,)), layers.Dense(n_out, name="other")])


NOT_BOOLEANS = {"a string": "no", "an array": np.array([True, False]), "a number": 1, "none": None}
GATES_WITH_NUMBERS = [name for name in NAMES if name != "fixed"]
MISUSES |= {
    f"{take.__name__}: {name} of NaN": (
        lambda take=take, name=name: take(with_weights(np.nan, MAKERS[name]())),
        ValueError,
        "The gate of layer 'dense_0' must have parameters that are numbers.*Received: NaN",
    )
    for take in (sv.harden, sv.compact, sparsity.report)
    for name in GATES_WITH_NUMBERS
}
MISUSES |= {
    f"`drop_latents` is {name}": (
        lambda value=value: sv.compact(zoo.dense(2), drop_latents=value),
        TypeError,
        "`drop_latents` must be True or False. Received: drop_latents=",
    )
    for name, value in NOT_BOOLEANS.items()
}
MISUSES |= {
    f"dtype {dtype!r}": (
        lambda dtype=dtype: sv.harden(zoo.dense(2), dtype),
        ValueError,
        f"`dtype` must be None or a dtype policy.*dtype={dtype!r}",
    )
    for dtype in ("float99", 3, "int8_from_float32", "int32")
}
MISUSES |= {
    "NaN weights": (
        lambda: sv.compact(with_weights(np.nan)),
        ValueError,
        "`model` must have finite weights.*NaN values in 'kernel' of layer 'dense_0'",
    ),
    "infinite weights, nested": (
        lambda: sv.compact(keras.Sequential([keras.Input((4,)), with_weights(np.inf)])),
        ValueError,
        "`model` must have finite weights.*infinite values in 'kernel' of layer 'dense_0'",
    ),
    "`drop_latents` of a plain model": (
        lambda: sv.compact(zoo.dense(2), drop_latents=True),
        ValueError,
        "`drop_latents` must be False for models other than SparseVAE",
    ),
    "one batch size": (
        lambda: compare(zoo.dense(2), zoo.dense(2), 4),
        TypeError,
        "`batch_sizes` must be a sequence of integers.*batch_sizes=4",
    ),
    "batch of none": (
        lambda: compare(zoo.dense(2), zoo.dense(2), (0,)),
        ValueError,
        "`batch_sizes` must be an integer of at least 1",
    ),
    "other layers": (
        lambda: compare(zoo.dense(2, 2), renamed(4, 2)),
        ValueError,
        "`small` must have the layers of `model`.*without a layer 'dense_0'",
    ),
    "other outputs": (
        lambda: compare(zoo.dense(2, 2), zoo.dense(2, 3)),
        ValueError,
        "`small` must have the inputs and outputs of `model`",
    ),
    "a VAE beside a plain model": (
        lambda: compare(vae(), zoo.dense(2)),
        ValueError,
        "`small` must be of the kind of `model`.*Sequential.*beside SparseVAE",
    ),
    "more latents": (
        lambda: compare(sv.compact(vae(), drop_latents=True), vae()),
        ValueError,
        "`small` must have the 2 latents of `model`.*a model with 3",
    ),
    "rule for one layer": (
        lambda: sparsity.register_liveness(layers.Dense(3), sparsity.liveness.Elementwise()),
        TypeError,
        "`kind` must be a class of layers or an activation function.*Dense",
    ),
    "rule for numbers": (
        lambda: sparsity.register_liveness(int, sparsity.liveness.Elementwise()),
        TypeError,
        "`kind` must be a class of layers or an activation function.*int",
    ),
}


@pytest.mark.parametrize("misuse", MISUSES)
@pytest.mark.filterwarnings("ignore:dropped latents")
def test_misuse_has_one_clear_line(misuse):
    call, error, match = MISUSES[misuse]
    with pytest.raises(error, match=match) as caught:
        call()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
