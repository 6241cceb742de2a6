"""A VAE without dead channels is the same VAE."""

import functools

import keras
import numpy as np
import pytest

import sparsevae as sv
from sparsevae import gates, sparsity
from sparsevae.models import conv_vae, mlp_vae, sparse_decoding_vae

IMAGES = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 1), dtype=np.uint8)


def pruned(make, granularity, density):
    control = sparsity.FixedMask(granularity=granularity)
    options = {"granularity": granularity, "control": control, "seed": 1}
    vae = make((16, 16, 1), 4, gate=gates.Pruned(), **options)
    rng = np.random.default_rng(0)
    for layer in vae.gated_layers:
        layer.gate.open.assign(rng.random(layer.gate.open.shape) < density)
        if layer.bias is not None:
            layer.bias.assign(rng.normal(size=layer.bias.shape) / 3)
    return vae


@pytest.mark.parametrize("make", [conv_vae, functools.partial(mlp_vae, hidden=48)])
@pytest.mark.parametrize(("granularity", "density"), [("links", 0.03), ("channels", 0.2)])
def test_codes_and_elbo_stay(make, granularity, density, tmp_path):
    vae = pruned(make, granularity, density)
    small = sv.compact(vae)
    assert type(small) is sv.SparseVAE and not small.gated_layers
    assert 2 * small.count_params() < sv.harden(vae).count_params()
    np.testing.assert_allclose(small.codes(IMAGES), vae.codes(IMAGES), atol=1e-5)
    elbo = float(np.mean(vae.elbo(IMAGES)))
    np.testing.assert_allclose(np.mean(small.elbo(IMAGES)), elbo, rtol=1e-5)
    small.save(tmp_path / "small.keras")
    loaded = keras.saving.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(loaded.codes(IMAGES), small.codes(IMAGES))


@pytest.mark.parametrize("dtype_policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_half_precision(dtype_policy):
    vae = pruned(conv_vae, "links", 0.03)
    small = sv.compact(vae)
    assert {layer.dtype_policy.name for layer in small.encoder.layers} == {dtype_policy, "float32"}
    largest = sparsity.compare(vae, small, batch_sizes=()).largest_difference
    assert small.count_params() < sv.harden(vae).count_params() and largest < 1e-5
    np.testing.assert_allclose(small.codes(IMAGES), vae.codes(IMAGES), atol=0.05)


def test_what_is_compacted_can_be_trained_on():
    small = sv.compact(pruned(conv_vae, "channels", 0.3))
    small.compile("adam")
    losses = small.fit(IMAGES, batch_size=16, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_vae_beside_its_compacted_one():
    vae = pruned(conv_vae, "channels", 0.2)
    found = sparsity.compare(vae, sv.compact(vae), batch_sizes=(2,))
    assert found.totals.ratio["parameters"] > 4 and found.largest_difference < 1e-5
    assert {"encoder_conv_1", "decoder_dense_1"} <= set(found.channels.layer)


def close_latents(vae, latents):
    """Closes all links of these latents, on both sides."""
    for layer in vae.gated_layers:
        mask = np.array(layer.gate.open)
        if layer.name in ("encoder_z_mean", "encoder_z_log_var"):
            mask[:, latents] = 0
        if layer.name in ("decoder_dense_1", "decoder_mask"):
            mask[latents] = 0
        layer.gate.open.assign(mask)


@pytest.mark.parametrize("multiple_of", [1, 4])
def test_latents_closed_on_both_sides_are_dropped_on_request(multiple_of):
    vae = pruned(conv_vae, "links", 0.5)
    close_latents(vae, [1, 3])
    assert sv.compact(vae).latent_dim == 4
    with pytest.warns(UserWarning, match="dropped latents 1, 3$"):
        small = sv.compact(vae, multiple_of=multiple_of, drop_latents=True)
    assert small.latent_dim == 2
    np.testing.assert_allclose(small.codes(IMAGES), vae.codes(IMAGES)[:, [0, 2]], atol=1e-5)
    z = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    wide, narrow = (net(z_) for net, z_ in ((vae.decoder, z), (small.decoder, z[:, [0, 2]])))
    np.testing.assert_allclose(narrow, wide, atol=1e-5)


def test_latents_that_no_pixel_reads_are_dropped_from_the_mask():
    vae = pruned(functools.partial(sparse_decoding_vae, hidden=8, decoder_hidden=6), "links", 0.5)
    close_latents(vae, [1, 3])
    report = sparsity.report(vae).table.set_index("layer")
    is_open = np.array(vae.decoder.get_layer("decoder_mask").gate.open)
    assert 0 < report.effective["decoder_mask"] <= report.open["decoder_mask"] == is_open.sum()
    assert report.flops["decoder_mask"] == 4 * 256 and report.flops["decoder_readout"] == 6 * 256
    with pytest.warns(UserWarning, match="dropped latents 1, 3$"):
        small = sv.compact(vae, drop_latents=True)
    mask = small.decoder.get_layer("decoder_mask")
    assert type(mask) is keras.layers.EinsumDense and mask.kernel.shape == (2, 256)
    z = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(small.decoder(z[:, [0, 2]]), vae.decoder(z), atol=1e-5)


@pytest.mark.parametrize("objective", [sv.objectives.FactorVAE(10.0), sv.objectives.SpikeAndSlab()])
def test_with_fewer_latents_the_objective_begins_anew_and_trains(objective):
    make = functools.partial(sparse_decoding_vae, hidden=8, decoder_hidden=6, n_data=100)
    vae = pruned(functools.partial(make, objective=objective), "links", 0.5)
    close_latents(vae, [1, 3])
    with pytest.warns(UserWarning, match="dropped latents 1, 3$"):
        small = sv.compact(vae, drop_latents=True)
    assert small.objective is not objective
    assert small.objective.get_config() == objective.get_config()
    assert sv.compact(vae).objective is objective
    small.compile("adam")
    history = small.fit(IMAGES, batch_size=16, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_latents_open_on_one_side_stay(side):
    vae = pruned(conv_vae, "links", 0.5)
    before = {layer.name: np.array(layer.gate.open) for layer in vae.gated_layers}
    close_latents(vae, [1])
    for layer in vae.gated_layers:
        if layer.name.startswith(side):
            layer.gate.open.assign(before[layer.name])
    assert sv.compact(vae, drop_latents=True).latent_dim == 4


def test_a_model_whose_latents_are_all_closed_keeps_one():
    vae = pruned(conv_vae, "links", 0.0)
    with pytest.warns(UserWarning, match="dropped latents 1, 2, 3"):
        assert sv.compact(vae, drop_latents=True).latent_dim == 1


def test_only_a_vae_has_latents():
    with pytest.raises(ValueError, match="`drop_latents` must be False for models other than"):
        sv.compact(conv_vae((16, 16, 1), 3).encoder, drop_latents=True)
