import hashlib
import pickle

import numpy as np
import pytest

from sparsevae.data import BlockMechanisms
from sparsevae.data.render.mechanisms import anchored, structurally_sparse

NAMES = ("anchors", "overlaps", "couples")
CUSTOM = np.eye(3, dtype=bool)[:, np.arange(16) % 3] | (np.arange(16) == 5)


@pytest.fixture(params=[*NAMES, "custom"])
def data(request):
    return BlockMechanisms(CUSTOM if request.param == "custom" else request.param)


def changes(data, factor, context):
    """Pixels `(32, 32)` that differ between any two values of one factor, the others fixed."""
    factors = np.tile(context, (8, 1))
    factors[:, factor] = np.arange(8)
    images = data.observe(factors)[..., 0]
    return (images != images[0]).any(axis=0)


def test_public_facts():
    data = BlockMechanisms()
    assert data.name == "mechanisms" and data.source == "render"
    assert len(data) == 8**6 and data.image_shape == (32, 32, 1)
    assert data.graph.shape == (6, 16) and data.graph.dtype == bool
    assert data.pixel_graph.shape == (6, 32, 32) and data.pixel_graph.dtype == bool
    names = [BlockMechanisms(graph).name for graph in (*NAMES[1:], CUSTOM)]
    assert names == ["mechanisms_overlaps", "mechanisms_couples", "mechanisms_custom"]
    assert len(BlockMechanisms(CUSTOM)) == 8**3


def test_pixels_follow_blocks(data):
    for k, block in np.ndindex(data.graph.shape):
        row, column = 8 * (block // 4), 8 * (block % 4)
        pixels = data.pixel_graph[k, row : row + 8, column : column + 8]
        assert (pixels == data.graph[k, block]).all()


def test_a_factor_changes_exactly_its_pixels_whatever_the_others_are(data):
    rng = np.random.default_rng(0)
    contexts = data.sample_factors(25, rng)
    for k, truth in enumerate(data.pixel_graph):
        for context in [*contexts, np.zeros_like(contexts[0]), np.full_like(contexts[0], 7)]:
            np.testing.assert_array_equal(changes(data, k, context), truth)


@pytest.mark.parametrize("graph", NAMES)
def test_images_tell_all_factors(graph):
    data = BlockMechanisms(graph)
    factors = data.sample_factors(20_000, np.random.default_rng(1))
    images = data.observe(factors).reshape(20_000, 4, 8, 4, 8).transpose(0, 1, 3, 2, 4)
    for block, wired in enumerate(data.graph.T):
        seen = images[:, block // 4, block % 4].reshape(20_000, -1).view("V64")
        n_seen = len(np.unique(seen))
        assert n_seen == len(np.unique(factors[:, wired], axis=0))


def test_named_graphs_are_what_they_say():
    anchors, overlaps, couples = (BlockMechanisms(graph) for graph in NAMES)
    assert anchored(anchors.pixel_graph.reshape(6, -1)).all()
    assert structurally_sparse(anchors.graph).all()
    assert overlaps.graph.sum(axis=0).min() == 2 and not anchored(overlaps.graph).any()
    assert structurally_sparse(overlaps.graph).all()
    assert not structurally_sparse(couples.graph).any()
    np.testing.assert_array_equal(couples.graph[::2], couples.graph[1::2])
    for data in (anchors, overlaps, couples):
        assert data.graph.mean() < 0.5  # sparse, all three
        assert data.graph.any(axis=0).all()


def test_structural_sparsity_is_the_definition():
    """Beside the definition itself: some set of features whose factors have only k in common."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        graph = rng.random((4, 5)) < 0.5
        for k, holds in enumerate(structurally_sparse(graph)):
            sets = [np.array(list(f"{number:05b}")) == "1" for number in range(1, 32)]
            common = [graph[:, features].all(axis=1) for features in sets]
            assert holds == any((row == (np.arange(4) == k)).all() for row in common)


def test_anchors_need_two_features_of_their_own():
    graph = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]], bool)
    assert anchored(graph).tolist() == [True, False, False]
    assert structurally_sparse(graph).tolist() == [True, True, True]
    empty = np.zeros((2, 3), bool)
    assert not anchored(empty).any() and not structurally_sparse(empty).any()


def test_effects_multiply():
    """Where two films lie, the light is what either lets through, of what the other does."""
    data = BlockMechanisms(np.ones((2, 16), bool))
    alone = [BlockMechanisms(np.ones((1, 16), bool))]
    factors = data.sample_factors(50, np.random.default_rng(3))
    both = data.observe(factors)[..., 0] / 255
    first = alone[0].observe(factors[:, :1])[..., 0] / 255
    second = both / first
    assert second.min() > 0.49 and second.max() < 1.02
    for value in range(8):  # what the second lets through does not depend on the first
        same = second[factors[:, 1] == value]
        assert np.ptp(same, axis=0).max() < 0.03


@pytest.mark.parametrize(
    ("graph", "digest"),
    [
        ("anchors", "ba6a4c68080ecf5a4c39bf85a5a2860f2fdc1b8a63fab3bb1e794b5739321d7e"),
        ("overlaps", "ad52ac87d6548a79ac87151b0ce444cb2eafe86465965b63c835e1acddbed525"),
        ("couples", "3f1f795272a8006258afb4f17df6a00ce0a9af8d4ba3617cecc2a847f1b4ee77"),
    ],
)
def test_images_are_golden(graph, digest):
    images = BlockMechanisms(graph).images(np.arange(0, 8**6, 523))
    assert hashlib.sha256(images.tobytes()).hexdigest() == digest


def test_pickling_is_small(data):
    dump = pickle.dumps(data)
    assert len(dump) < 10_000
    indices = [0, 7, len(data) - 1]
    np.testing.assert_array_equal(pickle.loads(dump).images(indices), data.images(indices))
    assert data.images(np.array([], np.int64)).shape == (0, 32, 32, 1)


@pytest.mark.parametrize(
    ("graph", "match"),
    [
        ("anchor", "`graph`.*Did you mean 'anchors'"),
        (np.ones((3, 16)), r"`graph`.*booleans \(n_factors, 16\).*float64"),
        (np.ones((3, 15), bool), r"shape \(3, 15\)"),
        (np.ones((9, 16), bool), "1 to 8 factors"),
        (np.ones((0, 16), bool), "1 to 8 factors"),
        (np.arange(16)[None] == [[3], [16]], "a factor without block"),
    ],
)
def test_other_graphs_are_refused(graph, match):
    with pytest.raises(ValueError, match=match):
        BlockMechanisms(graph)
