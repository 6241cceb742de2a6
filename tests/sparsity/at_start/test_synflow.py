"""SynFlow against its definition in NumPy, and what it promises."""

import keras
import numpy as np
import pytest
from start_models import convolutional, gated, mlp

from sparsevae.sparsity import at_start, gate_masks, report


def by_definition(kernels, density, n_rounds):
    """Masks of a chain of dense layers."""
    masks = [np.ones(kernel.shape, bool) for kernel in kernels]
    n_links = sum(mask.size for mask in masks)
    for k in range(1, n_rounds + 1):
        weights = [np.abs(w) * m for w, m in zip(kernels, masks, strict=True)]
        into, out_of = [np.ones(len(weights[0]))], [np.ones(weights[-1].shape[1])]
        for weight in weights[:-1]:
            into.append(into[-1] @ weight)
        for weight in weights[:0:-1]:
            out_of.insert(0, weight @ out_of[0])
        scores = [a[:, None] * w * b for a, w, b in zip(into, weights, out_of, strict=True)]
        flat = np.sort(np.concatenate([score.ravel() for score in scores]))
        bound = flat[-round(density ** (k / n_rounds) * n_links)]
        masks = [score >= bound for score in scores]
    return masks


@pytest.mark.parametrize("n_rounds", [1, 7])
def test_masks_are_those_of_the_definition_whatever_activations_norms_and_biases(n_rounds):
    plain = mlp(8, 7, 5)
    kernels = [np.array(plain.get_layer(f"d{k}").kernel, "float64") for k in range(3)]
    expected = by_definition(kernels, 0.3, n_rounds)
    rich = mlp(8, 7, 5, activation="tanh", last="softmax", norm=True)
    rich.get_layer("d1").bias.assign(np.linspace(-3, 3, 7))
    for model in (gated(plain), gated(rich)):
        at_start.synflow(model, 0.3, n_rounds)
        for mask, wanted in zip(gate_masks(model).values(), expected, strict=True):
            np.testing.assert_array_equal(mask, wanted)


def test_weights_that_stay_are_left_as_they_were_also_those_of_frozen_layers():
    stock = mlp(8, 7, 5)
    stock.get_layer("d1").trainable = False
    model = gated(stock)
    at_start.synflow(model, 0.3, 5)
    for name, mask in gate_masks(model).items():
        before = np.array(stock.get_layer(name).kernel)
        np.testing.assert_array_equal(np.array(model.get_layer(name).kernel), before * mask)
        np.testing.assert_array_equal(
            np.array(model.get_layer(name).bias), stock.get_layer(name).bias
        )
    expected = by_definition([np.array(stock.get_layer(f"d{k}").kernel) for k in range(3)], 0.3, 5)
    np.testing.assert_array_equal(gate_masks(model)["d1"], expected[1])


def bottleneck():
    """By magnitude its wide layers, of small weights, are emptied."""
    return mlp(60, 60, 3, 60, 5, n_inputs=40)


@pytest.mark.parametrize("n_links", [5, 60])
def test_no_layer_collapses_down_to_a_single_path(n_links):
    """5 links are the fewest that a path through 5 layers has."""
    model = gated(bottleneck())
    n_all = sum(mask.size for mask in gate_masks(model).values())
    at_start.synflow(model, n_links / n_all)
    found = report(model)
    assert sum(mask.sum() for mask in gate_masks(model).values()) == n_links
    assert found.effective_density > 0.9 * n_links / n_all  # the last round leaves dead ends
    by_size = gated(bottleneck())
    at_start.magnitude(by_size, n_links / n_all)
    assert report(by_size).effective_density == 0


def test_depth_does_not_overflow():
    """R of this network is some 1e78, above float32's range."""
    model = gated(mlp(*[8] * 30))
    for layer in model.gated_layers:
        layer.kernel.assign(100 * layer.kernel)
    at_start.synflow(model, 0.2, 10)
    assert report(model).effective_density > 0.18


def test_skips_pooling_and_windows():
    model = gated(convolutional(), "links")
    at_start.synflow(model, 0.2, 30)
    assert report(model).table.effective.dropna().min() > 0


def test_nested_and_repeated_models():
    part = mlp(6, 6)
    inputs = keras.Input((4, 6))
    x = keras.layers.TimeDistributed(part)(inputs)
    x = keras.layers.Flatten()(x)
    model = gated(keras.Model(inputs, keras.layers.Dense(3)(x)))
    at_start.synflow(model, 0.2, 10)
    assert sum(mask.sum() for mask in gate_masks(model).values()) == round(0.2 * (72 + 72))


def test_an_input_of_any_size_is_refused():
    inputs = keras.Input((None, 3))
    model = gated(keras.Model(inputs, keras.layers.Conv1D(2, 3)(inputs)))
    with pytest.raises(ValueError, match="inputs of a known size"):
        at_start.synflow(model, 0.5)


def test_an_operation_that_stops_the_flow_is_named():
    inputs = keras.Input((3,))
    model = gated(keras.Model(inputs, keras.ops.sign(keras.layers.Dense(2)(inputs))))
    with pytest.raises(ValueError, match="flow through `model` must depend on some gate"):
        at_start.synflow(model, 0.5)
