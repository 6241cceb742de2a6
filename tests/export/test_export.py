import hashlib
import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import sparsevae as sv
from sparsevae import export, gates, models, objectives

LATENT_DIM = 4


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (256, 16, 16, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def vae():
    """A gated conv VAE: of each layer a third of the links closed, a third half open."""
    vae = models.conv_vae((16, 16, 1), LATENT_DIM, gate="hard_concrete", seed=2)
    for k, layer in enumerate(vae.gated_layers):
        log_alpha = np.random.default_rng(k).choice([-6, 0.3, 3], layer.gate.mask_shape)
        weight = layer.gate.trainable_variables[0]
        weight.assign(log_alpha / layer.gate.learning_rate_multiplier)
        layer.bias.assign(np.random.default_rng(k).normal(size=layer.bias.shape) / 10)
    return vae


RECORD = {
    "settings": {"data": "dsprites", "seed": 2},
    "data_source": "render",
    "step": 7,
    "elbo": -31.5,
    "scores": {"mig": 0.25},
    "active_latents": 3.0,
    "density": 0.5,
    "name": "not for the card",
}


@pytest.fixture(scope="module")
def folder(vae, tmp_path_factory):
    return export.save(vae, tmp_path_factory.mktemp("saved") / "NAME", record=RECORD)


@pytest.fixture(scope="module")
def encoder(folder):
    return export.load(folder)


# With TensorFlow alone

ALONE = """
import sys
for name in ("keras", "tf_keras", "sparsevae", "tensorflow_probability"):
    sys.modules[name] = None  # importing it fails; TensorFlow itself looks for Keras
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
images = np.load("images.npy").astype("float32") / 255
signatures = model.signatures
out = {}
for n in (1, 7, 256):
    encoded = signatures["encode"](images=tf.constant(images[:n]))
    assert set(encoded) == {"codes", "log_variance"}
    default = signatures["serving_default"](images=tf.constant(images[:n]))
    assert np.array_equal(default["codes"], encoded["codes"])
    out[f"codes_{n}"] = encoded["codes"]
    out[f"log_variance_{n}"] = encoded["log_variance"]
    (out[f"decoded_{n}"],) = signatures["decode"](codes=encoded["codes"]).values()
    out[f"reconstructed_{n}"] = signatures["reconstruct"](images=tf.constant(images[:n]))["images"]
np.savez("out.npz", **out)
"""


def test_tensorflow_alone_gives_the_same(vae, folder, images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    closed = [1 - np.mean(layer.gate.support()) for layer in vae.gated_layers]
    assert min(closed) > 0.2 and max(closed) < 0.5
    posterior = vae.encode(images)
    codes, decoded = posterior.mean().numpy(), vae.decode(posterior.mean()).mean().numpy()
    assert codes.std(axis=0).min() > 1e-3
    with np.load(tmp_path / "out.npz") as out:
        for n in (1, 7, 256):
            np.testing.assert_allclose(out[f"codes_{n}"], codes[:n], atol=1e-5)
            log_variance = np.log(posterior.variance()[:n])
            np.testing.assert_allclose(out[f"log_variance_{n}"], log_variance, atol=1e-5)
            np.testing.assert_allclose(out[f"decoded_{n}"], decoded[:n], atol=1e-5)
            np.testing.assert_allclose(out[f"reconstructed_{n}"], decoded[:n], atol=1e-5)


def test_signatures(folder):
    signatures = tf.saved_model.load(str(folder)).signatures
    assert set(signatures) == {"serving_default", "encode", "decode", "reconstruct"}

    def shapes(name):
        signature = signatures[name]
        given = {k: v.shape.as_list() for k, v in signature.structured_input_signature[1].items()}
        return given, {k: v.shape.as_list() for k, v in signature.structured_outputs.items()}

    images, codes = [None, 16, 16, 1], [None, LATENT_DIM]
    for name in ("serving_default", "encode"):
        assert shapes(name) == ({"images": images}, {"codes": codes, "log_variance": codes})
    assert shapes("decode") == ({"codes": codes}, {"images": images})
    assert shapes("reconstruct") == ({"images": images}, {"images": images})


# As an Encoder


def test_encoder_is_the_vae(vae, encoder, images):
    codes = vae.codes(images)
    assert (encoder.image_shape, encoder.latent_dim) == ((16, 16, 1), LATENT_DIM)
    for encode in (encoder.encode, encoder.transform):
        np.testing.assert_allclose(encode(images), codes, atol=1e-5)
    np.testing.assert_allclose(encoder.decode(codes), vae.decode(codes).mean(), atol=1e-5)
    np.testing.assert_allclose(encoder.reconstruct(images), vae(images), atol=1e-5)
    assert encoder.encode(images).dtype == encoder.reconstruct(images).dtype == np.float32


@pytest.mark.parametrize("batch_size", [1, 100, 1000])
def test_batches_make_no_difference(encoder, images, batch_size):
    few = images[:130]
    np.testing.assert_allclose(encoder.encode(few, batch_size), encoder.encode(few), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_and_bytes_mean_the_same(encoder, dtype):
    binary = np.random.default_rng(1).integers(0, 2, (9, 16, 16, 1))
    codes = encoder.encode((255 * binary).astype(np.uint8))
    np.testing.assert_allclose(encoder.encode(binary.astype(dtype)), codes, atol=1e-6)


def test_no_images_are_no_codes(encoder, images):
    assert encoder.encode(images[:0]).shape == (0, LATENT_DIM)
    assert encoder.reconstruct(images[:0]).shape == (0, 16, 16, 1)
    assert encoder.decode(np.zeros((0, LATENT_DIM))).shape == (0, 16, 16, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16, 3), np.uint8), r"\(n, 16, 16, 1\).*\(2, 16, 16, 3\)"),
        (np.zeros((16, 16, 1), np.uint8), "shape"),
        (np.zeros((2, 16, 16, 1), np.int64), "uint8.*int64"),
        (np.full((2, 16, 16, 1), "a"), "uint8.*string"),
        (np.full((2, 16, 16, 1), 255.0), r"\[0, 1\].*255"),
        (np.full((2, 16, 16, 1), np.nan), "NaN"),
    ],
    ids=["channels", "one image", "int64", "strings", "0 to 255", "NaN"],
)
def test_bad_images_are_refused(encoder, images, message):
    for method in (encoder.encode, encoder.reconstruct):
        with pytest.raises(ValueError, match=message):
            method(images)


@pytest.mark.parametrize("codes", [np.zeros((2, 5)), np.zeros(4)], ids=np.shape)
def test_bad_codes_are_refused(encoder, codes):
    with pytest.raises(ValueError, match=r"`codes` must have the shape \(n, 4\)"):
        encoder.decode(codes)


def test_the_encoder_scores_like_the_vae(vae, encoder):
    """What `metrics.evaluate` needs is what an export gives."""

    class Shades(sv.data.GroundTruthData):
        def images(self, indices):
            noise = np.random.default_rng(0).integers(0, 40, (len(self), 16, 16, 1))
            return (noise + 80 * self.factors(np.arange(len(self)))[:, :1, None, None])[
                self.factor_space.checked(indices)
            ].astype(np.uint8)

    space = sv.data.FactorSpace(("shade", "take"), (3, 50))
    data = Shades("shades", "render", space, (16, 16, 1))
    scores = [
        sv.metrics.evaluate(encode, data, metrics=["mig", "sap", "irs"], n_samples=500)
        for encode in (vae.codes, encoder.encode)
    ]
    assert scores[0]["mig_ceiling"] > 0.5
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


# On disk


def test_the_card_is_complete(vae, folder):
    card = json.loads((folder / "card.json").read_text())
    for name in ("settings", "data_source", "step", "elbo", "scores", "active_latents"):
        assert card[name] == RECORD[name]
    open_links = [np.asarray(layer.gate.mask()) > 0 for layer in vae.gated_layers]
    n_open = sum(links.sum() for links in open_links)
    assert card["density"] == pytest.approx(n_open / sum(links.size for links in open_links))
    assert "name" not in card and card["format_version"] == 1
    assert card["input"] == {
        "name": "images",
        "shape": [None, 16, 16, 1],
        "dtype": "float32",
        "range": [0, 1],
    }
    assert card["output"] == {"codes": [None, LATENT_DIM], "log_variance": [None, LATENT_DIM]}
    assert set(card["densities"]) == {layer.name for layer in vae.gated_layers}
    for layer in vae.gated_layers:
        density = np.mean(layer.gate.mask() > 0)
        assert card["densities"][layer.name] == pytest.approx(density, abs=1e-6)
    assert card["n_gates"] == sum(np.prod(layer.gate.mask_shape) for layer in vae.gated_layers)
    assert card["n_parameters"] == models.conv_vae((16, 16, 1), LATENT_DIM).count_params()
    assert {"sparsevae", "keras", "tensorflow"} == set(card["versions"])


def test_the_card_names_every_file_with_its_digest(folder):
    card = json.loads((folder / "card.json").read_text())
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    files = {name: path for name, path in files.items() if path.is_file() and name != "card.json"}
    assert {"saved_model.pb", "model.keras", "variables/variables.index"} <= set(files)
    assert card["sha256"] == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
    }
    assert card["n_bytes"] == sum(path.stat().st_size for path in files.values())


def test_the_keras_file_holds_stock_layers_only(vae, folder, images):
    stock = keras.saving.load_model(folder / "model.keras")
    assert stock.gated_layers == []
    np.testing.assert_allclose(stock.codes(images), vae.codes(images), atol=1e-5)
    names = {type(layer).__module__.split(".")[0] for layer in stock.encoder.layers}
    assert names == {"keras"}


def small_vae(**kwargs):
    return models.mlp_vae((4, 4, 1), 2, hidden=4, **kwargs)


def test_gaussian_and_plain_models_are_exported_too(tmp_path):
    vae = small_vae(likelihood=objectives.Gaussian(0.1), objective=objectives.BetaVAE(2.0))
    encoder = export.load(export.save(vae, tmp_path / "plain"))
    z = np.random.default_rng(0).normal(size=(5, 2)).astype("float32")
    np.testing.assert_allclose(encoder.decode(z), vae.decode(z).mean(), atol=1e-6)
    assert encoder.card["n_gates"] == 0 and encoder.card["densities"] == {}
    assert keras.saving.load_model(tmp_path / "plain" / "model.keras").likelihood.variance == 0.1


def test_a_model_in_mixed_precision_is_exported_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        vae = small_vae(gate=gates.Binary())
        folder = export.save(vae, tmp_path / "mixed")
    finally:
        keras.config.set_dtype_policy("float32")
    x = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), dtype=np.uint8)
    codes = export.load(folder).encode(x)
    np.testing.assert_allclose(codes, vae.codes(x), atol=0.02)
    assert not np.array_equal(codes, codes.astype(tf.bfloat16.as_numpy_dtype).astype("float32"))


def test_an_existing_folder_is_kept_unless_overwritten(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    before = (copy / "card.json").read_bytes()
    with pytest.raises(FileExistsError, match=r"overwrite=True.*copy"):
        export.save(small_vae(), copy)
    assert (copy / "card.json").read_bytes() == before
    assert export.save(small_vae(), copy, overwrite=True) == copy
    assert export.load(copy).latent_dim == 2
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "old"])
def test_a_failure_half_way_changes_nothing(folder, monkeypatch, overwrite, tmp_path):
    target = tmp_path / "target"
    if overwrite:
        shutil.copytree(folder, target)

    def fail(self, path):
        path.write_bytes(b"half")
        raise RuntimeError("half-way")

    monkeypatch.setattr(sv.SparseVAE, "save", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        export.save(small_vae(), target, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == (["target"] if overwrite else [])
    if overwrite:
        assert export.load(target).latent_dim == LATENT_DIM


PARTS = ["card.json", "saved_model.pb", "variables/variables.index"]


@pytest.mark.parametrize("part", PARTS)
def test_a_partial_folder_is_refused(folder, part, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    if (copy / part).is_dir():
        shutil.rmtree(copy / part)
    else:
        (copy / part).unlink()
    with pytest.raises(FileNotFoundError, match=rf"copy is not an exported model: {part}"):
        export.load(copy)


def test_what_is_no_export_is_refused(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(FileNotFoundError, match="is not an exported model"):
            export.load(folder)


@pytest.mark.parametrize("part", ["card.json", "saved_model.pb", "variables/variables.index"])
def test_a_damaged_folder_is_refused_by_name(folder, part, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / part).write_bytes((copy / part).read_bytes()[:100])
    with pytest.raises(ValueError, match="copy"):
        export.load(copy)
