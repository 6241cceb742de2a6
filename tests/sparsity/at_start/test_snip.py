"""SNIP against closed forms and central differences."""

import keras
import numpy as np
import pytest
from start_models import batch, convolutional, gated, mlp

from sparsevae.sparsity import FixedMask, at_start, gate_masks, sparsify


def test_linear_regression_keeps_the_largest_products_of_gradient_and_weight():
    model = gated(mlp(4))
    x, y = batch(model)
    kernel = np.array(model.get_layer("d0").kernel)
    gradient = x.T @ (x @ kernel - y) * 2 / y.size
    scores = np.abs(gradient * kernel)
    at_start.snip(model, 0.25, x, y)
    np.testing.assert_array_equal(gate_masks(model)["d0"], scores >= np.sort(scores, axis=None)[-6])


@pytest.mark.parametrize("granularity", ["links", "channels"])
def test_scores_are_slopes_of_the_training_loss_along_each_gate(granularity):
    model = gated(convolutional(), granularity)
    x, y = batch(model)
    state = [np.array(v) for v in model.variables]
    scores = {}
    for layer in model.gated_layers:
        is_open, slopes = layer.gate.open, np.zeros(layer.gate.mask_shape)
        for index in np.ndindex(*slopes.shape):
            losses = []
            for step in (0.05, -0.05):
                mask = np.ones(slopes.shape, "float32")
                mask[index] += step
                is_open.assign(mask)
                with keras.StatelessScope():  # which forgets the statistics of the batch
                    losses.append(float(model.compute_loss(x, y, model(x, training=True))))
            slopes[index] = abs(losses[0] - losses[1])
            is_open.assign(np.ones(slopes.shape, "float32"))
        scores[layer.name] = slopes
    for variable, value in zip(model.variables, state, strict=True):
        np.testing.assert_array_equal(np.array(variable), value)
    at_start.snip(model, 0.5, x, y)
    flat = np.concatenate([score.ravel() for score in scores.values()])
    kept = np.concatenate([mask.ravel() for mask in gate_masks(model).values()])
    clear = np.abs(flat / np.median(flat) - 1) > 0.05
    np.testing.assert_array_equal(kept[clear], (flat > np.median(flat))[clear])
    assert clear.mean() > 0.7


def test_several_inputs_and_outputs_by_name():
    left, right = keras.Input((3,), name="left"), keras.Input((4,), name="right")
    both = keras.layers.Concatenate()([left, right])
    outputs = {
        "a": keras.layers.Dense(2, name="a")(both),
        "b": keras.layers.Dense(5, name="b")(both),
    }
    model = gated(
        keras.Model({"left": left, "right": right}, outputs), loss={"a": "mse", "b": "mae"}
    )
    rng = np.random.default_rng(0)
    x = {"left": rng.normal(size=(8, 3)), "right": rng.normal(size=(8, 4))}
    y = {"a": rng.normal(size=(8, 2)), "b": rng.normal(size=(8, 5))}
    at_start.snip(model, 20 / 49, x, y)
    assert sum(mask.sum() for mask in gate_masks(model).values()) == 20


def test_a_model_that_is_not_compiled_is_refused():
    model = sparsify(mlp(4), control=FixedMask())
    with pytest.raises(ValueError, match="`model` must be compiled"):
        at_start.snip(model, 0.5, *batch(model))


def test_a_loss_without_gradient_is_refused():
    model = gated(mlp(4))
    x, y = batch(model)
    with pytest.raises(ValueError, match="must depend on some gate"):
        at_start.snip(model, 0.5, 0 * x, y)
    with pytest.raises(ValueError, match="must have finite derivatives"):
        at_start.snip(model, 0.5, np.full_like(x, np.nan), y)
