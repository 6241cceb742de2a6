"""`sparsify`: the same outputs over a zoo of graphs; choosing layers and gates."""

import json

import keras
import numpy as np
import pytest
import zoo
from keras import layers

import sparsevae as sv
from sparsevae import gates, sparsity
from sparsevae.sparsity import RigL, Strength, TopK

LEARNED, PRUNED = "hard_concrete", gates.Pruned()
GRAPHS = [*zoo.SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in zoo.LARGE)]
EACH = pytest.mark.parametrize("graph", GRAPHS)


def assert_same(found, expected, tolerance=0.0):
    """Equal bit by bit, or up to a share of the largest value."""
    for a, b in zip(found, expected, strict=True):
        assert np.abs(b).max() > 0
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


def gated_names(model):
    return [layer.name for layer in model.gated_layers]


@EACH
@pytest.mark.parametrize("gate", [LEARNED, PRUNED], ids=["learned", "pruned"])
def test_outputs_names_and_files_of_the_original(graph, gate, tmp_path):
    model = zoo.ZOO[graph]()
    x, _ = zoo.data(model)
    expected = zoo.outputs(model, x)
    sparse = sv.sparsify(model, gate)
    tolerance = {LEARNED: 1e-3 if graph == "half" else 1e-6}.get(gate, 0.0)
    assert_same(zoo.outputs(sparse, x), expected, tolerance)
    assert zoo.names(sparse) == zoo.names(model) and sparse.name == model.name

    sparse.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(zoo.outputs(loaded, x), zoo.outputs(sparse, x))
    other = sv.sparsify(zoo.ZOO[graph](), gate)
    sparse.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same(zoo.outputs(other, x), zoo.outputs(sparse, x))
    clone = keras.models.clone_model(sparse)
    clone.set_weights(sparse.get_weights())
    assert_same(zoo.outputs(clone, x), zoo.outputs(sparse, x))
    assert gated_names(clone) == gated_names(sparse)


@EACH
def test_the_model_given_is_left_as_it_is(graph):
    model = zoo.ZOO[graph]()
    x, _ = zoo.data(model)
    before = [np.array(v) for v in model.variables]
    nodes = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    trainable = [layer.trainable for layer in model._flatten_layers()]
    expected = zoo.outputs(model, x)
    nodes_of_run = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    sparse = sv.sparsify(model)
    assert [len(layer._inbound_nodes) for layer in model._flatten_layers()] == nodes_of_run == nodes
    assert [layer.trainable for layer in model._flatten_layers()] == trainable
    for weight in sparse.trainable_variables:
        weight.assign(weight + 1.0)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable)
    assert_same(zoo.outputs(model, x), expected)


@EACH
def test_layers_that_stay_are_of_their_class_and_listed_by_the_report(graph):
    model = zoo.ZOO[graph]()
    sparse = sv.sparsify(model)
    table = sparsity.report(sparse).table
    assert set(gated_names(sparse)) == set(table[table.gated].layer)
    kinds = {layer.name: type(layer) for layer in sparse._flatten_layers()}
    for layer in model._flatten_layers():
        if layer.weights and layer.name in set(table[~table.gated].layer):
            assert kinds[layer.name] is type(layer)
            assert table[table.layer == layer.name].note.item()


def test_sharing_is_kept_across_nested_models_and_time_distributed():
    shared = layers.Dense(4, name="shared")
    part = keras.Sequential([keras.Input((4,)), shared], name="part")
    inputs = keras.Input((3, 4))
    x = layers.TimeDistributed(shared, name="bare")(inputs)
    x = layers.TimeDistributed(part, name="wrapped")(x)
    model = keras.Model(inputs, part(shared(x)[:, 0]))
    x = np.random.default_rng(0).random((2, 3, 4), np.float32)
    sparse = sv.sparsify(model, PRUNED)
    assert_same(zoo.outputs(sparse, x), zoo.outputs(model, x))
    assert len(sparse.gated_layers) == 1
    assert len(sparse.trainable_variables) == len(model.trainable_variables) == 2


def test_a_sequential_model_built_by_its_first_call():
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    x = np.ones((2, 4), "float32")
    expected = [np.array(model(x))]
    assert_same(zoo.outputs(sv.sparsify(model, PRUNED), x), expected)


WHERE = {  # of a stem, two blocks and a head in the residual CNN
    "name": ("head", ["head"]),
    "glob": ("conv_*", ["conv_0", "conv_1"]),
    "glob over layers that cannot": ("*_1", ["conv_1"]),
    "type": (layers.Dense, ["head"]),
    "base type": (layers.Layer, ["stem", "conv_0", "conv_1", "head"]),
    "list": (["stem", layers.Dense], ["stem", "head"]),
    "function": (lambda layer: layer.name.endswith("0"), ["conv_0"]),
    "all": (None, ["stem", "conv_0", "conv_1", "head"]),
}


@pytest.mark.parametrize("way", WHERE)
def test_where(way):
    where, expected = WHERE[way]
    assert gated_names(sv.sparsify(zoo.residual(), where=where)) == expected


def test_where_finds_layers_of_nested_models():
    assert gated_names(sv.sparsify(zoo.nested(), where="inmost")) == ["inmost"]
    assert gated_names(sv.sparsify(zoo.time_distributed(), where="of_*")) == ["of_frame", "of_step"]


def test_gate_by_name_by_example_and_by_function():
    model = zoo.residual()
    example = gates.AnnealedSigmoid(seed=3)
    for gate, kind in (("binary", gates.Binary), (example, gates.AnnealedSigmoid)):
        sparse = sv.sparsify(model, gate)
        assert {type(layer.gate) for layer in sparse.gated_layers} == {kind}
    assert not example.built
    assert [layer.gate.seed for layer in sparse.gated_layers] == [3, 4, 5, 6]

    def gate_for(layer):
        if isinstance(layer, layers.Dense):
            return None
        return example if layer.kernel_size == (3, 3) and layer.name != "stem" else "continuous"

    found = {layer.name: type(layer.gate) for layer in sv.sparsify(model, gate_for).gated_layers}
    continuous, annealed = gates.Continuous, gates.AnnealedSigmoid
    assert found == {"stem": continuous, "conv_0": annealed, "conv_1": annealed}


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        (None, gates.HardConcrete),
        (Strength(1.0), gates.HardConcrete),
        (TopK(0.5), gates.Pruned),
        (sparsity.Distortion(1.0), gates.Binary),
    ],
)
def test_without_a_gate_layers_get_what_the_control_needs(control, kind):
    sparse = sv.sparsify(zoo.dense(3, 2), control=control)
    assert {type(layer.gate) for layer in sparse.gated_layers} == {kind}


@pytest.mark.parametrize(("granularity", "rows"), [("links", 4), ("weights", 36), ("channels", 1)])
def test_granularity_is_that_of_the_control(granularity, rows):
    sparse = sv.sparsify(zoo.residual(), control=TopK(0.5, granularity=granularity))
    assert sparse.get_layer("conv_0").gate.mask_shape == (rows, 4)
    report = sparsity.report(sparse)
    assert report.density == 1.0


def test_frozen_layers_stay_frozen_with_their_gates():
    model = zoo.residual()
    model.get_layer("conv_0").trainable = False
    sparse = sv.sparsify(model)
    frozen = sparse.get_layer("conv_0")
    assert not frozen.trainable and not frozen.gate.trainable_variables
    assert len(sparse.trainable_variables) == len(model.trainable_variables) + 3
    model.trainable = False
    assert sv.sparsify(model).trainable_variables == []


def test_a_compiled_model_gives_one_without_an_optimizer_and_goes_on_training():
    model = zoo.dense(3, 1)
    model.compile("adam", "mse")
    x, y = zoo.data(model)
    model.fit(x, y, verbose=0)
    sparse = sv.sparsify(model, control=TopK(0.5, 0, 1))
    assert_same(zoo.outputs(sparse, x), zoo.outputs(model, x))
    assert not sparse.compiled and model.compiled
    before = zoo.outputs(model, x)
    model.fit(x, y, verbose=0)
    assert np.any(before[0] != zoo.outputs(model, x)[0])
    assert int(model.optimizer.iterations) == 2


def test_state_of_seeds_is_taken_over():
    model = zoo.noisy()
    x, _ = zoo.data(model)
    model(x, training=True)
    first = np.array(sv.sparsify(model, PRUNED)(x, training=True))
    np.testing.assert_array_equal(first, np.array(model(x, training=True)))


def test_config_of_the_sparse_model_is_json_and_makes_it_again():
    sparse = sv.sparsify(zoo.dense(3, 2), control=RigL(0.5, seed=3))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(sparse)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is sparsity.SparseModel and type(again.control) is RigL
    assert again.control.get_config() == sparse.control.get_config()
