"""`compare` where two models differ in more than widths: names, latents."""

import keras
import numpy as np
import pytest
from keras import layers

import sparsevae as sv
from sparsevae import sparsity


def closed(layer, at):
    kernel = np.array(layer.kernel)
    kernel[at] = 0
    layer.kernel.assign(kernel)


def test_nested_models_that_use_one_name():
    def one_layer(layer):
        return keras.Sequential([keras.Input((6,)), layer])

    inputs = keras.Input((4,))
    first = layers.Dense(6, name="a")
    x = one_layer(layers.ReLU(name="block"))(first(inputs))
    for _ in range(2):
        x = one_layer(layers.Dense(6, name="block"))(x)
    model = keras.Model(inputs, layers.Dense(2, name="last")(x))
    closed(first, np.s_[:, 1])
    small = sv.compact(model)
    found = sparsity.compare(model, small, ())
    assert found.channels.layer.tolist() == ["a", "block_1", "block_2", "last"]
    assert found.channels.after.tolist() == [5, 6, 6, 2]
    assert found.largest_difference < 1e-5
    same = sparsity.compare(model, sv.harden(model), ()).channels
    assert same.layer.tolist() == found.channels.layer.tolist()
    assert (same.before == same.after).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="VAEs are of TensorFlow")
@pytest.mark.filterwarnings("ignore:dropped latents 1")
def test_latents_that_were_dropped():
    images, codes = keras.Input((4, 4, 1)), keras.Input((3,))
    mean, log_var, hidden = (layers.Dense(n) for n in (3, 3, 5))
    flat = layers.Flatten()(images)
    pixels = layers.Dense(16)(hidden(codes))
    vae = sv.models.SparseVAE(
        keras.Model(images, [mean(flat), log_var(flat)]),
        keras.Model(codes, layers.Reshape((4, 4, 1))(pixels)),
    )
    for layer, at in ((mean, np.s_[:, 1]), (log_var, np.s_[:, 1]), (hidden, np.s_[1])):
        closed(layer, at)
    mean.bias.assign([1.0, 2.0, 3.0])
    small = sv.compact(vae, drop_latents=True)
    found = sparsity.compare(vae, small, (1,))
    assert found.largest_difference < 1e-5
    assert found.totals.loc["parameters"].tolist()[:2] == [vae.count_params(), small.count_params()]
    assert found.channels.after.tolist()[:2] == [2, 2]
    small.encoder.layers[-1].bias.assign(small.encoder.layers[-1].bias + 1.0)
    assert sparsity.compare(vae, small, ()).largest_difference > 0.1
