"""Wiring: masks whose paths can be counted by hand, agreement with compaction, recovery."""

import json

import keras
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from sparsevae import SparseVAE, compact, models, sparsify
from sparsevae.analysis import decoder_view, recovery, wiring
from sparsevae.analysis.path_counts import path_counts
from sparsevae.data import BlockMechanisms

RNG = np.random.default_rng(0)


def dense_vae(encoder_kernels, decoder_kernels, gate="pruned"):
    """A VAE of dense layers on images `(1, n, 1)` whose gates are open where kernels are not 0."""
    encoder_kernels, decoder_kernels = (
        [np.array(kernel, "float32") for kernel in kernels]
        for kernels in (encoder_kernels, decoder_kernels)
    )
    n, latent_dim = len(encoder_kernels[0]), len(decoder_kernels[0])
    images = x = keras.Input((1, n, 1), name="images")
    x = layers.Flatten()(x)
    for k, kernel in enumerate(encoder_kernels[:-1]):
        x = layers.Dense(kernel.shape[1], "relu", name=f"down_{k}")(x)
    heads = [layers.Dense(latent_dim, name=name)(x) for name in ("z_mean", "z_log_var")]
    encoder = keras.Model(images, heads, name="encoder")
    z = x = keras.Input((latent_dim,), name="z")
    for k, kernel in enumerate(decoder_kernels[:-1]):
        x = layers.Dense(kernel.shape[1], "relu", name=f"up_{k}")(x)
    x = layers.Dense(n, name="pixels")(x)
    decoder = keras.Model(z, layers.Reshape((1, n, 1))(x), name="decoder")
    encoder, decoder = (sparsify(part, gate=gate) for part in (encoder, decoder))
    names = [f"down_{k}" for k in range(len(encoder_kernels) - 1)] + ["z_mean"]
    up = [f"up_{k}" for k in range(len(decoder_kernels) - 1)] + ["pixels"]
    for part, chosen, kernels in (
        (encoder, names, encoder_kernels),
        (decoder, up, decoder_kernels),
    ):
        for name, kernel in zip(chosen, kernels, strict=True):
            part.get_layer(name).gate.open.assign(kernel != 0)
    return SparseVAE(encoder, decoder)


READ = [[[1, 0], [0, 1], [0, 1], [0, 0]], [[1, 0, 0], [1, 1, 0]]]  # 4 pixels, 2 units, 3 latents
DRAWN = [[[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]]]


def test_paths_that_are_counted_by_hand():
    found = wiring(dense_vae(READ, DRAWN))
    np.testing.assert_array_equal(found.paths, [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(found.reach, found.paths > 0)
    np.testing.assert_array_equal(found.encoder_paths, [[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(found.encoder_reach, found.encoder_paths > 0)
    table = found.table
    assert table.pixels.tolist() == [2, 2, 1] and table.alone.tolist() == [0, 0, 1]
    assert table.share.tolist() == [0.5, 0.5, 0.25] and table.paths.tolist() == [3, 2, 1]
    assert table.component.tolist() == [0, 0, 1]
    assert table.pixels_read.tolist() == [3, 2, 0] and table.paths_read.tolist() == [3, 2, 0]
    assert table.anchored.tolist() == [False, False, False]
    assert table.structurally_sparse.tolist() == [False, False, True]
    np.testing.assert_array_equal(found.parents, [2, 2, 1, 0])
    assert found.maps is None and found.functional_reach is None
    assert "25.0% of pixels have one parent" in str(found)
    assert found.density == pytest.approx((3 + 3 + 6 + 4 + 4) / (8 + 6 + 6 + 9 + 12))


def test_the_graph_of_channels():
    graph = wiring(dense_vae(READ, DRAWN)).graph
    assert graph.has_edge(("decoder", "up_0", 1), ("decoder", "pixels", 0))
    assert not graph.has_edge(("decoder", "up_0", 0), ("decoder", "pixels", 1))
    # pixels of an image of one channel are one node where they go in
    assert graph.nodes["encoder", "input", 0]["role"] == "input"
    assert nx.has_path(graph, ("encoder", "input", 0), ("decoder", "pixels", 0))
    assert not nx.has_path(graph, ("encoder", "input", 0), ("decoder", "pixels", 2))
    assert nx.has_path(graph, ("decoder", "input", 2), ("decoder", "pixels", 2))


def test_json_and_dot():
    found = wiring(dense_vae(READ, DRAWN))
    data = json.loads(found.to_json())
    again = nx.node_link_graph(data, edges="edges")
    assert len(again) == len(found.graph) and again.size() == found.graph.size()
    dot = found.to_dot().splitlines()
    assert dot[0] == "digraph wiring {" and dot[-1] == "}"
    assert any('"decoder up_0 1" -> "decoder pixels 0" [weight=' in line for line in dot)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.7))
def test_paths_are_products_of_masks(seed, density):
    rng = np.random.default_rng(seed)
    shapes = [(6, 5), (5, 7), (7, 4)]
    kernels = [rng.normal(size=shape) * (rng.random(shape) < density) for shape in shapes]
    x = inputs = keras.Input((6,))
    for kernel in kernels:
        layer = layers.Dense(kernel.shape[1], "tanh")
        x = layer(x)
        layer.set_weights([kernel, np.ones(kernel.shape[1])])
    model = keras.Model(inputs, x)
    expected = np.linalg.multi_dot([(kernel != 0).astype(float) for kernel in kernels])
    np.testing.assert_array_equal(path_counts(model, batch_size=4), expected)
    if any((kernel == 0).any() for kernel in kernels):
        found = wiring(model)
        np.testing.assert_array_equal(found.paths, expected)
        assert found.encoder_paths is None and "paths_read" not in found.table


def test_paths_of_convolutions_are_windows():
    """Each pixel of a transposed convolution of stride 2 and width 4 has two windows an axis."""
    x = inputs = keras.Input((3, 3, 2))
    x = layers.Conv2DTranspose(1, 4, 2, "same", name="up")(layers.ReLU()(x))
    model = keras.Model(inputs, x)
    kernel = model.get_layer("up").kernel
    kernel.assign(np.ones(kernel.shape) * [[1, 0]])  # stored (height, width, out, in)
    counts = path_counts(model).reshape(3, 3, 2, 6, 6)
    assert not counts[:, :, 1].any()
    np.testing.assert_array_equal(counts[1, 1, 0], np.pad(np.ones((4, 4)), 1))
    assert counts[0, 0, 0].sum() == 9  # a corner


def test_merging_normalizing_and_pooling():
    x = inputs = keras.Input((4, 4, 1))
    left = layers.BatchNormalization()(layers.Conv2D(2, 1, name="left")(x))
    right = layers.Activation("tanh")(layers.Conv2D(2, 1, name="right")(x))
    x = layers.Concatenate()([layers.Add()([left, right]), layers.Multiply()([left, right])])
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.5)(x)))
    model.get_layer("left").set_weights([np.array([1.0, 0]).reshape(1, 1, 1, 2), np.zeros(2)])
    counts = path_counts(model)
    # 2 channels by add, 2 by multiply; 1 + 2 paths each; averaged over 16 places
    np.testing.assert_allclose(counts, 2 * (2 + 1) / 16)


def test_branches_of_a_residual_are_one_channel():
    x = inputs = keras.Input((3,))
    x = layers.Dense(4, name="stem")(x)
    x = layers.Add()([x, layers.Dense(4, name="block")(x)])
    model = keras.Model(inputs, layers.Dense(2, name="end")(x))
    model.get_layer("block").kernel.assign(np.diag([1.0, 0, 0, 0]))
    graph = wiring(model).graph
    assert ("model", "block", 0) not in graph
    assert {node[1] for node in graph} == {"input", "stem", "end"}
    assert path_counts(model).sum() == 3 * (4 + 1) * 2


def test_links_of_a_layer_that_is_added_to_its_own_input():
    x = inputs = keras.Input((3,))
    x = layers.Dense(3, name="stem")(x)
    x = layers.Add()([x, layers.Dense(3, name="block")(x)])
    model = keras.Model(inputs, layers.Dense(1, name="end")(x))
    for name, kernel in (
        ("stem", np.eye(3)),
        ("block", np.diag([1.0, 1.0], 1)),
        ("end", [[0.0], [0.0], [1.0]]),
    ):
        model.get_layer(name).kernel.assign(kernel)
    found = wiring(model)
    np.testing.assert_array_equal(found.reach.ravel(), [False, True, True])
    inner = {(a[2], b[2]) for a, b in found.graph.edges if a[1] == b[1] == "stem"}
    assert inner == {(0, 1), (1, 2)}


@pytest.mark.parametrize(
    ("seed", "density"), [(0, 0.12), (1, 0.12), (2, 0.12), (3, 0.15), (4, 0.2)]
)
def test_wiring_and_compaction_agree_on_which_channels_live(seed, density):
    """Channels that vary and matter are those on a path from an input to an output."""
    rng = np.random.default_rng(seed)
    vae = models.mlp_vae((3, 3, 1), 5, gate="pruned", hidden=12)
    for layer in vae.gated_layers:
        layer.gate.open.assign(rng.random(layer.gate.mask_shape) < density)
    graph = wiring(vae).graph
    small, n_compared = compact(vae), 0
    for network, smaller in zip(vae.networks, small.networks, strict=True):
        part = graph.subgraph(node for node in graph if node[0] == network.name)
        ends = {
            role: [n for n, r in part.nodes(data="role") if r == role]
            for role in ("input", "output")
        }
        down = set().union(ends["input"], *(nx.descendants(part, n) for n in ends["input"]))
        up = set().union(ends["output"], *(nx.ancestors(part, n) for n in ends["output"]))
        live = {node for node, is_live in part.nodes(data="live") if is_live}
        hidden = {n for n, role in part.nodes(data="role") if role == "hidden"}
        assert live & hidden == down & up & hidden
        for layer in network.layers:
            widths = [n for n in live & hidden if n[1] == layer.name]
            kept = [getattr(x, "units", 0) for x in smaller.layers if x.name == layer.name]
            if widths:
                assert [len(widths)] == kept
                n_compared += 1
    assert n_compared


def test_a_convolutional_vae():
    vae = models.conv_vae((32, 32, 1), 4, gate="pruned")
    for layer in vae.gated_layers:
        layer.gate.open.assign(RNG.random(layer.gate.mask_shape) < 0.05)
    first = vae.get_layer("decoder").layers[1]
    first.gate.open.assign(first.gate.open.numpy() * [[1], [1], [0], [1]])
    codes = RNG.normal(size=(4, 4)).astype("float32")
    found = wiring(vae, codes)
    assert found.reach.shape == found.encoder_reach.shape == (4, 32 * 32)
    assert found.maps.shape == (4, 32, 32, 1)
    view = decoder_view(lambda z: vae.decode(z).mean(), codes)
    np.testing.assert_allclose(found.maps, view.pixel_maps, rtol=1e-4, atol=1e-7)
    assert found.table.pixels[2] == 0 and found.table.component[2] == -1
    assert (found.functional_reach <= found.reach).all()
    assert not found.functional_reach[2].any()
    # 1,024 dense units are 64 channels of 4 x 4
    units = nx.get_node_attributes(found.graph, "units")
    of_reshape = [n for n in units if n[1] == "decoder_dense_2"]
    assert len(of_reshape) == 64 and {units[n] for n in of_reshape} == {4}


def test_a_mask_for_each_pixel():
    vae = models.sparse_decoding_vae((4, 4, 1), 3, gate="pruned", hidden=8, decoder_hidden=5)
    mask = vae.decoder.get_layer("decoder_mask").gate.open
    is_open = RNG.random(mask.shape) < 0.3
    mask.assign(is_open)
    found = wiring(vae, RNG.normal(size=(4, 3)).astype("float32"))
    np.testing.assert_array_equal(found.reach, is_open)
    assert (found.functional_reach <= is_open).all()
    n_hidden = sum(layer.name.startswith("decoder_dense") for layer in vae.decoder.layers)
    np.testing.assert_array_equal(found.paths, is_open * 5.0**n_hidden)
    latents = [node for node in found.graph if node[:2] == ("decoder", "input")]
    assert len(latents) == 3
    (pixels,) = [
        n for n, r in found.graph.nodes(data="role") if r == "output" and n[0] == "decoder"
    ]
    assert all(nx.has_path(found.graph, latent, pixels) for latent in latents)


GRAPH = BlockMechanisms().pixel_graph


def test_recovery_of_a_known_graph():
    order = RNG.permutation(6)
    found = recovery(np.concatenate([np.zeros((2, 32, 32), bool), GRAPH[order]]), GRAPH)
    assert found.f1 == found.precision == found.recall == 1 and found.shd == 0
    np.testing.assert_array_equal(found.latent_of, np.argsort(order) + 2)


def test_recovery_counts_what_is_wrong():
    truth = np.array([[1, 1, 0, 0], [0, 0, 1, 1]], bool)
    reach = np.array([[1, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]], bool)
    found = recovery(reach, truth)
    assert (found.shd, found.precision, found.recall) == (3, 3 / 5, 3 / 4)
    assert found.f1 == pytest.approx(2 / 3)
    np.testing.assert_array_equal(found.latent_of, [0, 1])
    nothing = recovery(np.zeros((3, 4), bool), truth)
    assert (nothing.f1, nothing.precision, nothing.recall, nothing.shd) == (0, 0, 0, 4)
    few = recovery(truth[1:], truth)
    assert (few.recall, few.precision) == (0.5, 1) and sorted(few.latent_of) == [-1, 0]


def test_recovered_looks_at_the_functional_reach_first():
    vae = dense_vae(READ, DRAWN)
    truth = np.array([[1, 1, 0, 0], [0, 0, 1, 0]], bool).reshape(2, 1, 4)
    found = wiring(vae)
    assert found.recovered(truth).recall == 1 and found.recovered(truth).precision < 1
    functional = wiring(vae, np.ones((3, 3), "float32"), threshold=0.9)
    assert functional.recovered(truth).shd == recovery(functional.functional_reach, truth).shd


@pytest.mark.parametrize(
    ("reach", "truth", "error", "message"),
    [
        (GRAPH.astype(int), GRAPH, TypeError, "`reach` must be booleans"),
        (GRAPH, GRAPH.astype(float), TypeError, "`truth` must be booleans"),
        (GRAPH[:, :16], GRAPH, ValueError, "as many features"),
        (GRAPH, np.zeros_like(GRAPH), ValueError, "must have an edge"),
    ],
)
def test_recovery_refuses(reach, truth, error, message):
    with pytest.raises(error, match=message):
        recovery(reach, truth)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def sequential(*more):
    return keras.Sequential([keras.Input((3,)), *more])


def two_inputs():
    inputs = [keras.Input((2,)), keras.Input((2,))]
    return sparsify(keras.Model(inputs, layers.Dense(2)(layers.Add()(inputs))), gate="pruned")


VAE = models.mlp_vae((2, 2, 1), 2, gate="pruned", hidden=3)
MISUSE = {
    "dense": (models.mlp_vae((2, 2, 1), 2, hidden=3), {}, ValueError, "must have gates or weights"),
    "dense classifier": (sequential(layers.Dense(2)), {}, ValueError, "see sparsevae.sparsify"),
    "subclassed": (Subclassed(), {}, ValueError, "a subclassed one hides its graph"),
    "no model": ("vae", {}, TypeError, "must be a Keras model"),
    "two inputs": (two_inputs(), {}, ValueError, "networks of one input"),
    "codes": (VAE, {"codes": np.zeros((4, 3))}, ValueError, "shape .n, 2."),
    "threshold": (VAE, {"threshold": 1.0}, ValueError, "`threshold`"),
    "no decoder": (
        sparsify(sequential(layers.Dense(2)), gate="pruned"),
        {"codes": np.zeros((4, 3))}, ValueError, "`codes` must be None",
    ),
    "softmax": (
        sparsify(sequential(layers.Dense(2, "softmax", name="classes")), gate="pruned"),
        {}, ValueError, "the activation of 'classes'",
    ),
    "unknown layer": (
        sparsify(sequential(layers.Dense(2), layers.LayerNormalization(name="n")), gate="pruned"),
        {}, ValueError, "LayerNormalization 'n'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISUSE)
def test_misuse_is_one_line(kind):
    model, options, error, message = MISUSE[kind]
    with pytest.raises(error, match=message) as caught:
        wiring(model, **options)
    assert "\n" not in str(caught.value)
