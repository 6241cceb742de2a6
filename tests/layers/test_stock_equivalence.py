"""A gated layer is the stock layer with the kernel K * M, for every stock option."""

import keras
import numpy as np
import pytest
from all_gates import array, spread
from all_layers import CASES, ONE_OF_EACH
from derivatives import gradients
from keras import ops

from sparsevae import gates, layers

RNG = np.random.default_rng(0)


def pair(name, gate=None, **more):
    """A gated layer with an uneven gate, its mask as the kernel is stored, a stock layer, inputs.

    The stock layer has the kernel K * M, computed here, and the same bias, if any.
    """
    (gated_class, stock_class), arguments, shape = CASES[name]
    gated = gated_class(**arguments, **more, gate=gate or gates.HardConcrete(seed=0))
    stock = stock_class(**arguments, **more)
    for layer in (gated, stock):
        layer.build((None, *shape[1:]))
    spread(gated.gate)
    mask = array(gated.gate.mask())
    mask = mask.T if stock_class is keras.layers.Conv2DTranspose else mask
    weights = [array(gated.kernel) * mask]
    if gated.use_bias:
        gated.bias.assign(RNG.normal(size=gated.bias.shape))
        weights.append(array(gated.bias))
    stock.set_weights(weights)
    return gated, mask, stock, RNG.normal(size=shape).astype("float32")


def outputs(layer, x):
    try:
        return np.asarray(ops.cast(layer(x), "float32"))
    except Exception as error:
        if "channels_first" in str(error) or "NCHW" in str(error) or "NHWC" in str(error):
            pytest.skip("this backend has no channels_first on a CPU")
        raise


def test_no_public_layer_is_missing_here():
    public = {getattr(layers, name) for name in layers.__all__} - {layers.GatedLayer}
    assert {gated_class for (gated_class, _), *_ in CASES.values()} == public


@pytest.mark.parametrize("name", CASES)
def test_output_is_that_of_the_stock_layer_with_the_masked_kernel(name):
    gated, mask, stock, x = pair(name)
    assert 0 < (mask == 0).mean() < 1 and ((mask > 0) & (mask < 1)).any()
    expected = outputs(stock, x)
    np.testing.assert_allclose(outputs(gated, x), expected, rtol=1e-5, atol=1e-6)
    assert tuple(gated.compute_output_shape(x.shape)) == expected.shape


@pytest.mark.parametrize("name", CASES)
def test_all_gates_open_is_exactly_the_stock_layer(name):
    (_, _), _, shape = CASES[name]
    n_in = shape[1] if "channels_first" in name else shape[-1]
    gated, _, stock, x = pair(name, gate=gates.Fixed(np.ones((n_in, 4))))
    np.testing.assert_array_equal(array(gated.kernel), array(stock.kernel))
    np.testing.assert_array_equal(outputs(gated, x), outputs(stock, x))


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_multiplies_in_float32_and_casts_last(name, policy):
    gated, _, stock, x = pair(name, dtype=policy)
    assert gated.kernel.dtype == "float32"
    assert keras.backend.standardize_dtype(gated(x).dtype) == policy.removeprefix("mixed_")
    np.testing.assert_array_equal(outputs(gated, x), outputs(stock, x))


@pytest.mark.parametrize("name", CASES)
def test_kernel_gradient_is_the_stock_gradient_times_the_mask(name):
    gated, mask, stock, x = pair(name)
    outputs(stock, x)  # skips where the backend cannot
    (found,) = gradients(lambda: ops.sum(ops.square(gated(x))), [gated.kernel])
    (plain,) = gradients(lambda: ops.sum(ops.square(stock(x))), [stock.kernel])
    np.testing.assert_allclose(found, plain * mask, rtol=1e-3, atol=1e-4)
    assert not found[..., mask == 0].any() and found[..., mask > 0].any()


@pytest.mark.parametrize("name", ["dense", "dense_rank_3", "conv", "conv_same"])
def test_lora_is_masked_too(name):
    gated, mask, stock, x = pair(name)
    gated.enable_lora(2, lora_alpha=3.0)
    gated.lora_kernel_b.assign(RNG.normal(size=gated.lora_kernel_b.shape))
    raw = array(gated._kernel) + 1.5 * array(gated.lora_kernel_a) @ array(gated.lora_kernel_b)
    stock.kernel.assign(raw * mask)
    np.testing.assert_allclose(outputs(gated, x), outputs(stock, x), rtol=1e-4, atol=1e-5)
    assert not gated._kernel.trainable
    (found,) = gradients(lambda: ops.sum(gated(x)), [gated.lora_kernel_b])
    assert found.any()


@pytest.mark.parametrize("name", ["dense", "conv"])
def test_lora_from_the_constructor(name):
    (gated_class, _), arguments, shape = CASES[name]
    layer = gated_class(**arguments, lora_rank=2, gate=gates.Continuous())
    layer.build((None, *shape[1:]))
    layer.lora_kernel_b.assign(RNG.normal(size=layer.lora_kernel_b.shape))
    whole = array(layer._kernel) + array(layer.lora_kernel_a) @ array(layer.lora_kernel_b)
    energy = np.square(whole).sum(tuple(range(whole.ndim - 2)))
    np.testing.assert_allclose(array(layer.link_cost()), (1 + energy) / 2, rtol=1e-4)


def test_groups_are_refused():
    with pytest.raises(ValueError, match="groups=1"):
        layers.GatedConv2D(4, 3, groups=2)
