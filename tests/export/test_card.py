"""What a card says of gates is what the files hold."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from sparsevae import export, layers, models, sparsity
from sparsevae.data import load
from sparsevae.export.card import readme
from sparsevae.study import RunSettings
from sparsevae.study.one.training import build

X = (np.random.default_rng(0).random((64, 16, 16, 1)) > 0.5).astype("float32")


def trained(gate, control=None, rate=3e-3):
    vae = models.mlp_vae((16, 16, 1), 3, gate=gate, hidden=16, control=control)
    vae.compile(keras.optimizers.Adam(rate))
    vae.fit(X, batch_size=16, epochs=10, verbose=0)
    return vae


@pytest.mark.parametrize("gate", ["annealed_sigmoid", "hard_concrete", "binary", "continuous"])
def test_the_density_is_that_of_the_exported_kernels(tmp_path, gate):
    """While gates still change: an annealed mask is not 0 yet where it will be."""
    vae = trained(gate, sparsity.Strength(300.0, ramp=(5, 15), freeze=2_000))
    folder = export.save(vae, tmp_path / "m")
    card = json.loads((folder / "card.json").read_text())
    stock = keras.saving.load_model(folder / "model.keras")
    links = open_links = 0
    for layer in vae.gated_layers:
        network = stock.encoder if layer.name.startswith("encoder") else stock.decoder
        kernel = np.asarray(network.get_layer(layer.name).kernel)
        assert card["densities"][layer.name] == pytest.approx((kernel != 0).mean())
        links, open_links = links + kernel.size, open_links + np.count_nonzero(kernel)
    assert card["density"] == pytest.approx(open_links / links)
    assert f"{card['density']:.1%} of its links open" in (folder / "README.md").read_text()


@pytest.mark.parametrize("granularity", ["weights", "channels"])
def test_densities_of_gates_that_switch_weights_or_channels(tmp_path, granularity):
    images, codes = keras.Input((6, 6, 1)), keras.Input((2,))
    options = {"gate": "annealed_sigmoid", "granularity": granularity}
    conv = layers.GatedConv2D(4, 3, name="conv", **options)
    flat = keras.layers.Flatten()(conv(images))
    encoder = keras.Model(images, [keras.layers.Dense(2)(flat), keras.layers.Dense(2)(flat)])
    decoded = keras.layers.Reshape((6, 6, 1))(layers.GatedDense(36, name="dense")(codes))
    vae = models.SparseVAE(encoder, keras.Model(codes, decoded))
    score = conv.gate.trainable_variables[0]
    score.assign(np.arange(np.prod(score.shape)).reshape(score.shape) % 4 - 0.5)
    conv.gate.set_phase(0.0, 1.0)  # a quarter is closed
    folder = export.save(vae, tmp_path / "m")
    card = json.loads((folder / "card.json").read_text())
    n_links = {"weights": 9 * 4, "channels": 4}[granularity]
    assert card["densities"] == pytest.approx({"conv": 3 / 4, "dense": 1})
    assert card["density"] == pytest.approx((n_links * 3 / 4 + 72) / (n_links + 72))
    assert card["n_gates"] == n_links + 72


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_files_are_spoken_of_where_they_are_taken(channels):
    card = json.loads((Path(__file__).with_name("v1") / "export" / "card.json").read_text())
    card["input"]["shape"] = [None, 4, 4, channels]
    assert ("encode_png" in readme(card, "small")) == (channels in (1, 3))


def test_a_diverged_model_says_so_and_is_not_exported(tmp_path):
    vae = trained("hard_concrete", rate=1e20)
    logs = vae.gate_logs()
    assert np.isnan(logs["density"]) and np.isnan(logs["density/encoder_dense_1"])
    with pytest.raises(ValueError, match="diverged, go back to a checkpoint"):
        export.save(vae, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_the_precision_of_a_run_is_not_that_of_the_process():
    settings = RunSettings("a", data="toy", model="mlp", precision="mixed_bfloat16")
    vae = build(settings, load("toy"))
    assert "bfloat16" in {layer.compute_dtype for layer in vae.encoder.layers}
    assert keras.config.dtype_policy().name == "float32"
