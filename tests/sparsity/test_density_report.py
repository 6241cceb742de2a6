"""The report on a model: counts by hand, reachability by matrix products, what it refuses."""

import itertools
import math

import keras
import numpy as np
import pandas as pd
import pytest
import zoo
from keras import layers

import sparsevae as sv
from sparsevae import gates, sparsity
from sparsevae.layers import GatedConv2D, GatedConv2DTranspose, GatedDense


def fixed(rows):
    return gates.Fixed(np.array(rows))


def perceptron(masks):
    found = [keras.Input((len(masks[0]),))]
    found += [GatedDense(mask.shape[1], gate=fixed(mask), activation="relu") for mask in masks]
    return keras.Sequential(found)


def reachable(masks):
    """Effective links of a chain of dense layers: products of boolean matrices, both ways."""
    from_input = [np.ones(len(masks[0]), bool)]
    for mask in masks:
        from_input.append(from_input[-1] @ mask)
    to_output = [np.ones(masks[-1].shape[1], bool)]
    for mask in reversed(masks):
        to_output.insert(0, mask @ to_output[0])
    sides = zip(masks, from_input, to_output[1:], strict=False)
    return [mask & np.outer(first, last) for mask, first, last in sides]


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2, 1.0])
def test_chains_of_dense_layers_against_products_of_matrices(share):
    rng = np.random.default_rng(0)
    sizes = (8, 48, 48, 96)
    masks = [rng.random(shape) < share for shape in itertools.pairwise(sizes)]
    report = sparsity.report(perceptron(masks))
    expected = [int(links.sum()) for links in reachable(masks)]
    assert report.table.effective.tolist() == expected
    n_links = sum(mask.size for mask in masks)
    assert report.effective_density == pytest.approx(sum(expected) / n_links)
    assert report.density == pytest.approx(sum(mask.sum() for mask in masks) / n_links)
    assert report.effective_density <= report.density
    assert share < 1 or report.effective_density == report.density == 1


def test_one_closed_layer_leaves_no_effective_link():
    masks = [np.ones((4, 5), bool), np.zeros((5, 6), bool), np.ones((6, 2), bool)]
    report = sparsity.report(perceptron(masks))
    assert report.table.open.tolist() == [20, 0, 12]
    assert report.table.effective.tolist() == [0, 0, 0]
    assert report.effective_density == 0
    assert report.density == pytest.approx(32 / 62)


@pytest.fixture
def model():
    inputs = keras.Input((6, 6, 2))
    x = GatedConv2D(3, 3, name="conv", gate=fixed([[1, 0, 1], [0, 0, 0]]))(inputs)
    x = layers.BatchNormalization(name="scale")(x)
    up = fixed([[1, 0], [0, 1], [1, 0]])
    x = GatedConv2DTranspose(2, 2, strides=2, name="up", gate=up)(x)
    x = layers.Conv2D(4, 3, padding="same", name="stock", use_bias=False)(x)
    return keras.Model(inputs, GatedDense(1, name="last", gate=fixed([[1]] * 4))(x))


def test_counts_by_hand(model):
    table = sparsity.report(model).table.set_index("layer")
    assert table.index.tolist() == ["conv", "scale", "up", "stock", "last"]
    assert table.gated.tolist() == [True, False, True, False, True]
    assert table.kind["conv"] == "GatedConv2D" and table.kind["scale"] == "BatchNormalization"

    def column(name):
        return [None if pd.isna(value) else value for value in table[name]]

    assert column("links") == [6, None, 6, 8, 4]
    assert column("open") == [2, None, 3, 8, 4]
    # channel 1 of the convolution is constant, so the link of "up" from it and all from there are
    assert column("effective") == [2, None, 2, 4, 4]
    assert column("density") == [2 / 6, None, 3 / 6, 1, 1]
    assert column("effective_density") == [2 / 6, None, 2 / 6, 4 / 8, 1]
    assert column("parameters") == [2 * 3 * 9 + 3, 12, 3 * 2 * 4 + 2, 2 * 4 * 9, 4 + 1]
    flops = [16 * 9 * 6, 0, 16 * 4 * 6, 64 * 9 * 8, 64 * 4]
    assert column("flops") == flops
    assert column("open_flops") == [flops[0] / 3, 0, flops[2] / 2, flops[3], flops[4]]
    reasons = ["", "no links between channels", "", "stock layer: all links open", ""]
    assert column("note") == reasons


def test_densities_are_those_of_gated_layers(model):
    report = sparsity.report(model)
    assert report.density == pytest.approx(9 / 16)
    assert report.density == pytest.approx(
        float(
            sparsity.share_of_links(
                sparsity.gated_layers(model), lambda layer: layer.gate.support()
            )
        )
    )
    assert report.effective_density == pytest.approx(8 / 16)


def test_prints_as_a_table(model):
    lines = str(sparsity.report(model)).splitlines()
    assert lines[0].split()[:2] == ["layer", "kind"]
    assert [line.split()[0] for line in lines[1:6]] == ["conv", "scale", "up", "stock", "last"]
    assert "36,864" not in lines[2] and "-" in lines[2].split()
    assert lines[6:] == ["density 0.5625, effective 0.5000"]


def test_free_sizes_have_no_number_of_multiplications():
    free = keras.Sequential([keras.Input((None, None, 2)), GatedConv2D(3, 3), layers.Conv2D(1, 1)])
    table = sparsity.report(free).table
    assert table.flops.isna().all() and table.open_flops.isna().all()
    assert table.effective.tolist() == [6, 3]


STOCK = {  # layer, input, multiplications for one observation, channel-to-channel links
    "dense": (layers.Dense(5), (4,), 20, 20),
    "dense_at_positions": (layers.Dense(5), (7, 4), 140, 20),
    "conv1d": (layers.Conv1D(5, 3, padding="same", strides=2), (8, 2), 4 * 3 * 10, 10),
    "conv3d": (layers.Conv3D(2, 2), (3, 3, 3, 1), 8 * 8 * 2, 2),
    "groups": (layers.Conv2D(6, 2, groups=2), (3, 3, 4), 4 * 4 * 2 * 6, 12),
    "up": (layers.Conv2DTranspose(3, 2, strides=2), (4, 4, 2), 16 * 4 * 6, 6),
    "depthwise": (layers.DepthwiseConv2D(2, depth_multiplier=3), (3, 3, 2), 4 * 4 * 6, 6),
    "separable": (layers.SeparableConv2D(5, 2), (3, 3, 2), 4 * (4 * 2 + 2 * 5), 10),
}


@pytest.mark.parametrize("case", STOCK)
def test_multiplications_and_links_of_stock_layers(case):
    layer, shape, flops, links = STOCK[case]
    report = sparsity.report(keras.Sequential([keras.Input(shape), layer]))
    (row,) = report.table.itertuples()
    assert (row.flops, row.open_flops, row.links, row.open) == (flops, flops, links, links)
    assert row.parameters == layer.count_params()
    assert (report.density, report.effective_density) == (1.0, 1.0)


def test_the_depthwise_part_of_a_separable_convolution_is_not_switched():
    separable = layers.SeparableConv1D(3, 2, depth_multiplier=2, name="separable")
    ends = [layers.GlobalMaxPooling1D(), layers.Dense(1)]
    model = keras.Sequential([keras.Input((6, 2)), separable, *ends])
    sparse = sv.sparsify(model, gates.Pruned())
    half = np.arange(12).reshape(4, 3) % 2 == 0
    sparse.get_layer("separable").gate.open.assign(half)
    table = sparsity.report(sparse).table.set_index("layer")
    positions, n_middle, window = 5, 4, 2
    assert table.flops["separable"] == positions * n_middle * (window + 3)
    assert table.open_flops["separable"] == positions * n_middle * window + positions * half.sum()


class OwnDense(layers.Dense):
    pass


def test_notes_say_why_there_is_no_gate():
    inputs = keras.Input((6, 6, 4))
    x = layers.Conv2D(4, 2, groups=2, name="grouped")(inputs)
    x = layers.DepthwiseConv2D(2, name="depthwise")(x)
    x = OwnDense(4, name="own")(x)
    x = layers.EinsumDense("abcd,def->abcef", (None, None, 2, 2), name="heads")(x)
    x = layers.Dense(3, name="stays")(layers.LayerNormalization(name="norm")(x))
    notes = sparsity.report(keras.Model(inputs, x)).table.set_index("layer").note.to_dict()
    equation = "no gate, as `equation` must have a kernel of two axes, one of the input and another"
    assert notes.pop("heads").startswith(equation)
    assert notes == {
        "grouped": "no gate, as gated convolutions need groups=1: all links open",
        "depthwise": "no gate, as there is no gated layer for a DepthwiseConv2D: all links open",
        "own": "no gate, as there is no gated layer for a OwnDense: all links open",
        "norm": "no links between channels",
        "stays": "stock layer: all links open",
    }


def test_multiplications_of_einsum_dense():
    layer = layers.EinsumDense("abc,cde->abde", (None, 3, 5))
    table = sparsity.report(keras.Sequential([keras.Input((7, 4)), layer])).table
    assert table.flops.tolist() == [7 * 4 * 3 * 5]


def test_models_without_links():
    report = sparsity.report(keras.Sequential([keras.Input((4,)), layers.ReLU()]))
    assert report.table.empty
    assert math.isnan(report.density) and math.isnan(report.effective_density)
    assert "density nan" in str(report)


def test_a_layer_used_twice_has_one_row_and_multiplies_twice():
    shared = GatedDense(2, gate=fixed([[1, 0], [0, 1]]), name="shared")
    inputs = keras.Input((2,))
    (row,) = sparsity.report(keras.Model(inputs, shared(shared(inputs)))).table.itertuples()
    assert (row.layer, row.links, row.effective, row.parameters) == ("shared", 4, 2, 6)
    assert (row.flops, row.open_flops) == (8, 4)


def test_a_link_is_effective_if_it_is_in_any_use():
    shared = GatedDense(2, gate=fixed([[1, 0], [0, 1]]), name="shared")
    inputs = keras.Input((2,))
    sides = [GatedDense(2, gate=fixed(mask))(inputs) for mask in ([[1, 0]] * 2, [[0, 1]] * 2)]
    model = keras.Model(inputs, [shared(side) for side in sides])
    assert sparsity.report(model).table.set_index("layer").effective["shared"] == 2
    for side in sides:
        alone = sparsity.report(keras.Model(inputs, shared(side)))
        assert alone.table.set_index("layer").effective["shared"] == 1


def test_names_are_those_of_layer_densities():
    parts = [
        keras.Sequential(
            [keras.Input((2,)), GatedDense(2, name="same", gate=fixed(mask))], name=name
        )
        for name, mask in (("a", [[1, 1], [0, 0]]), ("b", [[1, 0], [0, 0]]))
    ]
    model = keras.Sequential([keras.Input((2,)), *parts])
    table = sparsity.report(model).table.set_index("layer")
    expected = {name: float(value) for name, value in sparsity.layer_densities(model).items()}
    assert table.density.to_dict() == expected == {"same": 0.5, "same_1": 0.25}


def test_gated_layers_inside_layers_without_a_rule():
    inner = GatedDense(3, gate=fixed([[1, 1, 0], [0, 0, 0]]), name="inner")
    each = layers.TimeDistributed(inner, name="each")
    closed = GatedDense(2, gate=fixed([[0, 0], [0, 0]]), name="closed")
    for first, effective in (([], 2), ([closed], 0)):
        report = sparsity.report(keras.Sequential([keras.Input((5, 2)), *first, each]))
        row = report.table.set_index("layer").loc["inner"]
        assert (row.open, row.effective, row.parameters) == (2, effective, 9)
        assert row.note == "inside each, which has no rule" and pd.isna(row.flops)
        assert report.without_rule == ("each",)
        assert str(report).endswith("counted as live throughout: each")


def test_a_vae_is_followed_from_images_to_latents_and_from_latents_to_pixels():
    vae = sv.models.mlp_vae((4, 4, 1), 3, hidden=6, gate=gates.HardConcrete(initial_density=0.9))
    layer = vae.decoder.get_layer("decoder_dense_1")
    rows = np.ones((3, 6))
    rows[1] = -1  # no link leaves latent 1
    (weight,) = layer.gate.trainable_variables
    weight.assign(rows * 5 / layer.gate.learning_rate_multiplier)
    report = sparsity.report(vae)
    table = report.table.set_index("layer")
    assert table.index.tolist() == [layer.name for layer in vae.gated_layers]
    assert table.effective["decoder_dense_1"] == table.open["decoder_dense_1"] == 12
    assert table.effective["encoder_z_mean"] == 18  # the latents are what the encoder is for
    assert report.density == pytest.approx(vae.gate_logs()["density"])
    assert table.parameters.sum() == sv.models.mlp_vae((4, 4, 1), 3, hidden=6).count_params()


class Custom(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = GatedDense(2)

    def call(self, x):
        return self.dense(x)


class Bent(keras.Model):
    """Functional by its constructor, but with a `call` of its own."""

    def call(self, x):
        return -super().call(x)


def bent():
    x = keras.Input((2,))
    return Bent(x, GatedDense(2)(x))


@pytest.mark.parametrize(
    "make", [Custom, bent, lambda: keras.Sequential([GatedDense(2)]), lambda: GatedDense(2)]
)
def test_models_without_a_graph_are_refused(make):
    with pytest.raises(ValueError, match="`model` must be a functional or a built Sequential"):
        sparsity.report(make())


@pytest.mark.parametrize("granularity", ["links", "weights", "channels"])
def test_density_is_that_of_what_the_gates_switch(granularity):
    control = sparsity.FixedMask(0.3, granularity=granularity)
    model = sparsity.sparsify(zoo.residual(), control=control)
    rng = np.random.default_rng(0)
    for layer in model.gated_layers:
        layer.gate.open.assign(rng.random(layer.gate.open.shape) < 0.3)
    found = sparsity.report(model)
    assert found.density == pytest.approx(float(model.gate_logs()["density"]))
    n_weights = sum(int(np.prod(layer.kernel_shape)) for layer in model.gated_layers)
    assert (found.table.links.sum() == n_weights) == (granularity == "weights")
    effective = found.table.effective / found.table.links
    assert (effective <= found.table.density).all()


def test_effective_weights_are_open_ones_of_effective_links():
    inputs = keras.Input((4, 4, 2))
    conv = GatedConv2D(2, 2, gate=gates.Pruned(), granularity="weights", name="conv")
    head = GatedConv2D(1, 1, gate=gates.Fixed([[1], [0]]), name="head")
    model = keras.Model(inputs, head(conv(inputs)))
    mask = np.zeros((8, 2))  # rows: (window, input)
    mask[[0, 3, 4], 0], mask[1, 1] = 1, 1  # the second output is not read
    conv.gate.open.assign(mask)
    row = sparsity.report(model).table.set_index("layer").loc["conv"]
    assert (row.links, row.open, row.effective) == (16, 4, 3)
