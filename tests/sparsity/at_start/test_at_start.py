"""What all ways to choose masks before training have in common."""

import keras
import numpy as np
import pytest
from start_models import batch, convolutional, gated, mlp

from sparsevae.sparsity import MagnitudePruning, at_start, gate_masks, sparsify

CHOICES = {
    "magnitude": lambda model, density: at_start.magnitude(model, density),
    "magnitude_erk": lambda model, density: at_start.magnitude(model, density, "erk"),
    "random": lambda model, density: at_start.random(model, density, seed=3),
    "random_global": lambda model, density: at_start.random(model, density, "global"),
    "snip": lambda model, density: at_start.snip(model, density, *batch(model)),
    "synflow": lambda model, density: at_start.synflow(model, density, n_rounds=3),
}
choices = pytest.mark.parametrize("choose", CHOICES.values(), ids=CHOICES)


def n_open(model):
    return sum(int(mask.sum()) for mask in gate_masks(model).values())


@choices
@pytest.mark.parametrize("granularity", ["links", "weights", "channels"])
def test_density_is_exact_and_closed_weights_are_0_and_stay_so(choose, granularity):
    model = gated(convolutional(), granularity)
    masks = gate_masks(model)
    n_gates = sum(mask.size for mask in masks.values())
    choose(model, 0.3)
    chosen = gate_masks(model)
    assert n_open(model) == round(0.3 * n_gates)
    model.fit(*batch(model), batch_size=8, epochs=2, verbose=0)
    for layer in model.gated_layers:
        np.testing.assert_array_equal(gate_masks(model)[layer.name], chosen[layer.name])
        mask = keras.ops.convert_to_numpy(layer.kernel_mask())
        kernel = keras.ops.convert_to_numpy(layer.switched_weights[0])
        assert not (kernel * (1 - mask)).any()
        assert np.abs(kernel * mask).sum() > 0 or not mask.any()


@choices
@pytest.mark.parametrize("density", [1.0, 0.36])
def test_density_is_of_all_gates(choose, density):
    model = gated(mlp(5, 4))
    choose(model, density)
    assert n_open(model) == density * (6 * 5 + 5 * 4)


def test_one_gate_at_least_is_left_of_a_model():
    model = gated(mlp(5, 4))
    at_start.magnitude(model, 1e-9)
    assert n_open(model) == 1


@choices
def test_misuse_is_one_line(choose):
    model = gated(mlp(5, 4))
    with pytest.raises(ValueError, match="`density` must be"):
        choose(model, 0.0)
    choose(model, 0.5)
    with pytest.raises(ValueError, match=r"no closed gates yet. Received: some in 'd0'"):
        choose(model, 0.5)
    learning = sparsify(mlp(5, 4))
    learning.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"gates\.Pruned.*HardConcrete in 'd0'"):
        choose(learning, 0.5)
    stock = mlp(5, 4)
    stock.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"gates\.Pruned.*with no gates"):
        choose(stock, 0.5)
    pruned = sparsify(mlp(5, 4), control=MagnitudePruning(0.5))
    pruned.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"control that keeps masks.*MagnitudePruning"):
        choose(pruned, 0.5)


def test_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="`scope` must be one of"):
        at_start.random(gated(mlp(5, 4)), 0.5, scope="layers")


def test_magnitude_keeps_the_largest():
    model = gated(mlp(5, 4))
    sizes = np.concatenate([np.abs(layer.kernel).ravel() for layer in model.gated_layers])
    at_start.magnitude(model, 0.2)
    kept = np.concatenate([mask.ravel() for mask in gate_masks(model).values()])
    np.testing.assert_array_equal(kept, sizes >= np.sort(sizes)[-10])


def test_random_masks_follow_the_seed():
    first, same, other = (gated(mlp(50, 40)) for _ in range(3))
    for model, seed in ((first, 1), (same, 1), (other, 2)):
        at_start.random(model, 0.5, seed=seed)
    a, b, c = (gate_masks(model)["d1"] for model in (first, same, other))
    np.testing.assert_array_equal(a, b)
    assert 0.4 < np.mean(a == c) < 0.6  # 2,000 fair coins: standard error .011


def test_random_like_has_the_densities_of_the_other_model_and_another_mask():
    like, model = gated(mlp(50, 40)), gated(mlp(50, 40, seed=9))
    at_start.magnitude(like, 0.2)
    at_start.random_like(model, like)
    for name, mask in gate_masks(like).items():
        drawn = gate_masks(model)[name]
        assert drawn.sum() == mask.sum()
        assert (drawn & mask).sum() < 0.5 * mask.sum()
    with pytest.raises(ValueError, match="`masks` must hold these layers and shapes"):
        at_start.random_like(gated(mlp(50, 30)), like)
