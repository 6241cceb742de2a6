"""The study's page: from the table that is checked in, and with every part on a table made here."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sparsevae import records
from sparsevae.study.sweeps.study_file import read_study

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "studies" / "density.parquet"
GAIN = "analysis_factor_jacobian_gain_active"
PLANTED = 0.2


def page(table, images):
    from docs.study_page.page import text

    return text(table, images)


@pytest.mark.skipif(not TABLE.exists(), reason="no run of the study is complete yet")
def test_the_page_is_what_the_checked_in_table_gives(tmp_path):
    text = (ROOT / "docs" / "study.md").read_text("utf-8")
    assert page(TABLE, tmp_path) == text
    figures = {path.name for path in tmp_path.iterdir()}
    assert figures == {path.name for path in (ROOT / "docs" / "images").glob("study_*.png")}
    assert all(f"images/{name}" in text for name in figures)


def made(cell, rng, levels):
    """Flat row of a run: scores differ between seeds; MIG of binary gates by what is planted."""
    settings = dataclasses.asdict(cell)
    record = {"settings": settings, "active_latents": 4.0, "data_source": "render"}
    if cell.mask_from:
        record["mask_from"] = {"name": Path(cell.mask_from).name, "step": 20_000, "elbo": -33.0}
    row = {"run": cell.name, **records.flat_record(record, cell.name)}
    scores = ["mig", "dci_fast_disentanglement", "factor_vae", "infomec_m", "mig_sup", "modularity"]
    level = levels[cell.seed]
    row |= {f"score_{name}_active": level + rng.normal(0, 0.01) for name in scores}
    row |= {GAIN: level + rng.normal(0, 0.01)}
    if cell.gate == "binary":
        row["score_mig_active"] += PLANTED
    for name in ("encoder_conv_1", "encoder_z_mean", "encoder_z_log_var", "decoder_dense_1"):
        columns = ("probe", "best", "rotation", "rotation_null")
        row |= {f"analysis_layer_profile_{c}_{name}": 0.5 + rng.normal(0, 0.01) for c in columns}
    dense = cell.gate in ("none", "l1_weights")
    gained = 0.0 if dense else 0.1 * np.log10(cell.target_density / 0.05)  # about the twin's ELBO
    lost = 0.04 / cell.target_density if cell.control == "random" else 0.0
    row["elbo"] = -32 + level + gained - lost + rng.normal(0, 0.01)
    row["density"] = None if dense else cell.target_density
    row["masks"] = None if dense or cell.target_density != 0.1 else packed(cell.seed)
    return row


def packed(seed):
    """Masks that are the same for all methods of a seed, and others for other seeds."""
    from studies.pack import packed_masks

    return packed_masks({"layer": np.random.default_rng(seed).random((40, 50)) < 0.1})


@pytest.fixture(scope="module", autouse=True)
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Table of all runs of the study, with made-up numbers."""
    rng = np.random.default_rng(0)
    levels = rng.uniform(0.2, 0.4, 5)
    cells = read_study(ROOT / "studies" / "density.toml").cells
    path = tmp_path_factory.mktemp("study") / "density.parquet"
    table = pd.DataFrame([made(cell, rng, levels) for cell in cells])
    table.convert_dtypes().to_parquet(path, index=False)
    return path


def test_every_part_has_its_rows_and_what_was_planted_is_found(whole, tmp_path):
    text = page(whole, tmp_path)
    assert "311 of 311 runs" in text and "(260 of the main grid, 51 of the slices" in text
    assert "yet" not in text.replace("not yet", "")
    sections = dict(section.split("\n", 1) for section in text.split("\n## "))
    steps = sections["At equal steps, over density"]
    assert steps.count("\n|") == 2 + 7 * 5
    binary = [line for line in steps.splitlines() if line.startswith("| binary | 0.1 |")]
    assert "| **+" in binary[0] and binary[0].count("**") == 2
    for level in (0.3, 0.1, 0.05, 0.02, 0.01):
        assert f"MIG of binary at {level} (+" in steps
    random = [line for line in steps.splitlines() if line.startswith("| random mask | 0.02 |")]
    assert random[0].count("–") == 8  # it loses 2 nats
    assert "of random mask at 0.02" not in steps
    assert "MIG of binary (+" in sections["At equal ELBO"]
    small = sections["Is it only small weights?"]
    assert small.count("| L1 on weights |") == 3 and small.count("| small kernels (L2) |") == 3
    begins = sections["When sparsity begins"]
    for row in ("| binary | 0.3 | 5", "| RigL | 0.1 | 5", "| ticket | – | 5", "| SET |"):
        assert row in begins
    assert "| ticket of another seed | – | 5 |" in begins
    slices = sections["Slices"]
    for row in ("| encoder, 0.1 | 3", "| β = 4, 0.02 | 3", "| binary | 0.02 | 3 |"):
        assert row in slices
    overlap = sections["Do methods, and seeds, choose the same links?"]
    assert "| binary | 1.000 (" in overlap  # beside TopK of the same seed
    diagonal = [line.split(" | ") for line in overlap.splitlines() if line.startswith("| TopK")]
    jaccard, chance = (float(x.strip("()|")) for x in diagonal[0][1].split(" ")[:2])
    assert abs(jaccard - chance) < 0.02
    assert {path.name for path in tmp_path.iterdir()} == {
        f"study_{name}.png" for name in ("mig", "gain", "matched", "depth")
    }


def test_a_table_of_two_dense_runs_says_what_is_missing(whole, tmp_path):
    few = pd.read_parquet(whole)
    few = few[(few.gate == "none") & (few.beta == 1) & (few.objective == "beta_vae")][:2]
    few.to_parquet(tmp_path / "few.parquet", index=False)
    text = page(tmp_path / "few.parquet", tmp_path / "images")
    assert "2 of 311 runs" in text and "Nothing could be compared yet." in text


def test_runs_are_packed_and_unpacked_whole(tmp_path):
    from studies.pack import pack, unpack

    source, file = tmp_path / "runs", tmp_path / "runs.parquet"
    record = {"settings": {"seed": 1, "gate": "none"}, "elbo": -30.5, "scores": {"mig": None}}
    for name in ("one", "two"):
        records.write_json(source / name / "settings.json", {"settings": {"seed": 1}})
        records.write_record(source / name, record)
    assert pack(source, file) == 2 and pack(source, file) == 0
    assert pd.read_parquet(file)["elbo"].tolist() == [-30.5, -30.5]
    assert unpack(file, tmp_path / "again") == 2 and unpack(file, tmp_path / "again") == 0
    for path in source.rglob("*.json"):
        again = tmp_path / "again" / path.relative_to(source)
        assert json.loads(again.read_text()) == json.loads(path.read_text())
