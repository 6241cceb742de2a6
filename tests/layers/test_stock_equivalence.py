"""A gated layer is the stock layer with the kernel K * M, for every stock option."""

import keras
import numpy as np
import pytest
from all_gates import array, spread
from all_layers import CASES, ONE_OF_EACH, WAYS, kernel_of, mask_shape, stored
from derivatives import gradients
from keras import ops

from sparsevae import gates, layers

RNG = np.random.default_rng(0)
each_way = pytest.mark.parametrize(("name", "granularity"), WAYS)


def pair(name, gate=None, granularity="links", **more):
    """A gated layer with an uneven gate, its mask as the kernel is stored, a stock layer, inputs.

    The stock layer has the kernel K * M, computed here, and the same other weights; its bias is
    multiplied too where gates switch channels.
    """
    (gated_class, stock_class), arguments, shape = CASES[name]
    gate = gate or gates.HardConcrete(seed=0)
    gated = gated_class(**arguments, **more, gate=gate, granularity=granularity)
    stock = stock_class(**arguments, **more)
    for layer in (gated, stock):
        layer.build((None, *shape[1:]))
    spread(gated.gate, 4)
    mask = array(gated.gate.mask())
    in_place = stored(name, mask, granularity)
    kernel_of(stock).assign(array(kernel_of(gated)) * in_place)
    if gated.bias is not None:
        bias = RNG.normal(size=gated.bias.shape)
        gated.bias.assign(bias)
        per_channel = mask.reshape(bias.shape) if granularity == "channels" else 1
        stock.bias.assign(bias * per_channel)
    if hasattr(stock, "depthwise_kernel"):
        stock.depthwise_kernel.assign(gated.depthwise_kernel)
    return gated, in_place, stock, RNG.normal(size=shape).astype("float32")


def outputs(layer, x):
    try:
        return np.asarray(ops.cast(layer(x), "float32"))
    except Exception as error:
        if "channels_first" in str(error) or "NCHW" in str(error) or "NHWC" in str(error):
            pytest.skip("this backend has no channels_first on a CPU")
        raise


def test_no_public_layer_is_missing_here():
    classes = [getattr(layers, name) for name in layers.__all__ if name.startswith("Gated")]
    public = set(classes) - {layers.GatedLayer}
    assert {gated_class for (gated_class, _), *_ in CASES.values()} == public


@each_way
def test_output_is_that_of_the_stock_layer_with_the_masked_kernel(name, granularity):
    gated, mask, stock, x = pair(name, granularity=granularity)
    assert 0 < (mask == 0).mean() < 1 and ((mask > 0) & (mask < 1)).any()
    expected = outputs(stock, x)
    np.testing.assert_allclose(outputs(gated, x), expected, rtol=1e-5, atol=1e-6)
    assert tuple(gated.compute_output_shape(x.shape)) == expected.shape


@each_way
def test_all_gates_open_is_exactly_the_stock_layer(name, granularity):
    open_gate = gates.Fixed(np.ones(mask_shape(name, granularity)))
    gated, _, stock, x = pair(name, open_gate, granularity)
    np.testing.assert_array_equal(array(kernel_of(gated)), array(kernel_of(stock)))
    np.testing.assert_array_equal(outputs(gated, x), outputs(stock, x))


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_multiplies_in_float32_and_casts_last(name, policy):
    gated, _, stock, x = pair(name, dtype=policy)
    assert kernel_of(gated).dtype == "float32"
    assert keras.backend.standardize_dtype(gated(x).dtype) == policy.removeprefix("mixed_")
    np.testing.assert_array_equal(outputs(gated, x), outputs(stock, x))


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("granularity", ["weights", "channels"])
def test_mixed_precision_of_weights_and_of_channels(name, granularity):
    gated, _, stock, x = pair(name, granularity=granularity, dtype="mixed_bfloat16")
    np.testing.assert_array_equal(outputs(gated, x), outputs(stock, x))


@each_way
def test_kernel_gradient_is_the_stock_gradient_times_the_mask(name, granularity):
    gated, mask, stock, x = pair(name, granularity=granularity)
    outputs(stock, x)  # skips where the backend cannot
    (found,) = gradients(lambda: ops.sum(ops.square(gated(x))), [kernel_of(gated)])
    (plain,) = gradients(lambda: ops.sum(ops.square(stock(x))), [kernel_of(stock)])
    np.testing.assert_allclose(found, plain * mask, rtol=1e-3, atol=1e-4)
    assert not found[mask == 0].any() and found[mask > 0].any()


@pytest.mark.parametrize(
    "name", ["dense", "dense_rank_3", "conv", "conv1d_causal", "conv3d", "einsum_swapped"]
)
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


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_groups_are_refused(rank):
    with pytest.raises(ValueError, match="groups=1"):
        getattr(layers, f"GatedConv{rank}D")(4, 3, groups=2)


@pytest.mark.parametrize(
    "equation",
    ["abc,cde->abde", "abc,acd->abd", "abcd,cde->abe", "ab,bc", "ab,bb->ab", "abc,bc->abc"],
)
def test_equations_whose_kernel_is_not_of_two_channels_are_refused(equation):
    with pytest.raises(ValueError, match=r"^`equation` must .*Received: equation='ab") as error:
        layers.GatedEinsumDense(equation, output_shape=(2, 3))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("axes", ["b", "bd"])
def test_a_bias_of_other_axes_than_the_channel_cannot_be_switched_with_it(axes):
    arguments = {"equation": "abc,cd->abd", "output_shape": (3, 4), "bias_axes": axes}
    layers.GatedEinsumDense(**arguments)
    with pytest.raises(ValueError, match=r"^`bias_axes` must be 'd'"):
        layers.GatedEinsumDense(**arguments, granularity="channels")


def test_unknown_granularities_are_refused_with_a_suggestion():
    with pytest.raises(ValueError, match=r"`granularity` must be .*Did you mean 'channels'"):
        layers.GatedDense(3, granularity="channel")
