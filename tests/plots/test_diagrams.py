"""Diagrams of a layer's mask and of a model's wiring."""

import itertools

import networkx as nx
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from sparsevae.plots import mask_diagram, wiring_diagram
from sparsevae.plots.channel_groups import components, grouped
from sparsevae.plots.layered_graph import layered
from sparsevae.plots.style import INK, LATENTS

RNG = np.random.default_rng(0)
TINY = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 1]])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def overlaps(figure):
    """Pairs of texts of a figure that overlap."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    shown = [t for axes in figure.axes for t in axes.texts if t.get_text()]
    boxes = [text.get_window_extent(renderer) for text in shown]
    pairs = [(a, b) for a in range(len(boxes)) for b in range(a)]
    return [
        (shown[a].get_text(), shown[b].get_text()) for a, b in pairs if boxes[a].overlaps(boxes[b])
    ]


def test_open_links_are_drawn_and_closed_ones_dotted():
    figure = mask_diagram(TINY, name="dense_1")
    (axes,) = figure.axes
    closed, opened = axes.collections[:2]
    assert len(opened.get_segments()) == 5 and len(closed.get_segments()) == 7
    assert closed.get_linestyle()[0][1] is not None and opened.get_linestyle()[0][1] is None
    assert axes.get_title() == "dense_1\n3 × 4 links, 41.7 % open"
    assert {"3 in", "4 out", "0", "1", "2", "3"} == {*texts(axes)}
    assert len(axes.collections[3].get_offsets()) == 4
    assert not overlaps(figure)


def test_a_large_mask_is_put_together_and_says_so():
    mask = RNG.random((1024, 256)) < 0.1
    mask[:24] = 0
    figure = mask_diagram(mask)
    (axes,) = figure.axes
    inputs, outputs = axes.collections[2:]
    assert (len(inputs.get_offsets()), len(outputs.get_offsets())) == (17, 16)
    assert "24 closed" in texts(axes) and texts(axes).count("16") == 16
    counts = [int(t.split()[0]) for t in texts(axes)[:17]]
    assert sum(counts) == 1024
    assert "as many channels" in figure.get_supxlabel()
    assert not overlaps(figure)


def test_parts_that_do_not_hang_together_have_colors_and_no_link_between():
    blocks = np.kron(np.eye(3), np.ones((20, 40)))
    mask = blocks[RNG.permutation(60)][:, RNG.permutation(120)]
    closed, opened, inputs, _ = mask_diagram(mask).axes[0].collections
    assert len({to_hex(color) for color in inputs.get_facecolors()}) == 3
    assert np.ptp(opened.get_colors()[:, 3]) == 0  # each link drawn is wholly open
    assert len(opened.get_segments()) + len(closed.get_segments()) == 16 * 16
    one = mask_diagram(np.ones((3, 2))).axes[0].collections[2]
    assert {to_hex(color) for color in one.get_facecolors()} == {INK}


@pytest.mark.parametrize("shape", [(1, 1), (1, 32), (32, 1)])
def test_any_layer_is_drawn(shape):
    for mask in (np.zeros(shape), np.ones(shape, bool), np.full(shape, 0.5)):
        figure = mask_diagram(mask)
        assert not overlaps(figure)


def test_bad_masks_are_refused():
    with pytest.raises(ValueError, match=r"`mask` must be a non-empty array .*\(3,\)"):
        mask_diagram(np.ones(3))
    with pytest.raises(ValueError, match=r"`mask` must lie in \[0, 1\].*nan"):
        mask_diagram(np.full((2, 2), np.nan))
    for dtype in (complex, str):
        with pytest.raises(ValueError, match="`mask` must be real or boolean"):
            mask_diagram(np.ones((2, 2)).astype(dtype))
    with pytest.raises(ValueError, match=r"`max_nodes`.*at least 2.*max_nodes=1"):
        mask_diagram(TINY, max_nodes=1)


def test_components_by_open_links():
    inputs, outputs = components(np.array([[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]], bool))
    assert inputs.tolist() == [1, 0, 0, -1] and outputs.tolist() == [0, 1, -1]


def test_groups_are_cut_where_labels_change():
    labels = np.repeat([0, 1, 2], [10, 2, 4])
    groups = grouped(labels, 5)
    assert [len({*labels[group]}) for group in groups] == [1] * 5
    assert np.concatenate(groups).tolist() == list(range(16))
    assert [len(group) for group in grouped(labels, 2)] == [8, 8]
    assert len(grouped(labels, 20)) == 16


def model_graph(widths, keep=1.0, n_latents=3):
    """An encoder and a decoder of dense layers, the second latent dead."""
    graph, rng = nx.DiGraph(), np.random.default_rng(0)
    layers = [("encoder", "input", 1), *(("encoder", f"encoder_{k}", w) for k, w in widths)]
    layers += [("encoder", "encoder_z_mean", n_latents), ("decoder", "input", n_latents)]
    layers += [*(("decoder", f"decoder_{k}", w) for k, w in widths), ("decoder", "decoder_out", 1)]
    for network, layer, width in layers:
        role = {"input": "input", "encoder_z_mean": "output", "decoder_out": "output"}
        for k in range(width):
            live = not (
                k == 1 and (layer == "encoder_z_mean" or (network, layer) == ("decoder", "input"))
            )
            role_of = role.get(layer, "hidden")
            graph.add_node((network, layer, k), units=1, role=role_of, live=live)
    for k in range(n_latents):
        graph.add_node(("encoder", "encoder_z_log_var", k), units=1, role="output", live=k != 1)
        graph.add_edge(("encoder", "encoder_z_mean", k), ("decoder", "input", k), weight=1.0)
    for (na, a, wa), (nb, b, wb) in itertools.pairwise(layers):
        if (na, nb) == ("encoder", "decoder"):
            continue
        kept = np.argwhere(rng.random((wa, wb)) < keep)
        graph.add_edges_from(
            ((na, a, i), (nb, b, j), {"weight": rng.random() + 0.1}) for i, j in kept
        )
    return graph


def test_the_whole_model_from_pixels_to_pixels():
    graph = model_graph([("dense", 4)])
    figure = wiring_diagram(graph)
    (axes,) = figure.axes
    below = [text for text in texts(axes) if "\n" in text]
    assert below == ["pixels\n1", "dense\n4", "latents\n2 of\n3", "dense\n4", "out\n1"]
    assert {"z0", "z2", "encoder", "decoder"} <= {*texts(axes)} and "z1" not in texts(axes)
    latents = axes.collections[4 + 2]
    assert [to_hex(c) for c in latents.get_facecolors()] == [LATENTS[0], LATENTS[2]]
    assert sum(len(lines.get_segments()) for lines in axes.collections[:4]) == 4 + 8 + 8 + 4
    assert not overlaps(figure)


def test_channels_have_the_color_of_their_latent_and_grey_where_mixed():
    graph = nx.DiGraph()
    for layer, n in (("input", 2), ("dense", 3)):
        for k in range(n):
            graph.add_node(("net", layer, k), units=1, live=True, role="hidden" if k > 1 else layer)
    for start, end in ((0, 0), (1, 1), (0, 2), (1, 2)):
        graph.add_edge(("net", "input", start), ("net", "dense", end), weight=2.0)
    found = layered(graph, 8)
    assert found.middle == 0 and found.n_links == 4
    shares = {tuple(row) for row in found.columns[1].shares}
    assert shares == {(1, 0), (0, 1), (0.5, 0.5)}
    nodes = wiring_diagram(graph).axes[0].collections[-1]
    assert {LATENTS[0], LATENTS[1], "#b8b8b8"} == {to_hex(c) for c in nodes.get_facecolors()}


def test_a_layer_that_is_closed_leaves_its_column_empty():
    for layers in ({"encoder_dense"}, {"encoder_z_mean", "input"}):
        graph = model_graph([("dense", 4)])
        gone = {node: False for node in graph if node[1] in layers}
        nx.set_node_attributes(graph, gone, "live")
        figure = wiring_diagram(graph)
        below = [text for text in texts(figure.axes[0]) if "\n" in text]
        assert len(below) == 5 and any("\n0 of\n" in text for text in below)
        assert not overlaps(figure)


def test_a_large_model_is_put_together():
    graph = model_graph([("wide", 256), ("narrow", 64)], keep=0.3, n_latents=10)
    maps = RNG.random((10, 32, 32, 1))
    figure = wiring_diagram(graph, maps=maps, n_links=40)
    axes, *pictures = figure.axes
    assert len(pictures) == 9 and all(len(one.images) == 1 for one in pictures)
    lines, nodes = axes.collections[:6], axes.collections[6:]
    assert all(len(one.get_segments()) <= 40 for one in lines)
    assert max(len(one.get_offsets()) for one in nodes) == 16
    assert "wide\n256" in texts(axes)
    (caption,) = (text.get_text() for text in figure.texts)
    assert f"{layered(graph, 16).n_links:,} links" in caption and " nodes" in caption
    assert not overlaps(figure)


def test_a_layer_of_1024_by_256_is_drawn():
    graph = nx.DiGraph()
    graph.add_nodes_from((("m", "input", k), {"role": "input", "live": True}) for k in range(1024))
    graph.add_nodes_from((("m", "out", k), {"role": "output", "live": True}) for k in range(256))
    ends = np.argwhere(np.random.default_rng(0).random((1024, 256)) < 0.02)
    graph.add_weighted_edges_from((("m", "input", i), ("m", "out", j), 1.0) for i, j in ends)
    figure = wiring_diagram(graph)
    lines, *nodes = figure.axes[0].collections
    assert len(lines.get_segments()) == 60 and [len(n.get_offsets()) for n in nodes] == [16, 16]
    assert not overlaps(figure)


def test_a_model_without_an_encoder_has_inputs_and_long_names_have_room():
    graph, layers = nx.DiGraph(), [f"conv2d_transpose_{k}" for k in range(9)]
    for a, b in itertools.pairwise(["input", *layers]):
        graph.add_edge(("net", a, 0), ("net", b, 0), weight=1.0)
    nx.set_node_attributes(graph, True, "live")
    nx.set_node_attributes(graph, {("net", "input", 0): "input"}, "role")
    figure = wiring_diagram(graph)
    assert {"x0", "conv2d\n_transpose_8\n1"} <= {*texts(figure.axes[0])}
    assert "the input that" in figure.texts[0].get_text()
    assert not overlaps(figure)


def test_bad_graphs_are_refused():
    graph = model_graph([("dense", 2)])
    with pytest.raises(TypeError, match=r"`graph` must be a graph with nodes .*list"):
        wiring_diagram([1])
    dead = graph.copy()
    nx.set_node_attributes(dead, False, "live")
    with pytest.raises(ValueError, match=r"`graph` must have a live channel.*none live"):
        wiring_diagram(dead)
    with pytest.raises(ValueError, match=r"`maps` must be an array \(3, height.*\(2, 4, 4, 1\)"):
        wiring_diagram(graph, maps=np.ones((2, 4, 4, 1)))
    with pytest.raises(ValueError, match=r"`maps` must be finite.*nan"):
        wiring_diagram(graph, maps=np.full((3, 4, 4, 1), np.nan))
    with pytest.raises(ValueError, match=r"`n_links`.*n_links=0"):
        wiring_diagram(graph, n_links=0)
