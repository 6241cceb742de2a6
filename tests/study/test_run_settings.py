import dataclasses
import json

import pytest

from sparsevae.study import RunSettings
from sparsevae.study.settings import NAMES


def test_defaults_are_valid_and_are_json():
    settings = RunSettings("first")
    assert RunSettings(**json.loads(json.dumps(dataclasses.asdict(settings)))) == settings


NEEDED = {
    "pruned": {"control": "magnitude"},
    "distortion": {"bound": 90.0},
    "mask": {"mask_from": "runs/a"},
    "spike_and_slab": {"model": "sparse_decoding"},
}


@pytest.mark.parametrize("field", NAMES)
def test_every_choice_is_taken_and_a_misspelt_one_named(field):
    for choice in NAMES[field]:
        settings = RunSettings("a", **{field: choice, **NEEDED.get(choice, {})})
        assert getattr(settings, field) == choice
    nearest = NAMES[field][-1]
    with pytest.raises(ValueError, match=rf"`{field}` must be one of .*Did you mean '{nearest}'"):
        RunSettings("a", **{field: nearest[:-1] + "_"})
    with pytest.raises(TypeError, match=f"`{field}` must be a string"):
        RunSettings("a", **{field: None})


def test_choices_are_those_of_the_rooms_below():
    from sparsevae import gates, objectives
    from sparsevae.layers.gated import GRANULARITIES
    from sparsevae.models.builders import PLACES
    from sparsevae.sparsity.links import WEIGHTINGS

    assert set(NAMES["granularity"]) == set(GRANULARITIES)
    assert set(NAMES["gate"]) == {"none", "l1_weights", *gates.NAMES}
    assert set(NAMES["where"]) == set(PLACES)
    assert set(NAMES["weighting"]) == set(WEIGHTINGS)
    for name in NAMES["likelihood"]:
        objectives.get_likelihood(name)


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "../a", "a/b", "/tmp/a", ".hidden", "-a", "a b", "a\n", "a\\b", "~", "ä"],
)
def test_names_that_are_not_one_folder_are_refused(name):
    with pytest.raises(ValueError, match="`name` must begin with a letter or digit"):
        RunSettings(name)


def test_data_sets_are_known_or_paths(tmp_path, monkeypatch):
    for name in ("toy", "noisy_dsprites", "./mine", "images.npy", "noisy_./mine", "tfds:mnist"):
        assert RunSettings("a", data=name).data == name
    for name in ("dsprite", "noisy_dsprite"):
        with pytest.raises(ValueError, match=r"`data` must be one of .*Did you mean 'dsprites'"):
            RunSettings("a", data=name)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"`data` 'mine' is not a known set.*'./mine'"):
        RunSettings("a", data="mine")


@pytest.mark.parametrize("name", ["a", "7", "run-1_b.v2"])
def test_plain_names_are_taken(name):
    assert RunSettings(name).name == name


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "strength": (-1, NAN, INFINITY),
        "beta": (-0.1, NAN, INFINITY),
        "learning_rate": (0, -1e-3, NAN, INFINITY),
        "variance": (0, -1, NAN, INFINITY),
        "cut_threshold": (-1e-3, NAN),
        "target_density": (0, -0.1, 1.1, NAN),
        "bound": (0, -1.0, NAN, INFINITY),
        "hidden": (0, -1),
        "decoder_hidden": (0, -1),
        "latent_dim": (0, -1, NAN),
        "n_steps": (0, -5, NAN),
        "batch_size": (0,),
        "checkpoint_every": (0,),
        "steps_per_execution": (0,),
        "n_threads": (-1,),
        "seed": (-1,),
    }.items(),
)
def test_numbers_out_of_range_are_refused(field, values):
    for value in values:
        with pytest.raises((ValueError, TypeError), match=f"`{field}` must be .*Received"):
            RunSettings("a", **{field: value})


@pytest.mark.parametrize(
    "field", ["latent_dim", "n_steps", "batch_size", "checkpoint_every", "n_threads", "seed"]
)
def test_counts_are_whole_numbers(field):
    with pytest.raises((TypeError, ValueError), match=f"`{field}`"):
        RunSettings("a", **{field: 2.5})


@pytest.mark.parametrize(
    "phases",
    [
        {"open_until": 0.5, "full_at": 0.4},
        {"full_at": 0.9, "freeze_at": 0.8},
        {"freeze_at": 1.5},
        {"open_until": -0.1},
        {"open_until": NAN},
    ],
    ids=str,
)
def test_phases_out_of_order_are_refused(phases):
    with pytest.raises(ValueError, match="open_until"):
        RunSettings("a", **phases)


def test_checkpoints_and_the_end_fall_on_ends_of_executions():
    RunSettings("a", n_steps=40, checkpoint_every=12, steps_per_execution=4)
    for field in ("n_steps", "checkpoint_every"):
        sizes = {"n_steps": 40, "checkpoint_every": 12, field: 10}
        message = rf"`{field}` must be a multiple of `steps_per_execution`.*10 and 4"
        with pytest.raises(ValueError, match=message):
            RunSettings("a", steps_per_execution=4, **sizes)
