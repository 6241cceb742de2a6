import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from sparsevae import export, gates, models, objectives

LATENT_DIM = 4


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
for n in (1, 7, 256, 10_000):
    given = tf.constant(np.resize(images, (n, 16, 16, 1)))
    encoded = signatures["encode"](images=given)
    assert set(encoded) == {"codes", "log_variance"}
    default = signatures["serving_default"](images=given)
    assert np.array_equal(default["codes"], encoded["codes"])
    out[f"codes_{n}"] = encoded["codes"]
    out[f"log_variance_{n}"] = encoded["log_variance"]
    (out[f"decoded_{n}"],) = signatures["decode"](codes=encoded["codes"]).values()
    out[f"reconstructed_{n}"] = signatures["reconstruct"](images=given)["images"]
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
        for n in (1, 7, 256, 10_000):
            expected = {
                "codes": codes,
                "log_variance": np.log(posterior.variance()),
                "decoded": decoded,
                "reconstructed": decoded,
            }
            for name, array in expected.items():
                repeated = np.resize(array, (n, *array.shape[1:]))
                np.testing.assert_allclose(out[f"{name}_{n}"], repeated, atol=1e-5)


def test_signatures(folder):
    signatures = tf.saved_model.load(str(folder)).signatures
    names = {"serving_default", "encode", "encode_png", "decode", "reconstruct"}
    assert set(signatures) == names

    def shapes(name):
        signature = signatures[name]
        given = {k: v.shape.as_list() for k, v in signature.structured_input_signature[1].items()}
        return given, {k: v.shape.as_list() for k, v in signature.structured_outputs.items()}

    images, codes = [None, 16, 16, 1], [None, LATENT_DIM]
    for name in ("serving_default", "encode"):
        assert shapes(name) == ({"images": images}, {"codes": codes, "log_variance": codes})
    assert shapes("encode_png") == ({"png": [None]}, {"codes": codes, "log_variance": codes})
    assert shapes("decode") == ({"codes": codes}, {"images": images})
    assert shapes("reconstruct") == ({"images": images}, {"images": images})


# On disk


def test_the_card_is_complete(vae, folder, record):
    card = json.loads((folder / "card.json").read_text())
    for name in record.keys() - {"name", "density"}:
        assert card[name] == record[name]
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
    whole = models.conv_vae((16, 16, 1), LATENT_DIM).count_params()
    assert card["n_parameters"] <= card["n_parameters_before_compaction"] == whole
    assert {"sparsevae", "keras", "tensorflow"} == set(card["versions"])


def test_the_card_counts_the_files_of_the_model(folder):
    card = json.loads((folder / "card.json").read_text())
    words = {"card.json", "README.md", "SHA256SUMS"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in words]
    assert {"saved_model.pb", "model.keras", "variables.index"} <= {path.name for path in files}
    assert card["n_bytes"] == sum(path.stat().st_size for path in files)


def test_nothing_is_stored_twice(vae, folder):
    variables = (folder / "variables" / "variables.data-00000-of-00001").stat().st_size
    card = json.loads((folder / "card.json").read_text())
    assert 4 * card["n_parameters"] < variables < 4.1 * card["n_parameters"] + 10_000


def test_the_readme_says_what_the_card_says(folder, record):
    text = (folder / "README.md").read_text()
    assert text.startswith("# NAME\n")
    for part in (
        "`(n, 16, 16, 1)`",
        "`(n, 4)`",
        "| license | not stated |",
        "| data | dsprites (render) |",
        "| mig | 0.25 |",
        "| encoder_conv_1 | ",
        "| seed | 2 |",
        "| tensorflow | ",
    ):
        assert part in text
    assert "None" not in text and "{" not in text


def test_png_files_go_straight_into_the_graph(folder, images):
    signatures = tf.saved_model.load(str(folder)).signatures
    files = tf.stack([tf.io.encode_png(image) for image in images[:3]])
    codes = signatures["encode"](images=images[:3] / np.float32(255))["codes"]
    np.testing.assert_allclose(signatures["encode_png"](png=files)["codes"], codes, atol=1e-6)


def test_dead_channels_are_taken_out_unless_asked_not_to(tmp_path, images):
    vae = models.conv_vae((16, 16, 1), 3, gate="hard_concrete", seed=1)
    rng = np.random.default_rng(0)
    for layer in vae.gated_layers:
        closed = rng.random(layer.gate.mask_shape) < 0.97
        weight = layer.gate.trainable_variables[0]
        weight.assign(np.where(closed, -6, 3) / layer.gate.learning_rate_multiplier)
        layer.bias.assign(rng.normal(size=layer.bias.shape))
    small = export.load(export.save(vae, tmp_path / "small"))
    whole = export.load(export.save(vae, tmp_path / "whole", compact=False))
    before = small.card["n_parameters_before_compaction"]
    assert 3 * small.card["n_parameters"] < before == whole.card["n_parameters"]
    np.testing.assert_allclose(small.encode(images), vae.codes(images), atol=1e-5)
    np.testing.assert_allclose(small.encode(images), whole.encode(images), atol=1e-5)
    assert f"taken out | {before:,} |" in (tmp_path / "small" / "README.md").read_text()
    assert "taken out" not in (tmp_path / "whole" / "README.md").read_text()


def test_closed_latents_are_dropped_on_request_and_the_card_says_which_stay(tmp_path, images):
    vae = models.conv_vae((16, 16, 1), 3, gate="hard_concrete", seed=1)
    for layer in vae.gated_layers:
        weight = layer.gate.trainable_variables[0]
        log_alpha = np.full(layer.gate.mask_shape, 3.0)
        if layer.name in ("encoder_z_mean", "encoder_z_log_var"):
            log_alpha[:, 1] = -6
        if layer.name == "decoder_dense_1":
            log_alpha[1] = -6
        weight.assign(log_alpha / layer.gate.learning_rate_multiplier)
    whole = export.load(export.save(vae, tmp_path / "whole"))
    fewer = export.load(export.save(vae, tmp_path / "fewer", drop_latents=True))
    assert (whole.card["latents"], fewer.card["latents"]) == ([0, 1, 2], [0, 2])
    assert fewer.card["output"]["codes"] == [None, 2]
    np.testing.assert_allclose(fewer.encode(images), whole.encode(images)[:, [0, 2]], atol=1e-5)
    assert "| latents of the trained model | 0, 2 |" in (tmp_path / "fewer/README.md").read_text()
    with pytest.raises(ValueError, match="`drop_latents` must be False with compact=False"):
        export.save(vae, tmp_path / "no", compact=False, drop_latents=True)


@pytest.mark.parametrize("argument", ["compact", "drop_latents", "overwrite"])
def test_switches_are_booleans(vae, argument, tmp_path):
    with pytest.raises(TypeError, match=f"`{argument}` must be True or False.*'no'"):
        export.save(vae, tmp_path / "no", **{argument: "no"})
    assert not (tmp_path / "no").exists()


def test_other_models_are_refused(vae, tmp_path):
    for model in (vae.encoder, 3):
        with pytest.raises(TypeError, match=r"`vae` must be a SparseVAE\. Received: (Func|int 3)"):
            export.save(model, tmp_path / "no")


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


def test_the_keras_file_keeps_what_the_model_was_made_with(tmp_path):
    plain = small_vae()
    objective = objectives.BetaVAE(2.0)
    given = {"objective": objective, "active_threshold": 0.5, "seed": 7}
    export.save(models.SparseVAE(plain.encoder, plain.decoder, **given), tmp_path / "plain")
    loaded = keras.saving.load_model(tmp_path / "plain" / "model.keras")
    assert (loaded.objective.beta, loaded.active_threshold, loaded.seed) == (2.0, 0.5, 7)


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

    monkeypatch.setattr(models.SparseVAE, "save", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        export.save(small_vae(), target, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == (["target"] if overwrite else [])
    if overwrite:
        assert export.load(target).latent_dim == LATENT_DIM
