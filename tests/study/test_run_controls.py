"""Which settings go with which control."""

import dataclasses
import inspect
import json

import pytest

from sparsevae.study import RunSettings, make_study
from sparsevae.study.controls import KINDS, LEARNING, PRUNING
from sparsevae.study.one import gating

NEEDED = {"distortion": {"bound": 90.0}, "mask": {"mask_from": "runs/a"}}
PHASES = ("open_until", "full_at", "freeze_at")


def settings(control, **others):
    return RunSettings("a", control=control, **{**NEEDED.get(control, {}), **others})


@pytest.mark.parametrize("control", KINDS)
def test_what_is_left_out_is_as_the_control_itself_has_it(control):
    """Phases and scope of `.over`, which settings cannot look up without loading TensorFlow."""
    over = inspect.signature(gating._MAKERS[control]).parameters
    made = settings(control)
    for name in (*PHASES, "scope"):
        assert getattr(made, name) == (over[name].default if name in over else None)


@pytest.mark.parametrize("control", [name for name in KINDS if KINDS[name].scopes])
def test_scopes_are_those_of_the_control(control):
    """Each that it has is taken, by the class too; others are refused with the nearest."""
    for scope in KINDS[control].scopes:
        made = settings(control, scope=scope)
        assert gating.make_control(made).scope == made.scope == scope
    with pytest.raises(ValueError, match=r"`scope` must be one of .*Did you mean 'layer'"):
        settings(control, scope="layers")
    for scope in {"model", "layer", "erk", "global"} - set(KINDS[control].scopes):
        with pytest.raises(ValueError, match="`scope`"):
            gating.make_control(settings(control)).from_config(
                {**gating.make_control(settings(control)).get_config(), "scope": scope}
            )


@pytest.mark.parametrize("control", KINDS)
def test_settings_as_read_back_are_the_same(control):
    made = settings(control)
    assert RunSettings(**json.loads(json.dumps(dataclasses.asdict(made)))) == made


@pytest.mark.parametrize("control", PRUNING)
def test_controls_that_prune_imply_their_gate(control):
    assert settings(control) == settings(control, gate="pruned")
    assert settings(control).gate == "pruned"
    with pytest.raises(ValueError, match=f"`gate` must be 'pruned'.*{control}.*'binary'"):
        settings(control, gate="binary")
    with pytest.raises(ValueError, match="`gate_options` must be empty"):
        settings(control, gate_options={"initial_density": 0.9})


@pytest.mark.parametrize("control", LEARNING)
def test_gates_that_learn_are_left_to_controls_that_let_them(control):
    assert settings(control, gate="binary").gate == "binary"
    with pytest.raises(ValueError, match=r"`control` must be one that sets masks .*magnitude, top"):
        settings(control, gate="pruned")


UNUSED = [
    ({"target_density": 0.2}, "strength"),
    ({"bound": 3.0}, "strength"),
    ({"scope": "layer"}, "strength"),
    ({"strength": 3.0}, "target_density"),
    ({"weighting": "flops"}, "target_density"),
    ({"target_density": 0.2}, "distortion"),
    ({"scope": "layer"}, "distortion"),
    ({"strength": 3.0}, "magnitude"),
    ({"freeze_at": 0.9}, "magnitude"),
    ({"bound": 3.0}, "top_k"),
    ({"freeze_at": 0.9}, "rigl"),
    ({"open_until": 0.2}, "random"),
    ({"full_at": 0.2}, "random"),
    ({"mask_from": "runs/a"}, "random"),
    ({"target_density": 0.2}, "mask"),
    ({"scope": "erk"}, "mask"),
]


@pytest.mark.parametrize(("other", "control"), UNUSED, ids=str)
def test_what_a_control_does_not_look_at_is_refused(other, control):
    (name,) = other
    with pytest.raises(ValueError, match=f"`{name}` must be left at .*control='{control}'"):
        settings(control, **other)


@pytest.mark.parametrize("gate", ["none", "l1_weights"])
@pytest.mark.parametrize(
    "other",
    [
        {"control": "magnitude"},
        {"target_density": 0.2},
        {"bound": 3.0},
        {"scope": "layer"},
        {"granularity": "channels"},
    ],
    ids=str,
)
def test_without_gates_there_is_nothing_to_control(gate, other):
    (name,) = other
    with pytest.raises(ValueError, match=f"`{name}` must be left at .*gate='{gate}'"):
        RunSettings("a", gate=gate, **other)


def test_a_bound_and_a_width_are_asked_for_where_they_are_needed():
    with pytest.raises(ValueError, match="`bound` must be given with control='distortion'"):
        RunSettings("a", control="distortion")
    with pytest.raises(ValueError, match="`mask_from` must be given with control='mask'"):
        RunSettings("a", control="mask")
    with pytest.raises(ValueError, match="`hidden` must be left at 1200 with model='conv'"):
        RunSettings("a", hidden=64)
    with pytest.raises(ValueError, match="`decoder_hidden` must be left at 50 with model='mlp'"):
        RunSettings("a", model="mlp", decoder_hidden=64)


BEFORE = {  # digests that an earlier version gave
    "b1dc92e7af": {
        **{"data": "toy", "n_steps": 1_000, "metrics": ["mig"], "n_threads": 1},
        **{"seed": 0, "strength": 30.0, "gate": "binary"},
    },
    "b0d48c3e5e": {"gate": "none", "strength": 3.0, "full_at": 0.5, "n_threads": 0},
}


@pytest.mark.parametrize("digest", BEFORE)
def test_cells_of_earlier_versions_keep_their_folders(digest, tmp_path):
    (cell,) = make_study(tmp_path, BEFORE[digest], [{"where": ["both"]}]).cells
    assert cell.name.endswith(f"_{digest}")


def test_settings_of_earlier_versions_are_read():
    """They held the phases of the price as numbers, and a dense run's too."""
    phases = {"open_until": 0.1, "full_at": 0.4, "freeze_at": 0.85}
    for gate in ("none", "l1_weights", "hard_concrete"):
        assert RunSettings("a", gate=gate, strength=3.0, **phases) == RunSettings(
            "a", gate=gate, strength=3.0
        )


@pytest.mark.parametrize("model", ["conv", "mlp"])
def test_the_prior_of_a_mask_needs_the_model_that_has_one(model):
    with pytest.raises(ValueError, match=f"`model` must be 'sparse_decoding' .*model='{model}'"):
        RunSettings("a", model=model, objective="spike_and_slab")
