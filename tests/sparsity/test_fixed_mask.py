"""The control that leaves masks alone, or draws them once."""

import keras
import numpy as np
import pytest

from sparsevae.sparsity import SET, FixedMask, gate_masks, set_gate_masks, sparsify

X, Y = np.random.default_rng(0).normal(size=(2, 16, 6)).astype("float32")


def model(control):
    stock = keras.Sequential([keras.Input((6,)), keras.layers.Dense(9), keras.layers.Dense(6)])
    sparse = sparsify(stock, control=control)
    sparse.compile("adam", "mse")
    return sparse


def test_masks_that_are_given_stay():
    sparse = model(FixedMask())
    rng = np.random.default_rng(1)
    masks = {name: rng.random(mask.shape) < 0.3 for name, mask in gate_masks(sparse).items()}
    set_gate_masks(sparse, masks)
    logs = sparse.fit(X, Y, epochs=3, verbose=0).history
    for name, mask in gate_masks(sparse).items():
        np.testing.assert_array_equal(mask, masks[name])
        np.testing.assert_array_equal(np.array(sparse.get_layer(name).kernel) != 0, mask)
    assert "target_density" not in logs


@pytest.mark.parametrize("scope", ["layer", "erk"])
def test_a_density_is_a_random_mask_from_the_first_step_on_the_one_that_set_begins_with(scope):
    control = FixedMask.over(0.25, n_steps=10, scope=scope, seed=4)
    sparse, other = model(control), model(SET(0.25, end=0, scope=scope, seed=4))
    for each in (sparse, other):
        each.fit(X, Y, epochs=3, verbose=0)
    masks = gate_masks(sparse)
    assert sum(mask.sum() for mask in masks.values()) == 27
    for mask, same in zip(masks.values(), gate_masks(other).values(), strict=True):
        np.testing.assert_array_equal(mask, same)


def test_it_closes_and_never_opens():
    sparse = model(FixedMask(0.25))
    masks = {
        name: np.arange(mask.size).reshape(mask.shape) % 2 == 0
        for name, mask in gate_masks(sparse).items()
    }
    set_gate_masks(sparse, masks)
    sparse.fit(X, Y, verbose=0)
    for name, mask in gate_masks(sparse).items():
        assert not (mask & ~masks[name]).any()
        assert mask.sum() in (13, 14)


def test_config_round_trip():
    control = FixedMask(0.25, "erk", 3, granularity="channels")
    again = FixedMask.from_config(control.get_config())
    assert again.get_config() == control.get_config()
    assert (again.density, again.scope, again.seed, again.granularity) == (
        0.25,
        "erk",
        3,
        "channels",
    )


def test_saved_and_loaded_with_the_mask(tmp_path):
    sparse = model(FixedMask(0.25))
    sparse.fit(X, Y, verbose=0)
    sparse.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    loaded.fit(X, Y, verbose=0)
    for name, mask in gate_masks(sparse).items():
        np.testing.assert_array_equal(mask, gate_masks(loaded)[name])


def test_masks_of_other_layers_or_shapes_are_refused():
    sparse = model(FixedMask())
    masks = gate_masks(sparse)
    with pytest.raises(ValueError, match="`masks` must hold these layers and shapes"):
        set_gate_masks(sparse, {name: mask.T for name, mask in masks.items()})
    with pytest.raises(ValueError, match=r"gates\.Pruned"):
        gate_masks(sparsify(keras.Sequential([keras.Input((6,)), keras.layers.Dense(9)])))
