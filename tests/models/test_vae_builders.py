import keras
import numpy as np
import pytest

from sparsevae import gates, models
from sparsevae.layers import GatedLayer

SIZES = {
    models.conv_vae: {},
    models.mlp_vae: {"hidden": 8},
    models.sparse_decoding_vae: {"hidden": 8, "decoder_hidden": 3},
}
BUILDERS = [*SIZES]


def name(builder):
    return builder.__name__


def small(builder, **kwargs):
    return builder((16, 16, 1), 2, **SIZES[builder], **kwargs)


def n_gates(vae):
    return sum(np.prod(layer.gate.mask_shape) for layer in vae.gated_layers)


def test_conv_vae_has_the_sizes_of_the_field():
    vae = models.conv_vae((64, 64, 1), 10)
    assert vae.encoder.count_params() == 309_204
    assert vae.decoder.count_params() == 381_313
    assert vae.count_params() == 690_517
    assert vae.gated_layers == []


def test_gated_conv_vae_has_a_gate_for_each_link():
    vae = models.conv_vae((64, 64, 1), 10, gate="hard_concrete")
    assert n_gates(vae) == 546_368
    assert len(vae.gated_layers) == 13
    assert [layer.name for layer in vae.gated_layers[:2]] == ["encoder_conv_1", "encoder_conv_2"]
    biases_and_kernels = [
        weight for weight in vae.trainable_variables if weight.name in ("kernel", "bias")
    ]
    assert sum(int(np.prod(weight.shape)) for weight in biases_and_kernels) == 690_517


def test_mlp_vae_has_the_sizes_it_says():
    vae = models.mlp_vae((8, 8, 1), 3, hidden=16)
    encoder = (64 * 16 + 16) + (16 * 16 + 16) + 2 * (16 * 3 + 3)
    decoder = (3 * 16 + 16) + 2 * (16 * 16 + 16) + (16 * 64 + 64)
    assert (vae.encoder.count_params(), vae.decoder.count_params()) == (encoder, decoder)
    gated = models.mlp_vae((8, 8, 1), 3, hidden=16, gate=gates.Continuous())
    assert n_gates(gated) == 64 * 16 + 16 * 16 + 2 * 16 * 3 + 3 * 16 + 2 * 16 * 16 + 16 * 64


def test_sparse_decoding_vae_has_the_sizes_it_says():
    vae = models.sparse_decoding_vae((4, 2, 3), 5, hidden=16, decoder_hidden=7)
    shared = (5 * 7 + 7) + (7 * 7 + 7)
    assert vae.decoder.count_params() == 24 * 5 + shared + 24 * (7 + 1)
    gated = models.sparse_decoding_vae((4, 2, 3), 5, hidden=16, decoder_hidden=7, gate="binary")
    assert [layer.gate.mask_shape for layer in gated.gated_layers[-4:]] == [
        (5, 24), (5, 7), (7, 7), (7, 24)
    ]  # fmt: skip


def test_each_pixel_is_decoded_from_its_own_latents_by_the_same_network():
    vae = models.sparse_decoding_vae((3, 2, 1), 4, hidden=8, decoder_hidden=5)
    for layer in vae.decoder.layers:
        if layer.weights[1:]:
            layer.bias.assign(np.random.default_rng(0).normal(size=layer.bias.shape))
    z = np.random.default_rng(1).normal(size=(7, 4)).astype("float32")
    mask, first, second, readout = (layer for layer in vae.decoder.layers if layer.weights)
    pixels = []
    for j in range(6):
        x = mask.kernel.numpy()[:, j] * z
        for layer in (first, second):
            x = np.maximum(x @ layer.kernel.numpy() + layer.bias.numpy(), 0)
        pixels.append(x @ readout.kernel.numpy()[:, j] + readout.bias.numpy()[j])
    expected = np.reshape(np.transpose(pixels), (7, 3, 2, 1))
    np.testing.assert_allclose(vae.decoder(z), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(32, 16, 3), (16, 48, 1)])
def test_conv_vae_takes_any_multiple_of_16(shape):
    vae = models.conv_vae(shape, 2)
    assert vae.sample(3).shape == (3, *shape)


@pytest.mark.parametrize("builder", BUILDERS, ids=name)
@pytest.mark.parametrize("where", ["both", "encoder", "decoder"])
def test_where_says_which_network_is_gated(builder, where):
    vae = small(builder, gate=gates.Continuous(), where=where)
    for part in ("encoder", "decoder"):
        layers = [layer for layer in getattr(vae, part).layers if layer.weights]
        expected = where in ("both", part)
        assert {isinstance(layer, GatedLayer) for layer in layers} == {expected}
        assert all(layer.name.startswith(part) for layer in layers)


@pytest.mark.parametrize("builder", BUILDERS, ids=name)
@pytest.mark.parametrize("gate", ["binary", gates.Binary("threshold", initial_density=0.7)])
def test_each_layer_has_its_own_gate_and_seed(builder, gate):
    layers = small(builder, gate=gate, seed=3).gated_layers
    assert len({id(layer.gate) for layer in layers}) == len(layers)
    assert len({layer.gate.seed for layer in layers}) == len(layers)
    if not isinstance(gate, str):
        assert {layer.gate.initial_density for layer in layers} == {0.7}
        assert not gate.built


@pytest.mark.parametrize("builder", BUILDERS, ids=name)
def test_the_seed_fixes_all_initial_weights(builder):
    first, again, other = (small(builder, gate="binary", seed=seed) for seed in (1, 1, 2))
    for a, b, c in zip(first.weights, again.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)
        if a.name in ("kernel", "logit"):
            assert not np.array_equal(a, c)


@pytest.mark.parametrize("builder", BUILDERS, ids=name)
def test_every_kernel_gets_the_regularizer_and_nothing_else_does(builder):
    vae = small(builder, kernel_regularizer=keras.regularizers.L1(2.0))
    kernels = [weight for weight in vae.trainable_variables if weight.name == "kernel"]
    total = sum(2.0 * np.abs(kernel).sum() for kernel in kernels)
    assert len(vae.losses) == len(kernels)
    np.testing.assert_allclose(float(sum(vae.losses)), total, rtol=1e-5)


@pytest.mark.parametrize("builder", BUILDERS, ids=name)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gate": "hard_concret"}, r"`gate` must be one of .*Did you mean 'hard_concrete'"),
        ({"where": "middle"}, r"`where` must be one of .*'middle'"),
        ({"likelihood": "bernouli"}, r"`likelihood` must be .*Did you mean 'bernoulli'"),
        ({"image_shape": 16}, "`image_shape` must be"),
        ({"image_shape": (16, 16)}, r"`image_shape` must be .*\(16, 16\)"),
        ({"image_shape": (16, 16, 0)}, "`image_shape`"),
        ({"image_shape": (16.0, 16, 1)}, "`image_shape`"),
        ({"latent_dim": 0}, "`latent_dim` must be an integer of at least 1"),
        ({"latent_dim": 2.5}, "`latent_dim`"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(builder, arguments, message):
    arguments = {"image_shape": (16, 16, 1), **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        builder(**arguments)


@pytest.mark.parametrize("shape", [(24, 16, 1), (16, 40, 3), (8, 8, 1)])
def test_conv_vae_refuses_what_it_cannot_halve_four_times(shape):
    with pytest.raises(ValueError, match="multiples of 16"):
        models.conv_vae(shape)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"gate": 3}, "`gate`"), ({"objective": "beta_vae"}, "`objective`")],
    ids=str,
)
def test_wrong_types_are_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        models.mlp_vae((8, 8, 1), 2, hidden=8, **arguments)
