"""Analyses of runs: in the record, in tables, and of runs that are there."""

import json
import shutil

import numpy as np
import pytest

from sparsevae import data, models, records, study
from sparsevae.commands import analyze as command
from sparsevae.study import RunSettings
from sparsevae.study.one import analyses
from sparsevae.study.one.analysis_text import analysis_text
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.scoring import settings_of
from sparsevae.study.settings import ANALYSES

SMALL = {
    "data": "toy",
    "model": "mlp",
    "hidden": 8,
    "latent_dim": 3,
    "n_steps": 4,
    "metrics": ["mig"],
}


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    """A run that has ended without analyses."""
    parent = tmp_path_factory.mktemp("runs")
    study.run(RunSettings("one", **SMALL, gate="binary"), parent)
    return parent


def test_a_finished_run_is_analyzed(parent, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["analyze", str(parent / "one")])
    command.analyze()
    text = capsys.readouterr().out
    content = json.loads((parent / "one" / analyses.FILE_NAME).read_text())
    assert content["run"] == "one" and content["step"] == 4
    assert tuple(content["analyses"]) == ANALYSES
    for name in ("factor_jacobian", "layer_profile", "wiring"):
        assert (parent / "one" / "pictures" / f"{name}.png").exists()
    matrix = content["analyses"]["factor_jacobian"]["tables"]["matrix"]
    assert [row["latent"] for row in matrix] == [0, 1, 2]
    assert {"width", "height", "background", "posX", "posY", "active"} < matrix[0].keys()
    layers = [row["layer"] for row in content["analyses"]["layer_profile"]["tables"]["layers"]]
    assert "encoder_z_mean" in layers and all(layer in text for layer in layers)
    for words in ("Factor Jacobian", "rotation", "Wiring", "Decoder", "gain of active latents"):
        assert words in text


def test_analyses_of_a_run_are_in_its_record_and_in_tables(parent):
    record = records.read_record(parent / "one")
    assert "analyses" not in record
    # the same run again: it is not trained, but analyzed
    record = study.run(RunSettings("one", **SMALL, gate="binary", analyses=["all"]), parent)
    assert record["step"] == 4 and tuple(record["analyses"]) == ANALYSES
    vae, _ = analyses.load_run(parent / "one")
    found = analyses.analyzed(vae, data.load("toy"), ["factor_jacobian"])
    assert record["analyses"]["factor_jacobian"] == found["factor_jacobian"].numbers
    table = records.read_records(parent)
    assert table.loc["one", "analysis_factor_jacobian_gain_active"] == pytest.approx(
        found["factor_jacobian"].numbers["gain_active"]
    )
    assert "analysis_layer_profile_rotation_decoder_dense_1" in table
    assert 0 <= table.loc["one", "analysis_wiring_functional_reach"] <= 1


def test_only_what_is_asked_for_is_made_and_the_rest_is_kept(parent):
    path = parent / "one" / analyses.FILE_NAME
    path.write_text('{"run": "one", ')  # cut off
    assert list(analyses.analyze(parent / "one", ["wiring"])) == ["wiring"]
    wiring = json.loads(path.read_text())["analyses"]
    assert list(wiring) == ["wiring"]
    analyses.analyze(parent / "one", ["decoder_view"])
    both = json.loads(path.read_text())["analyses"]
    assert list(both) == ["wiring", "decoder_view"] and both["wiring"] == wiring["wiring"]
    analyses.analyze(parent / "one", ["decoder_view"], seed=1)
    assert list(json.loads(path.read_text())["analyses"]) == ["decoder_view"]


def test_seeds_repeat(parent):
    one, other, third = (
        analyses.analyze(parent / "one", ["layer_profile"], seed)["layer_profile"]
        for seed in (1, 1, 2)
    )
    assert one.tables["layers"].equals(other.tables["layers"])
    assert not one.tables["layers"].equals(third.tables["layers"])


def test_a_known_graph_is_compared_with_the_wiring():
    vae = models.mlp_vae((32, 32, 1), 6, hidden=8, gate="binary")
    found = analyses.analyzed(vae, data.load("mechanisms"), ["wiring"])
    assert {"recovered_f1", "recovered_shd"} < found["wiring"].numbers.keys()
    assert "known graph of the data: F1" in analysis_text(found)


def test_dense_models_have_a_functional_reach():
    vae = models.mlp_vae((16, 16, 1), 3, hidden=8)
    numbers = analyses.analyzed(vae, data.load("toy"), ["wiring"])["wiring"].numbers
    assert numbers["reach"] == 1 and 0 < numbers["functional_reach"] <= 1


PICTURES = np.zeros((60, 16, 16, 1), np.uint8)
REFUSED = {
    "no factors": (data.from_array(PICTURES), "layer_profile", "without factors of two values"),
    "no grid": (
        data.from_array(PICTURES, factors={"a": [0, 1, 2] * 20, "b": [0, 1] * 30}),
        "factor_jacobian", "one image for each combination",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_data_that_does_not_bear_an_analysis(kind):
    images, name, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message) as caught:
        analyses.checked_analyses([name], images)
    assert "\n" not in str(caught.value)
    chosen = analyses.checked_analyses(["all"], images)
    assert {"wiring", "decoder_view"} <= set(chosen) and name not in chosen


def test_a_run_refuses_before_it_trains(tmp_path):
    np.save(tmp_path / "mine.npy", PICTURES)
    settings = RunSettings(
        "mine", **{**SMALL, "data": str(tmp_path / "mine.npy")}, analyses=["factor_jacobian"]
    )
    with pytest.raises(ValueError, match="`analyses` must leave out factor_jacobian"):
        study.run(settings, tmp_path / "runs")
    assert not (tmp_path / "runs" / "mine").exists()


DAMAGES = {
    "no settings": (lambda r: {}, "must be that of a run. Received: one without name"),
    "no step": (lambda r: {k: v for k, v in r.items() if k != "step"}, "without step"),
    "settings": (
        lambda r: {**r, "settings": {**r["settings"], "colour": 1}},
        "must have settings of a run.*colour",
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_named(kind, parent, tmp_path):
    change, message = DAMAGES[kind]
    shutil.copytree(parent / "one", tmp_path / "one")
    record = records.read_record(tmp_path / "one")
    records.write_record(tmp_path / "one", change(record))
    with pytest.raises(ValueError, match=message) as caught:
        analyses.analyze(tmp_path / "one")
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_damaged_model_is_named(parent, tmp_path):
    shutil.copytree(parent / "one", tmp_path / "one")
    model = tmp_path / "one" / "model.keras"
    model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"model\.keras must be the model.*a damaged file"):
        analyses.analyze(tmp_path / "one")


def test_a_model_without_code_is_told_so(parent, tmp_path, recwarn):
    vae, record = analyses.load_run(parent / "one")
    for network in vae.networks:
        for weight in network.trainable_weights:
            weight.assign(0 * weight)
    found = analyses.analyzed(vae, load_data(settings_of(record, parent)), ["all"])
    text = analysis_text(found)
    assert "No latent is active" in text and "no pixel answers to a latent" in text
    assert "nan" not in text.lower().split() and "infinite" not in text
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_names_that_are_unknown(parent):
    with pytest.raises(ValueError, match="Did you mean 'wiring'"):
        RunSettings("one", analyses=["wirings"])
    with pytest.raises(ValueError, match="`analyses` must be one of"):
        analyses.analyze(parent / "one", ["mig"])
    with pytest.raises(FileNotFoundError):
        analyses.analyze(parent / "two")
