"""The page of a run: what is on it, and what it says of damaged and partial folders."""

import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from page_contents import data_of, text_of

from sparsevae import records
from sparsevae.metrics.registry import SCORES
from sparsevae.report import write_report
from sparsevae.report.control_phases import control_phases
from sparsevae.report.run_folder import read_run
from sparsevae.report.score_questions import question, score_rows
from sparsevae.report.summary_cards import summary_cards
from sparsevae.report.twins import dense_twin

HOSTILE = "<script>alert(1)<!--</script>\u2028"


def test_the_page_has_what_matters_and_fetches_nothing(page, trained):
    content, record = page.read_text(encoding="utf-8"), records.read_record(trained)
    assert len(content) < 10e6
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", content)
    assert "default-src 'none'" in content and "What is missing here" not in content
    text = text_of(page)
    assert f"{record['elbo']:.2f}".replace("-", "\N{MINUS SIGN}") in text
    for words in ("mig", "Wiring", "decoder_deconv_6", "runs in this page", "tensorflow"):
        assert words in text, words
    assert record["settings"]["n_steps"] == 12 and "complete, 12 steps" in text


def test_data_of_the_page_is_of_the_model(page):
    explorer, wiring = data_of(page, "explorer"), data_of(page, "wiring")
    assert sorted(one["latent"] for one in explorer["latents"]) == [0, 1, 2, 3]
    kl = [one["kl"] for one in explorer["latents"]]
    assert kl == sorted(kl, reverse=True)
    assert explorer["program"]["image_shape"] == [16, 16, 1] == explorer["image_shape"]
    sizes = {layer["layer"]: layer["n"] for layer in wiring["layers"]}
    assert sizes["encoder_conv_1"] == 32 and sizes["decoder_dense_1"] == 256
    for latent in wiring["latents"]:
        counts = zip(latent["reached"], latent["channels"], wiring["layers"], strict=True)
        assert all(len(shown) <= n <= layer["n"] for n, shown, layer in counts)
    masks = {mask["layer"]: mask for mask in data_of(page, "masks")}
    assert masks["decoder_dense_1"]["inputs"] == 4


def test_the_page_is_made_without_a_record(run_folder, tmp_path):
    """As while a run goes on: the newest checkpoint is the model."""
    for name in ("record.json", "model.keras"):
        (run_folder / name).unlink()
    shutil.rmtree(run_folder / "pictures")
    page = write_report(run_folder, tmp_path / "page.html")
    text = text_of(page)
    assert "the checkpoint of step 12" in text and "not complete, step 12 of 12" in text
    assert "record.json is not there" in text
    assert data_of(page, "explorer")["program"]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_history(folder):
    history = pd.read_csv(folder / "history.csv")
    history.loc[0, "elbo"] = np.nan
    history["elbo"] = history["elbo"].astype(object)
    history.loc[1, "elbo"] = "inf"
    history.to_csv(folder / "history.csv", index=False)


def set_in_record(name, value):
    def spoil(folder):
        record = records.read_json(folder / "record.json")
        (folder / "record.json").write_text(json.dumps({**record, name: value}))

    return spoil


def append(text):
    def spoil(folder):
        with open(folder / "history.csv", "a") as file:
            file.write(text)

    return spoil


HUGE = 10**400
DAMAGE = {
    "record too deep": (
        lambda f: (f / "record.json").write_text("[" * 100_000),
        "record.json could not be read",
    ),
    "a number too large": (
        set_in_record("elbo", HUGE),
        "left out, for: elbo",
    ),
    "NaN in a record": (set_in_record("kl", math.nan), "left out, for: kl"),
    "a text for a score": (set_in_record("scores", {"mig": "x"}), "left out, for: scores/mig"),
    "a list for a density": (set_in_record("densities", {"a": [1]}), "left out, for: densities/a"),
    "a last row cut off": (append("16,-3"), "cut off in its last row"),
    "a text for a KL": (
        lambda f: pd.read_csv(f / "history.csv").assign(kl="x").to_csv(f / "history.csv"),
        "values that are no finite numbers: kl",
    ),
    "a history of no rows": (
        lambda f: pd.read_csv(f / "history.csv").head(0).to_csv(f / "history.csv"),
        "history.csv has no rows",
    ),
    "a picture without its end": (lambda f: cut(f / "pictures/traversals.png"), "not a whole PNG"),
    "a control of a list": (
        lambda f: set_in_record("settings", {"control": [1], "gate": [2], "n_steps": HUGE})(f),
        "The model cannot be shown",
    ),
    "record cut off": (lambda f: cut(f / "record.json"), "record.json could not be read"),
    "record of a list": (lambda f: (f / "record.json").write_text("[]"), "must hold a dict"),
    "scores of a list": (
        lambda f: records.write_json(f / "record.json", {"step": 3, "scores": [1], "elbo": "x"}),
        "no dict under 'scores'",
    ),
    "settings cut off": (lambda f: cut(f / "settings.json"), "settings.json could not be read"),
    "NaN in the history": (spoil_history, "2 of 3 rows without a finite ELBO"),
    "a history of one step": (
        lambda f: pd.read_csv(f / "history.csv").head(1).to_csv(f / "history.csv"),
        "history.csv has one step",
    ),
    "an empty history": (lambda f: (f / "history.csv").write_text(""), "history.csv could not"),
    "no history": (lambda f: (f / "history.csv").unlink(), "history.csv is not there"),
    "no step": (lambda f: (f / "history.csv").write_text("a\n1\n"), "no column `step`"),
    "a missing picture": (
        lambda f: (f / "pictures/traversals.png").unlink(),
        "pictures/traversals.png is not there",
    ),
    "a picture cut off": (
        lambda f: (f / "pictures/masks.png").write_text("x"),
        "not a whole PNG",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_on_the_page(run_folder, damage):
    spoil, said = DAMAGE[damage]
    (run_folder / "model.keras").unlink()
    shutil.rmtree(run_folder / "checkpoints")  # so that no model is loaded
    spoil(run_folder)
    text = text_of(write_report(run_folder))
    assert said in " ".join(text.split())
    assert "The model cannot be shown: model.keras is not there" in text


def test_a_damaged_model_is_named_and_a_checkpoint_shown(run_folder):
    (run_folder / "model.keras").write_bytes(b"PK damaged")
    newest = run_folder / "checkpoints" / "step_000000012.npz"
    shutil.copy(newest, newest.with_name("step_000000008.npz"))
    for name, shown in (("model.keras", 12), ("step_000000012.npz", 8)):
        text = text_of(write_report(run_folder))
        assert f"{name} is damaged" in text and f"checkpoint of step {shown}" in text
        cut(newest)
    cut(newest.with_name("step_000000008.npz"))
    text = text_of(write_report(run_folder))
    assert "The model cannot be shown: model.keras is damaged" in text and "mig" in text


def test_a_neighbor_with_a_number_too_large_is_no_twin(run_folder):
    twin = run_folder.with_name("twin")
    twin.mkdir()
    for damage in ("[" * 100_000, json.dumps({"elbo": HUGE, "settings": {"gate": "none"}})):
        (twin / "record.json").write_text(damage)
        assert "mig" in text_of(write_report(run_folder))
        assert "twin" in text_of(write_report(run_folder.parent, run_folder / "study.html"))


def test_an_absent_data_set_leaves_draws_of_the_prior(run_folder):
    record = records.read_record(run_folder)
    record["settings"]["data"] = "/nowhere/images"
    records.write_record(run_folder, record)
    page = write_report(run_folder)
    assert "Images of the data set are not there" in text_of(page)
    starts = data_of(page, "explorer")["starts"]
    assert [one["picture"] for one in starts] == [None] * len(starts)


def test_names_with_html_in_them_are_text(trained, tmp_path):
    folder = tmp_path / "<script>alert(1)<!--"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("*.keras", "checkpoints"))
    record = records.read_record(folder)
    record["settings"]["data"] = HOSTILE
    record["scores"] |= {HOSTILE: 0.5, f"{HOSTILE}_ceiling": 1.0}
    record["findings"] = [{"name": HOSTILE, "layer": HOSTILE, "remedy": HOSTILE, "evidence": {}}]
    records.write_record(folder, record)
    rows = [{"latent": 0, HOSTILE: 1.0}]  # a factor
    content = {"analyses": {"factor_jacobian": {"tables": {"matrix": rows}, "numbers": {}}}}
    records.write_json(folder / "analysis.json", content)
    history = pd.read_csv(folder / "history.csv")
    history[f"density/{HOSTILE}"] = 0.5
    history.to_csv(folder / "history.csv", index=False)
    page = write_report(folder, tmp_path / "page.html")
    content = page.read_text(encoding="utf-8")
    assert "<script>alert" not in content and "alert(1)<!--" not in content
    assert content.count("</script>") == len(re.findall(r"<script[ >]", content))
    assert HOSTILE in text_of(page)
    lines = {row["line"] for spec in data_of(page, "charts") for row in _rows(spec)}
    assert HOSTILE in lines


def _rows(spec):
    return spec["datasets"]["curves"]


def test_a_folder_of_nothing_is_refused_in_a_line(tmp_path):
    for folder, said in ((tmp_path, "with none"), (tmp_path / "absent", "no such folder")):
        with pytest.raises(FileNotFoundError, match=said):
            write_report(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_leaves_the_old_one(run_folder, tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text("old")
    monkeypatch.setattr("sparsevae.report.writing.run_page", lambda folder: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        write_report(run_folder, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "page.html"]


def test_cards_stand_beside_the_dense_twin(run_folder):
    run = read_run(run_folder, pictures=False)
    assert dense_twin(run_folder, run.settings) is None
    twin = {**run.record, "elbo": -1.25, "scores": {"mig": 0.25}}
    twin["settings"] = {**run.settings, "gate": "none", "strength": 100.0, "name": "dense"}
    for seed in (1, 0):  # of another seed: not the twin
        twin["settings"]["seed"] = seed
        records.write_record(run_folder.parent / f"dense_{seed}", twin)
    name, record = dense_twin(run_folder, run.settings)
    assert name == "dense_0"
    cards = {card.label: card for card in summary_cards(run, record)}
    assert cards["ELBO"].twin == "\N{MINUS SIGN}1.25" and cards["mig"].mark == 0.25
    assert cards["mig"].ceiling == run.record["scores"]["mig_ceiling"]
    assert {"Active latents", "Density", "Effective density"} <= cards.keys()


def test_each_score_says_what_it_asks():
    values = [f"{name}{suffix}" for name, score in SCORES.items() for suffix in score.values]
    assert [name for name in values if not question(name)] == []
    rows = score_rows({"mig": 0.2, "mig_active": None, "mig_ceiling": 0.8, "other": "x"})
    assert [row["name"] for row in rows] == ["mig", "other"]
    assert rows[0]["share"] == pytest.approx(0.25) and rows[1]["value"] is None


def test_phases_are_those_of_the_control():
    settings = {"gate": "binary", "control": "strength", "full_at": 0.5}
    phases = control_phases(settings, 1000)
    assert phases["links close"] == (100, 500) and phases["gates fixed"] == (850, 1000)
    settings = {"gate": "pruned", "control": "rigl"}
    assert control_phases(settings, 100) == {"links close": (0, 75), "masks fixed": (75, 100)}
    for none in ({}, {"gate": "none", "control": "strength"}, {**settings, "full_at": "x"}):
        assert control_phases(none, 100) == {}


def test_json_in_a_script_is_read_back():
    from sparsevae.report.embedding import script_json

    value = {HOSTILE: [float("nan"), np.float32(0.5), {"a": np.arange(2)}, float("-inf")]}
    text = script_json(value)
    assert json.loads(text) == {HOSTILE: [None, 0.5, {"a": [0, 1]}, None]}
    assert not set("<>&\u2028") & set(text)
