"""Overlap of masks: by hand, and against chance."""

import numpy as np
import pytest

from sparsevae.sparsity import tickets


def test_jaccard_by_hand():
    first, second = np.array([1, 1, 1, 0, 0]), np.array([0, 1, 1, 1, 0])
    assert tickets.jaccard(first, second) == 2 / 4
    assert tickets.jaccard(first, first) == 1
    assert tickets.jaccard([1, 0], [0, 1]) == 0


def test_masks_of_other_shapes_or_without_open_gates_are_refused():
    for first, second in (([1, 0], [1, 0, 0]), ([0, 0], [0, 0])):
        with pytest.raises(ValueError, match="`first` and `second` must be masks"):
            tickets.jaccard(first, second)


def test_overlap_of_two_models_layer_by_layer():
    first = {"a": np.array([[1, 1], [0, 0]], bool), "b": np.ones((4, 4), bool)}
    second = {"a": np.array([[1, 0], [1, 0]], bool), "b": np.ones((4, 4), bool)}
    table = tickets.mask_overlap(first, second).set_index("layer")
    assert table.jaccard.to_dict() == {"all": 17 / 19, "a": 1 / 3, "b": 1}
    assert table.chance["a"] == pytest.approx((2 * 2 / 4) / (2 + 2 - 1))
    assert table.chance["all"] == pytest.approx((1 + 16) / (4 + 32 - 17))
    with pytest.raises(ValueError, match="masks of the same layers"):
        tickets.mask_overlap(first, {"a": second["a"]})


@pytest.fixture
def folder(tmp_path):
    """Three seeds and two rounds of independent masks, the second within the first."""
    rng = np.random.default_rng(0)
    for seed in range(3):
        masks = {"a": rng.random((200, 100)) < 0.5, "b": rng.random((100, 50)) < 0.8}
        for n_round in (1, 2):
            path = tmp_path / f"seed_{seed}" / f"round_{n_round:02d}" / "ticket"
            path.mkdir(parents=True)
            np.savez(path / "masks.npz", **masks)
            masks = {name: mask & (rng.random(mask.shape) < 0.5) for name, mask in masks.items()}
    return tmp_path


def test_pairs_are_of_one_seed_or_of_one_round(folder):
    table = tickets.overlaps(folder)
    pairs = table[table.layer == "all"]
    assert len(pairs) == 3 + 2 * 3  # rounds of each seed; pairs of seeds at each round
    assert ((pairs.seed == pairs.other_seed) != (pairs["round"] == pairs.other_round)).all()
    assert list(table.layer.unique()) == ["all", "a", "b"]


def test_independent_masks_overlap_as_chance_and_nested_ones_by_their_densities(folder):
    table = tickets.overlaps(folder)
    seeds = table[table["round"] == table.other_round]
    np.testing.assert_allclose(seeds.jaccard, seeds.chance, atol=0.025)  # 4 standard errors
    a = seeds[(seeds.layer == "a") & (seeds["round"] == 1)]
    np.testing.assert_allclose(a.chance, 1 / 3, atol=0.01)
    rounds = table[(table.seed == table.other_seed) & (table.layer == "a")]
    np.testing.assert_allclose(rounds.jaccard, 0.5, atol=0.02)


def test_a_folder_without_tickets_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="`folder` must hold tickets"):
        tickets.overlaps(tmp_path)
