"""Channels, links and pixels of each latent, on models whose wiring is known."""

import base64

import numpy as np
import pytest

from sparsevae import models
from sparsevae.report import wiring_explorer
from sparsevae.report.trained_model import TrainedModel
from sparsevae.report.wiring_explorer import mask_pictures
from sparsevae.sparsity import harden

N_LATENTS = 3


def model_of(kernels):
    """An MLP of 6 hidden units; its kernels by layer, in place of those drawn."""
    vae = models.mlp_vae((2, 3, 1), N_LATENTS, hidden=6)
    for network in vae.networks:
        for layer in network.layers:
            if layer.name in kernels:
                layer.kernel.assign(np.broadcast_to(kernels[layer.name], layer.kernel.shape))
    codes = np.random.default_rng(0).normal(size=(8, N_LATENTS)).astype(np.float32)
    images = np.zeros((0, 2, 3, 1), np.uint8)
    return TrainedModel(vae, harden(vae), "model.keras", images, codes, None, [])


def each_its_own():
    """Latents 0 and 1 drive hidden unit 0 and 1, and by these pixel 0 and 1; latent 2 nothing."""
    first = np.zeros((N_LATENTS, 6))
    first[0, 0], first[1, 1] = 2.0, 1.0
    straight = {f"decoder_dense_{k}": np.eye(6) for k in (2, 3, 4)}
    return model_of({"decoder_dense_1": first, **straight})


def test_a_latent_has_the_channels_and_pixels_of_its_path():
    found = wiring_explorer.wiring_explorer(each_its_own())
    names = [layer["layer"] for layer in found["layers"]]
    k = names.index("decoder_dense_1")
    for latent in (0, 1):
        one = found["latents"][latent]
        assert one["channels"][k] == [[latent, 1.0]] and one["reached"][k] == 1
        assert one["pixels"] == one["reachable"] == 1
        drawn = {(a, i, b, j) for a, i, b, j, _ in one["links"]}
        assert (names.index("input", 1), latent, k, latent) in drawn
    idle = found["latents"][2]
    assert idle["reached"][k] == 0 == idle["pixels"]
    assert idle["reached"][names.index("encoder_dense_2")] == 6  # though nothing comes of it
    assert found["latents"][0]["share"] == 1 > found["latents"][1]["share"] > 0


def test_strengths_are_shares_and_channels_that_nothing_needs_are_left_out():
    found = wiring_explorer.wiring_explorer(model_of({}))
    for one in found["latents"]:
        for channels in one["channels"]:
            strengths = [strength for _, strength in channels]
            assert strengths == sorted(strengths, reverse=True)
            assert not strengths or strengths[0] == 1
    kernel = np.ones((6, 6))
    kernel[:, 4] = 0  # unit 4 of the second layer is a constant
    found = wiring_explorer.wiring_explorer(model_of({"decoder_dense_2": kernel}))
    k = [layer["layer"] for layer in found["layers"]].index("decoder_dense_2")
    assert {one["reached"][k] for one in found["latents"]} == {5}


def test_too_many_links_are_refused_with_their_number(monkeypatch):
    monkeypatch.setattr(wiring_explorer, "LIMIT", 10)
    with pytest.raises(ValueError, match="links are open, and up to 10 can be followed"):
        wiring_explorer.wiring_explorer(each_its_own())


def test_pictures_of_masks_show_single_links():
    mask = np.zeros((1024, 256))
    mask[700, 3] = 1
    (one,) = mask_pictures({"dense": mask})
    values = np.frombuffer(base64.b64decode(one["bytes"]), np.uint8).reshape(one["shape"])
    assert one["shape"] == [128, 128] and one["open"] == 1
    assert np.argwhere(values).tolist() == [[87, 1]] and values.max() > 80


def test_a_decoder_of_which_nothing_is_left_has_no_layers():
    model = model_of({f"decoder_dense_{k}": 0.0 for k in (1, 2, 3, 4)})
    found = wiring_explorer.wiring_explorer(model)
    assert [layer["layer"] for layer in found["layers"] if layer["network"] == "decoder"] == [
        "input"
    ]
    assert all(one["pixels"] == one["reachable"] == 0 for one in found["latents"])
