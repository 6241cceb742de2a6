"""What one gate switches, and what it stands for: links, weights or channels."""

import keras
import numpy as np
import pytest
from all_gates import MAKERS, NAMES, array, spread
from all_layers import (
    CASES,
    GRANULARITIES,
    NOT_LINKS,
    ONE_OF_EACH,
    WAYS,
    gated_shape,
    is_swapped,
    kernel_of,
    made,
    mask_shape,
    stored,
)
from derivatives import gradients
from keras import ops

from sparsevae import gates
from sparsevae.layers import (
    GatedConv1D,
    GatedConv2D,
    GatedConv2DTranspose,
    GatedConv3D,
    GatedDense,
    GatedEinsumDense,
    GatedSeparableConv2D,
)

each_layer = pytest.mark.parametrize("name", ONE_OF_EACH)
each_granularity = pytest.mark.parametrize("granularity", GRANULARITIES)


@pytest.mark.parametrize("gate_name", [name for name in NAMES if name != "fixed"])
@each_granularity
def test_what_is_masked_starts_divided_by_the_initial_mask(gate_name, granularity):
    for name in ("dense", "transpose_strides", "separable_depth"):
        ones = {f"{which}_initializer": "ones" for which in ("kernel", "bias")}
        if name.startswith("separable"):
            ones["pointwise_initializer"] = ones["depthwise_initializer"] = ones.pop(
                "kernel_initializer"
            )
        layer, _ = made(name, MAKERS[gate_name](), granularity=granularity, **ones)
        start = 1 / layer.gate.initial_mask
        np.testing.assert_allclose(array(kernel_of(layer)), start, rtol=1e-6)
        expected = start if granularity == "channels" else 1
        np.testing.assert_allclose(array(layer.bias), expected, rtol=1e-6)
        if name.startswith("separable"):
            np.testing.assert_array_equal(array(layer.depthwise_kernel), 1)


@pytest.mark.parametrize(("name", "granularity"), WAYS)
def test_shapes_of_masks(name, granularity):
    layer, x = made(name, granularity=granularity)
    n_in = x.shape[1 if "channels_first" in name else -1]
    n_in = {"separable_depth": 2 * n_in, "separable1d_depth": 2 * n_in}.get(name, n_in)
    n_in = 5 if name in ("einsum_ellipsis_after", "einsum_in_the_middle") else n_in
    assert gated_shape(name)[-2:] == (n_in, 4)
    assert layer.gate.mask_shape == mask_shape(name, granularity)


def test_rows_of_a_mask_of_weights_are_windows_outermost():
    window, n_in, n_out = (2, 3), 5, 4
    for layer_class in (GatedConv2D, GatedConv2DTranspose):
        layer = layer_class(n_out, window, granularity="weights", kernel_initializer="ones")
        layer.build((None, 7, 8, n_in))
        spread(layer.gate)
        mask, kernel = array(layer.gate.mask()), array(layer.gated_kernel())
        for height, width, i, o in np.ndindex(*window, n_in, n_out):
            place = (i, o) if layer_class is GatedConv2D else (o, i)
            expected = mask[(height * window[1] + width) * n_in + i, o] / layer.gate.initial_mask
            assert kernel[height, width, *place] == pytest.approx(expected, rel=1e-6)


@each_layer
@each_granularity
def test_masks_of_links(name, granularity):
    layer, _ = made(name, granularity=granularity)
    spread(layer.gate)
    every = stored(name, array(layer.gate.mask()), granularity)
    every = np.swapaxes(every, -1, -2) if is_swapped(name) else every
    window = tuple(range(every.ndim - 2))
    np.testing.assert_allclose(array(layer.link_mask()), every.mean(window), rtol=1e-5)
    np.testing.assert_array_equal(array(layer.open_links()), (every > 0).any(window))
    whole = array(ops.broadcast_to(layer.kernel_mask(), kernel_of(layer).shape))
    np.testing.assert_array_equal(whole, stored(name, array(layer.gate.mask()), granularity))


@each_layer
def test_a_closed_channel_is_the_activation_of_zero(name):
    layer, x = made(name, gates.Fixed([[1, 0, 1, 0]]), granularity="channels", activation="sigmoid")
    layer.bias.assign(ops.ones(layer.bias.shape))
    for training in (False, True):
        y = array(layer(x, training=training))
        np.testing.assert_array_equal(y[..., [1, 3]], 0.5)
        assert (y[..., [0, 2]] != 0.5).all()


@pytest.mark.parametrize("granularity", NOT_LINKS)
def test_hold_and_begin_change_all_that_is_masked(granularity):
    gate = gates.HardConcrete(seed=0, initial_density=0.6)
    layer, _ = made("transpose", gate, granularity=granularity, bias_initializer="ones")
    start = [array(layer.kernel), array(layer.bias)]
    ratios = [layer.gate.initial_mask / layer.gate.initial_test_mask] * 2
    ratios[1] = ratios[1] if granularity == "channels" else 1
    layer.hold()
    for weight, before, ratio in zip((layer.kernel, layer.bias), start, ratios, strict=True):
        np.testing.assert_allclose(array(weight), before * ratio, rtol=1e-6)
    layer.begin(True)
    for weight, before in zip((layer.kernel, layer.bias), start, strict=True):
        np.testing.assert_allclose(array(weight), before, rtol=1e-6)


@pytest.mark.parametrize("granularity", NOT_LINKS)
def test_kernel_and_bias_are_masked_by_one_draw(granularity):
    gate = gates.HardConcrete(seed=0, initial_density=0.5)
    layer, _ = made("conv", gate, granularity=granularity)
    layer.kernel.assign(ops.ones(layer.kernel.shape))
    layer.bias.assign(ops.ones(layer.bias.shape))
    kernel, bias = (array(weight) for weight in layer.gated_weights(training=True))
    assert int(layer.gate.n_draws) == 1 and len(np.unique(kernel)) > 3
    if granularity == "channels":
        np.testing.assert_array_equal(kernel, np.broadcast_to(bias, kernel.shape))
    else:
        np.testing.assert_array_equal(bias, 1)


SIZES = [
    (GatedDense(4), (None, 5), 1, 1),
    (GatedDense(4), (None, 7, 5), 1, 7),
    (GatedDense(4), (None, None, 5), 1, None),
    (GatedDense(4, granularity="channels"), (None, 7, 5), 5, 7 * 5),
    (GatedConv2D(4, 3, padding="same"), (None, 5, 6, 2), 9, 5 * 6 * 9),
    (GatedConv2D(4, 3), (None, 5, 6, 2), 9, 3 * 4 * 9),
    (GatedConv2D(4, 3, granularity="weights"), (None, 5, 6, 2), 1, 3 * 4),
    (GatedConv2D(4, 3, granularity="channels"), (None, 5, 6, 2), 18, 3 * 4 * 18),
    (GatedConv2D(4, (2, 3), strides=2, padding="same"), (None, 5, 6, 2), 6, 3 * 3 * 6),
    (GatedConv2D(4, 3, data_format="channels_first"), (None, 2, 5, 6), 9, 3 * 4 * 9),
    (GatedConv2D(4, 3), (None, None, None, 2), 9, None),
    (GatedConv1D(4, 3, padding="causal"), (None, 7, 2), 3, 7 * 3),
    (GatedConv3D(4, 2), (None, 5, 6, 7, 2), 8, 4 * 5 * 6 * 8),
    (GatedConv2DTranspose(4, 4, strides=2, padding="same"), (None, 3, 5, 2), 16, 3 * 5 * 16),
    (GatedConv2DTranspose(4, (2, 3)), (None, 3, 5, 2), 6, 3 * 5 * 6),
    (GatedConv2DTranspose(4, 3, data_format="channels_first"), (None, 2, 3, 5), 9, 3 * 5 * 9),
    (GatedSeparableConv2D(4, 3, depth_multiplier=2), (None, 5, 6, 2), 1, 3 * 4),
    (GatedEinsumDense("abc,dc->abd", (7, 4)), (None, 7, 5), 1, 7),
    (GatedEinsumDense("ab...,bc->ac...", 4), (None, 5, 3, 2), 1, 6),
    (GatedEinsumDense("...x,xy->...y", 4), (None, None, 5), 1, None),
]


@pytest.mark.parametrize(("layer", "shape", "parameters", "multiplications"), SIZES)
def test_sizes_of_one_gate(layer, shape, parameters, multiplications):
    layer.build(shape)
    assert layer.parameters_per_gate == parameters
    assert layer.multiplications_per_gate == multiplications


UNPADDED = [
    name
    for name, (_, arguments, _) in CASES.items()
    if arguments.get("padding", "valid") == "valid" and "channels_first" not in name
]


@pytest.mark.parametrize("name", UNPADDED)
def test_multiplications_are_the_uses_of_each_weight(name):
    """Over inputs of ones, a weight adds 1 to the sum of all outputs each time it is used."""
    layer, x = made(name)
    if hasattr(layer, "depthwise_kernel"):
        window = np.prod(layer.kernel_size)
        layer.depthwise_kernel.assign(np.full(layer.depthwise_kernel.shape, 1 / window))
    kernel = kernel_of(layer)
    ones = np.ones((1, *x.shape[1:]), "float32")

    def total():
        return ops.sum(layer._linear(ones, ops.convert_to_tensor(kernel)))

    (uses,) = gradients(total, [kernel])
    uses_of_a_gate = uses.mean() * layer.parameters_per_gate
    np.testing.assert_allclose(uses, uses.flat[0], rtol=1e-5)
    assert layer.multiplications_per_gate == pytest.approx(uses_of_a_gate, rel=1e-5)


@each_layer
def test_gates_of_any_granularity_stand_for_all_parameters_multiplications_and_links(name):
    found = []
    for granularity in GRANULARITIES:
        layer, _ = made(name, granularity=granularity)
        n_gates = np.prod(layer.gate.mask_shape)
        sizes = (layer.parameters_per_gate, layer.multiplications_per_gate, layer.links_per_gate)
        found.append([n_gates * size for size in sizes])
    assert found[0][:2] == found[1][:2] == found[2][:2]
    *window, n_in, n_out = gated_shape(name)
    assert found[0][0] == np.prod(window) * n_in * n_out
    assert [links for *_, links in found] == [n_in * n_out, found[0][0], n_in * n_out]


@each_layer
@each_granularity
def test_link_cost_is_the_gate_cost_with_the_energy_of_all_that_each_gate_multiplies(
    name, granularity
):
    layer, _ = made(name, gates.Continuous(seed=0), granularity=granularity)
    spread(layer.gate)
    layer.bias.assign(np.random.default_rng(1).normal(size=layer.bias.shape))
    energy = np.square(array(kernel_of(layer)))
    energy = np.swapaxes(energy, -1, -2) if is_swapped(name) else energy
    energy = {
        "links": energy.sum(tuple(range(energy.ndim - 2))),
        "weights": energy.reshape(-1, 4),
        "channels": energy.reshape(-1, 4).sum(0, keepdims=True) + np.square(array(layer.bias)),
    }[granularity]
    expected = (np.square(array(layer.gate.value)) + energy) / 2
    np.testing.assert_allclose(array(layer.link_cost()), expected, rtol=1e-5)
    with gates.one_step(priced=True):
        layer.gated_kernel(training=True)
        np.testing.assert_allclose(array(layer.mean_cost()), expected.mean(), rtol=1e-5)


def test_link_cost_of_other_gates_is_that_of_the_gate():
    layer, _ = made("conv")
    np.testing.assert_array_equal(
        array(layer.link_cost()), array(ops.convert_to_tensor(layer.gate.open_probability()))
    )


def test_configs_of_before_are_of_links():
    layer, _ = made("dense")
    config = layer.get_config()
    del config["granularity"]
    assert GatedDense.from_config(config).granularity == "links"


class Priced(keras.Model):
    """Keras's own training, with the mean cost of the last layer in the loss."""

    def train_step(self, *args):
        with gates.one_step(priced=True):
            return super().train_step(*args)

    def compute_loss(self, *args, **kwargs):
        return super().compute_loss(*args, **kwargs) + self.layers[-1].mean_cost()


@each_granularity
@pytest.mark.parametrize("gate_name", ["hard_concrete_median", "continuous"])
@pytest.mark.parametrize("name", ["transpose_strides", "conv1d_causal"])
def test_a_traced_step_is_the_eager_step(name, gate_name, granularity):
    after = []
    for eagerly in (True, False):
        keras.utils.set_random_seed(0)
        layer, x = made(name, MAKERS[gate_name](), granularity=granularity)
        before = [array(weight) for weight in layer.trainable_variables]
        inputs = keras.Input(x.shape[1:])
        model = Priced(inputs, layer(inputs))
        jit = keras.backend.backend() == "jax"
        model.compile("sgd", "mse", run_eagerly=eagerly, jit_compile=jit and not eagerly)
        loss = model.train_on_batch(x, np.ones(layer.compute_output_shape(x.shape), "float32"))
        after.append([loss, *[array(weight) for weight in layer.trainable_variables]])
    for start, eager, traced in zip([0, *before], *after, strict=True):
        np.testing.assert_allclose(traced, eager, rtol=1e-4, atol=1e-6)
        assert np.any(eager != start)
