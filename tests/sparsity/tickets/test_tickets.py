"""Iterative magnitude pruning: what is trained, from where, under which mask; it resumes."""

import json

import keras
import numpy as np
import pytest

from sparsevae import gates
from sparsevae.layers import GatedDense
from sparsevae.sparsity import SparseModel, gate_masks, tickets

LAYERS = ("first", "second")


def make(seed):
    starts = [keras.initializers.RandomNormal(seed=seed + k) for k in (1, 2)]
    first = keras.layers.Dense(8, "relu", kernel_initializer=starts[0])
    second = keras.layers.Dense(5, kernel_initializer=starts[1])
    return keras.Sequential([keras.Input((6,)), first, second])


def kernels(model):
    return dict(zip(LAYERS, (np.array(layer.kernel) for layer in model.gated_layers), strict=True))


def masks_of(model):
    return dict(zip(LAYERS, gate_masks(model).values(), strict=True))


def moved(kernel, seed):
    """Trained weights: a function of the seed and of how many are open, closed ones 0."""
    is_open = kernel != 0
    return np.sin(1e3 * kernel + seed + int(is_open.sum())) * is_open


class Training:
    """Notes what it is given, and gives each open weight another value."""

    def __init__(self, fails_at=None):
        self.given, self.fails_at = [], fails_at

    def __call__(self, model, seed):
        if len(self.given) == self.fails_at:
            raise KeyboardInterrupt
        self.given.append((kernels(model), masks_of(model), seed))
        for layer in model.gated_layers:
            kernel = np.array(layer.kernel)
            layer.kernel.assign(moved(kernel, seed))
        return {"size": sum(np.abs(kernel).sum() for kernel in kernels(model).values())}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    training, folder = Training(), tmp_path_factory.mktemp("tickets")
    table = tickets.find(make, training, folder, n_rounds=2, seeds=(0, 5), rate=0.2)
    kinds = [(row.seed, row["round"], row.kind) for _, row in table.iterrows()]
    return table, dict(zip(kinds, training.given, strict=True)), folder


CONTROLS = ("reinitialized", "shuffled", "random", "one_shot")


def test_every_seed_has_a_ticket_of_each_round_and_all_controls(found):
    table, given, _ = found
    per_seed = [(0, "ticket")] + [(k, kind) for k in (1, 2) for kind in ("ticket", *CONTROLS)]
    assert list(given) == [(seed, *rest) for seed in (0, 5) for rest in per_seed]
    assert list(table) == ["seed", "round", "kind", "density", "size"]


def test_density_falls_by_the_rate_and_by_half_of_it_in_the_last_layer(found):
    table, given, _ = found
    for (_, k, kind), (_, masks, _) in given.items():
        counts = [round(48 * 0.8**k), round(40 * 0.9**k)]
        if kind != "random":
            assert [mask.sum() for mask in masks.values()] == counts
        assert sum(mask.sum() for mask in masks.values()) == sum(counts)
    rows = table[table["round"] == 2]
    np.testing.assert_allclose(rows.density, (round(48 * 0.64) + round(40 * 0.81)) / 88)


def test_a_ticket_keeps_the_largest_trained_weights_and_goes_back_to_the_start(found):
    _, given, _ = found
    for seed in (0, 5):
        start, masks, _ = given[seed, 0, "ticket"]
        assert all(mask.all() for mask in masks.values())
        for k in (1, 2):
            weights, now, used = given[seed, k, "ticket"]
            assert used == seed
            for name, mask in now.items():
                np.testing.assert_array_equal(weights[name], start[name] * mask)
                before = masks[name]
                sizes = np.abs(moved(start[name] * before, seed))
                assert not (mask & ~before).any()
                assert sizes[mask].min() > sizes[before & ~mask].max()
            masks = now


def test_controls_are_what_they_are_called(found):
    _, given, _ = found
    for seed, k in ((seed, k) for seed in (0, 5) for k in (1, 2)):
        start, _, _ = given[seed, 0, "ticket"]
        _, ticket, _ = given[seed, k, "ticket"]
        weights, masks, used = given[seed, k, "reinitialized"]
        assert used == seed
        for name, mask in masks.items():
            np.testing.assert_array_equal(mask, ticket[name])
            assert (np.abs(weights[name] - start[name]) > 1e-6)[mask].all()
        for kind in ("shuffled", "random", "one_shot"):
            weights, masks, _ = given[seed, k, kind]
            for name, mask in masks.items():
                np.testing.assert_array_equal(weights[name], start[name] * mask)
        for name, mask in given[seed, k, "one_shot"][1].items():
            sizes = np.abs(moved(start[name], seed))
            assert sizes[mask].min() > sizes[~mask].max()
    shuffles = [given[s, k, "shuffled"][1]["first"] for s in (0, 5) for k in (1, 2)]
    assert len({mask.tobytes() for mask in shuffles}) == 4
    assert tickets.jaccard(shuffles[1], given[0, 2, "ticket"][1]["first"]) < 0.8
    layers = [given[s, 2, "random"][1]["first"].sum() for s in (0, 5)]
    assert set(layers) != {round(48 * 0.8**2)}


def test_what_is_on_disk_is_the_ticket(found):
    _, given, folder = found
    path = folder / "seed_5" / "round_02" / "ticket"
    with np.load(path / "masks.npz", allow_pickle=False) as file:
        assert list(file) == ["layer_0", "layer_1"]
        for mask, same in zip(given[5, 2, "ticket"][1].values(), file.values(), strict=True):
            np.testing.assert_array_equal(same, mask)
    assert json.loads((path / "result.json").read_text())["round"] == 2


@pytest.mark.parametrize("n_done", [0, 1, 6])
def test_goes_on_where_it_was_killed_and_ends_as_if_it_had_not_been(found, tmp_path, n_done):
    table, given, _ = found
    arguments = {"n_rounds": 2, "seeds": (0,)}
    with pytest.raises(KeyboardInterrupt):
        tickets.find(make, Training(fails_at=n_done), tmp_path, **arguments)
    rest = Training()
    again = tickets.find(make, rest, tmp_path, **arguments)
    assert len(rest.given) == 11 - n_done
    wanted = table[table.seed == 0].reset_index(drop=True)
    assert again.equals(wanted)
    unbroken = list(given.values())[n_done:11]
    for (weights, masks, _), (same, mask, _) in zip(rest.given, unbroken, strict=True):
        for name in LAYERS:
            np.testing.assert_array_equal(weights[name], same[name])
            np.testing.assert_array_equal(masks[name], mask[name])


def test_more_rounds_and_seeds_go_on_too(tmp_path):
    tickets.find(make, Training(), tmp_path, n_rounds=1)
    training = Training()
    table = tickets.find(make, training, tmp_path, n_rounds=2, seeds=(0, 1), control_rounds=())
    assert len(training.given) == 1 + 3
    assert len(table) == 6


def test_early_rewinding_goes_back_to_where_the_dense_model_was(tmp_path):
    def early(model, seed):
        for layer in model.gated_layers:
            layer.kernel.assign(np.array(layer.kernel) + 1.0 + seed)

    training = Training()
    tickets.find(make, training, tmp_path, n_rounds=1, seeds=(2,), early=early)
    initial = dict(zip(LAYERS, (np.array(layer.kernel) for layer in make(2).layers), strict=True))
    for weights, masks, _ in (training.given[0], training.given[1]):
        for name, mask in masks.items():
            np.testing.assert_allclose(weights[name], (initial[name] + 3.0) * mask, rtol=1e-6)
    reinitialized = training.given[2][0]["first"]
    assert np.abs(reinitialized[reinitialized != 0] - 3).max() < 1  # it had its first steps too


def test_real_training_and_a_ticket_that_loads(tmp_path):
    x = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")

    def train(model, seed):
        keras.utils.set_random_seed(seed)
        model.compile("adam", loss="mse")
        return {"loss": model.fit(x, x[:, :5], epochs=2, verbose=0).history["loss"][-1]}

    table = tickets.find(make, train, tmp_path, 2, granularity="links", control_rounds=())
    assert table.loss.between(0, 10).all()
    inputs = keras.Input((6,))
    layers = [
        GatedDense(*a, gate=gates.Pruned(), name=n)
        for n, a in (("first", (8, "relu")), ("second", (5,)))
    ]
    again = SparseModel(inputs, layers[1](layers[0](inputs)))
    again.load_weights(tmp_path / "seed_0" / "round_02" / "ticket" / "model.weights.h5")
    for name, mask in gate_masks(again).items():
        np.testing.assert_array_equal(np.array(again.get_layer(name).kernel) != 0, mask)
        assert 0 < mask.mean() < 0.9


def test_misuse_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="`rate` must be"):
        tickets.find(make, Training(), tmp_path, 1, rate=1.0)
    with pytest.raises(ValueError, match="`n_rounds` must be"):
        tickets.find(make, Training(), tmp_path, 0)
    with pytest.raises(ValueError, match="`granularity` must be"):
        tickets.find(make, Training(), tmp_path, 1, granularity="weight")
    for wrong in (0.5, {}, {"density": 1.0}):
        with pytest.raises(TypeError, match="`train` must return a dict of numbers"):
            tickets.find(make, lambda model, seed, wrong=wrong: wrong, tmp_path, 1)
    with pytest.raises(ValueError, match="hold a search with the same settings"):
        tickets.find(make, Training(), tmp_path, 1, rate=0.3)
