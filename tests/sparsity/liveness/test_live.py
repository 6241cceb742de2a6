"""What is live in whole models, against perturbation and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from random_models import Drawn

from sparsevae import gates, sparsity
from sparsevae.layers import GatedConv2D, GatedDense
from sparsevae.sparsity.liveness import Kernel, follow

DRAWS = {"seed": st.integers(0, 10**6), "n_layers": st.integers(2, 7)}
FEW = settings(max_examples=8, deadline=None, derandomize=True, database=None)


def points(model, n=4):
    return np.random.default_rng(1).normal(size=(n, *model.inputs[0].shape[1:])).astype("float32")


def outputs(model, x):
    return np.concatenate([np.reshape(y, (len(x), -1)) for y in keras.tree.flatten(model(x))], 1)


def effective(model):
    """Effective links of each gated layer, united over its uses."""
    live, found = follow(model), {}
    for node in live.graph.nodes:
        if isinstance(node.rule, Kernel):
            sides = live.varying[node.inputs[0]], live.needed[node.outputs[0]]
            links = node.rule.effective_links(node.call, *sides)
            found[node.call.layer] = found.get(node.call.layer, False) | links
    return {layer: links for layer, links in found.items() if hasattr(layer, "gate")}


def of_links(layer, links):
    """Values for each link `(in, out)` in the axes of the stored kernel."""
    return links.T if layer._transposed else links


@given(**DRAWS, use_bias=st.booleans())
@FEW
def test_what_does_not_vary_is_constant_and_what_is_not_needed_has_no_gradient(
    seed, n_layers, use_bias
):
    drawn = Drawn(seed, n_layers, use_bias)
    live = follow(drawn.model)
    inner = keras.Model(drawn.model.inputs, [list(drawn.tensors.values()), drawn.model.outputs])
    x = tf.constant(points(drawn.model))
    with tf.GradientTape() as tape:
        tape.watch(x)
        tensors, made = inner(x)
        rng = np.random.default_rng(2)
        loss = sum(tf.reduce_sum(y * rng.normal(size=y.shape).astype("f")) for y in made)
    gradients = tape.gradient(loss, tensors, unconnected_gradients="zero")
    number = {node.call.layer.name: node.outputs[0] for node in live.graph.nodes}
    for name, tensor, gradient in zip(drawn.tensors, tensors, gradients, strict=True):
        if name not in number:  # not on a way to an output
            continue
        shape = tensor.shape[1:]
        varying = np.broadcast_to(live.varying[number[name]], shape)
        needed = np.broadcast_to(live.needed[number[name]], shape)
        assert np.ptp(np.asarray(tensor)[:, ~varying], axis=0).max(initial=0) < 1e-5
        assert np.abs(np.asarray(gradient)[:, ~needed]).max(initial=0) == 0


@given(**DRAWS)
@FEW
def test_links_without_effect_can_be_anything_where_constants_are_zero(seed, n_layers):
    model = Drawn(seed, n_layers, use_bias=False).model
    x = points(model)
    before = outputs(model, x)
    for layer, links in effective(model).items():
        other = np.random.default_rng(3).normal(size=layer._raw_kernel.shape)
        layer._raw_kernel.assign(np.where(of_links(layer, links), layer._raw_kernel, other))
    np.testing.assert_array_equal(outputs(model, x), before)


@given(**DRAWS)
@FEW
def test_links_to_channels_that_do_not_matter_can_be_anything(seed, n_layers):
    model = Drawn(seed, n_layers, use_bias=True).model
    x = points(model)
    before = outputs(model, x)
    live = follow(model)
    for node in live.graph.nodes:
        if hasattr(layer := node.call.layer, "gate"):
            everything = np.ones(node.call.input_shapes[0], bool)
            links = node.rule.effective_links(node.call, everything, live.needed[node.outputs[0]])
            other = np.random.default_rng(3).normal(size=layer._raw_kernel.shape)
            layer._raw_kernel.assign(np.where(of_links(layer, links), layer._raw_kernel, other))
    np.testing.assert_array_equal(outputs(model, x), before)


@given(**DRAWS, use_bias=st.booleans())
@FEW
def test_every_effective_link_changes_an_output(seed, n_layers, use_bias):
    model = Drawn(seed, n_layers, use_bias).model
    x, rng = points(model), np.random.default_rng(4)
    before = outputs(model, x)
    for layer, links in effective(model).items():
        kernel = np.array(layer._raw_kernel)
        places = np.argwhere(links)
        for i, o in places[rng.permutation(len(places))[:3]]:
            one = np.zeros(links.shape, bool)
            one[i, o] = True
            layer._raw_kernel.assign(np.where(of_links(layer, one), kernel + 3, kernel))
            change = outputs(model, x) - before
            assert np.abs(change - change[:1]).max() > 0, (layer.name, i, o)
        layer._raw_kernel.assign(kernel)


def fixed(rows):
    return gates.Fixed(np.array(rows))


def shown(model):
    """Effective links by name of gated layer, as lists of 0 and 1."""
    return {layer.name: links.astype(int).tolist() for layer, links in effective(model).items()}


def test_a_chain_by_hand():
    first = GatedDense(3, gate=fixed([[1, 1, 0], [0, 0, 0]]), name="first")
    second = GatedDense(2, gate=fixed([[1, 0], [0, 0], [1, 1]]), name="second")
    model = keras.Sequential([keras.Input((2,)), first, second])
    # unit 1 leads nowhere, unit 2 does not vary
    assert shown(model) == {
        "first": [[1, 0, 0], [0, 0, 0]],
        "second": [[1, 0], [0, 0], [0, 0]],
    }


def test_flatten_between_convolution_and_dense():
    conv = GatedConv2D(3, 2, gate=fixed([[1, 0, 1]]), name="conv")
    rows = np.zeros((12, 2), int)
    rows[[4, 5, 8], [0, 1, 1]] = 1  # of channels 1, 2, 2
    model = keras.Sequential([keras.Input((3, 3, 1)), conv, layers.Flatten()])
    model.add(GatedDense(2, gate=fixed(rows), name="dense"))
    found = shown(model)
    assert found["conv"] == [[0, 0, 1]]
    rows[4, 0] = 0
    assert found["dense"] == rows.tolist()


def test_a_dense_layer_at_positions_does_not_mix_them():
    each = GatedDense(1, gate=fixed([[1], [1]]), name="each")
    model = keras.Sequential([keras.Input((4,))])
    model.add(GatedDense(4, gate=fixed(np.diag([1, 0, 0, 1])), name="first"))
    model.add(layers.Reshape((2, 2)))
    model.add(each)
    model.add(layers.Flatten())
    model.add(GatedDense(1, gate=fixed([[0], [1]]), name="last"))
    assert shown(model)["each"] == [[0], [1]]  # channel 0 varies at the other position only


def test_a_layer_used_twice_has_the_links_of_both_uses():
    shared = GatedDense(2, gate=fixed([[1, 0], [0, 1]]), name="shared")
    inputs = keras.Input((2,))
    left = GatedDense(2, gate=fixed([[1, 0], [0, 0]]), name="left")(inputs)
    right = GatedDense(2, gate=fixed([[0, 0], [0, 1]]), name="right")(inputs)
    model = keras.Model(inputs, [shared(left), shared(right)])
    assert shown(model)["shared"] == [[1, 0], [0, 1]]
    assert shown(keras.Model(inputs, shared(left)))["shared"] == [[1, 0], [0, 0]]


def test_nested_models_used_twice_and_given_a_dict():
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    joined = GatedDense(2, gate=fixed([[1, 0], [0, 1]]), name="joined")(
        layers.Concatenate()([a, b])
    )
    for inputs in ([b, a], {"b": b, "a": a}):
        inner = keras.Model(inputs, joined)
        x = keras.Input((2,))
        still = GatedDense(1, gate=fixed([[0], [0]]), name="still")(x)
        moving = GatedDense(1, gate=fixed([[1], [1]]), name="moving")(x)
        once = inner({"a": still, "b": moving})
        model = keras.Model(x, once)
        assert shown(model)["joined"] == [[0, 0], [0, 1]]
        twice = keras.Model(x, [once, inner({"a": moving, "b": still})])
        assert shown(twice)["joined"] == [[1, 0], [0, 1]]


def test_residuals_written_as_operators():
    inputs = keras.Input((2,))
    closed = GatedDense(2, gate=fixed([[0, 0], [0, 0]]), name="closed")(inputs)
    last = GatedDense(2, gate=fixed([[1, 0], [0, 1]]), name="last")
    assert shown(keras.Model(inputs, last(closed + inputs)))["last"] == [[1, 0], [0, 1]]
    assert shown(keras.Model(inputs, last(closed * 2)))["last"] == [[0, 0], [0, 0]]


def test_a_tensor_concatenated_with_itself():
    inputs = keras.Input((2,))
    first = GatedDense(2, gate=fixed([[1, 0], [0, 1]]), name="first")(inputs)
    twice = layers.Concatenate()([first, first])
    last = GatedDense(1, gate=fixed([[0], [0], [1], [0]]), name="last")(twice)
    assert shown(keras.Model(inputs, last))["first"] == [[1, 0], [0, 0]]


def test_layers_without_a_rule_are_safe_and_listed():
    inputs = keras.Input((2,))
    first = GatedDense(3, gate=fixed([[1, 0, 0], [0, 0, 0]]), name="first")(inputs)
    mixed = layers.Lambda(lambda x: x[:, ::-1], output_shape=(3,), name="mixed")(first)
    last = GatedDense(1, gate=fixed([[0], [0], [1]]), name="last", activation=lambda x: x)(mixed)
    model = keras.Model(inputs, last)
    assert shown(model) == {"first": [[1, 0, 0], [0, 0, 0]], "last": [[0], [0], [1]]}
    assert follow(model).without_rule() == ("mixed", "last: <lambda>")


@pytest.mark.parametrize("coupled", [layers.LayerNormalization, layers.Softmax])
def test_channels_that_normalize_together_live_together(coupled):
    first = GatedDense(3, gate=fixed([[1, 0, 0], [0, 0, 0]]), name="first")
    last = GatedDense(1, gate=fixed([[0], [0], [1]]), name="last")
    model = keras.Sequential([keras.Input((2,)), first, coupled(), last])
    assert shown(model) == {"first": [[1, 0, 0], [0, 0, 0]], "last": [[0], [0], [1]]}


def test_masks_are_followed_where_layers_take_them_and_refused_where_they_only_read_them():
    inputs = keras.Input((5, 2))
    masked = layers.Masking(name="masking")(inputs)
    closed = GatedDense(1, gate=fixed([[0], [0]]), name="closed")(masked)
    gap = layers.GlobalAveragePooling1D()
    model = keras.Model(inputs, GatedDense(1, gate=fixed([[1]]), name="last")(gap(closed)))
    assert shown(model)["last"] == [[1]]  # the mean of a constant, by a mask that varies
    scaled = keras.Model(inputs, layers.BatchNormalization(name="scale")(masked))
    assert follow(scaled).varying[follow(scaled).graph.outputs[0]].all()
    part = keras.Sequential([keras.Input((5, 1)), layers.ReLU()], name="part")
    part.supports_masking = True
    for layer, x in ((layers.Add(name="merge"), [closed, closed]), (part, closed)):
        with pytest.raises(ValueError, match=f"masked .*'{layer.name}'"):
            sparsity.report(keras.Model(inputs, layer(x)))


def test_gates_that_are_nan_are_refused():
    model = keras.Sequential([keras.Input((2,)), GatedDense(2, name="lost")])
    (gate_weight,) = model.layers[0].gate.trainable_variables
    gate_weight.assign(np.full(gate_weight.shape, np.nan))
    with pytest.raises(ValueError, match="'lost'"):
        sparsity.report(model)
