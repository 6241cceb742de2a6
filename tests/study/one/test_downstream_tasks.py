"""Downstream tasks of an encoder on the tiny data set."""

import json

import numpy as np
import pandas as pd
import pytest

from sparsevae import data as data_sets
from sparsevae.study.one import downstream
from sparsevae.study.one.samples import Samples


@pytest.fixture
def perfect(monkeypatch):
    """An encoder that reads the factors of the tiny data set off the image."""

    def encode(images):
        white = images[..., 0] > 0
        rows, columns = white.any(axis=2), white.any(axis=1)
        size = (rows.sum(axis=1) - 4) // 2
        return np.stack([rows.argmax(axis=1), columns.argmax(axis=1), size], axis=1).astype(float)

    data = data_sets.load("tiny")
    monkeypatch.setattr(downstream, "encoder_and_data", lambda folder: (encode, data))


FEW = {"predictors": ["gbt_fast"], "sizes": [10, 200], "n_test": 100, "n_shifts": 2}


def test_a_perfect_code(perfect):
    table = downstream.downstream_tasks("x", n_per_value=10, **FEW)
    assert tuple(table.columns) == downstream.COLUMNS
    assert table["task"].value_counts().to_dict() == {
        "labels": 6,
        "reduced": 9,
        "strong": 6,
        "fairness": 6,
    }
    labels = table[table["task"] == "labels"].set_index(["n_labels", "factor"])["test_accuracy"]
    assert (labels[200] > 0.95).all() and (labels[10] <= labels[200]).all()
    reduced = table[table["task"] == "reduced"]
    same = reduced["factor"] == reduced["other"]
    assert (reduced[same]["test_accuracy"] < 0.7).all()  # its only latent is gone
    assert (reduced[~same]["test_accuracy"] > 0.95).all()
    strong = table[table["task"] == "strong"]
    assert (strong["factor"] != strong["other"]).all() and (strong["test_accuracy"] > 0.95).all()
    assert (table[table["task"] == "fairness"]["unfairness"] < 0.05).all()
    assert (table[table["task"] != "labels"]["n_labels"] == 200).all()
    assert (table[table["task"] != "fairness"]["n_test"] == 100).all()
    assert table.attrs["left_out"] == []


def test_a_code_of_another_factor_is_unfair(monkeypatch):
    """All that is known of the row is the column: predictions follow what they must not."""
    data = data_sets.load("tiny")

    def encode(images):
        return (images[..., 0] > 0).any(axis=1).argmax(axis=1, keepdims=True).astype(float)

    monkeypatch.setattr(downstream, "encoder_and_data", lambda folder: (encode, data))
    table = downstream.downstream_tasks("x", ["fairness"], n_per_value=10, **FEW)
    values = table.set_index(["factor", "other"])["unfairness"]
    assert values["row", "column"] > 0.2 and values["row", "size"] < 0.05


def test_shifts_are_real(perfect, monkeypatch):
    """In training the other factor has one value, and in testing never that one."""
    seen, shifted = [], Samples.shifted

    def spy(self, *arguments):
        seen.append(shifted(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(Samples, "shifted", spy)
    table = downstream.downstream_tasks("x", ["strong"], **FEW)
    names = data_sets.load("tiny").factor_names
    assert len(seen) == len(table) == 6
    for (train, test), other in zip(seen, table["other"], strict=True):
        values = set(train.factors[:, names.index(other)])
        assert len(values) == 1 and not values & set(test.factors[:, names.index(other)])


def test_same_seed_same_table(perfect):
    tables = [downstream.downstream_tasks("x", ["labels", "strong"], **FEW) for _ in range(2)]
    pd.testing.assert_frame_equal(*tables)


def test_summary_and_files(tmp_path):
    accuracy = {100: [0.2, 0.4], 10_000: [0.6, 1.0]}
    rows = [
        {"task": "labels", "predictor": "gbt", "n_labels": n, "n_test": 40, "factor": f"f{k}"}
        | {"train_accuracy": 1.0, "test_accuracy": value, "chance": 0.25}
        for n, values in accuracy.items()
        for k, value in enumerate(values)
    ]
    for task, other, value in (
        ("reduced", "f0", 0.1),
        ("reduced", "f1", 0.9),
        ("strong", "f1", 0.5),
    ):
        row = {"task": task, "predictor": "gbt", "n_labels": 10_000, "factor": "f0", "other": other}
        rows.append(row | {"test_accuracy": value, "n_test": 7})
    rows.append({"task": "fairness", "predictor": "gbt", "factor": "f0", "unfairness": 0.125})
    table = pd.DataFrame(rows, columns=downstream.COLUMNS).astype({"n_test": "Int64"})
    table.attrs["left_out"] = ["fairness: no grid"]
    lines = downstream.downstream_summary(table).splitlines()
    assert lines[0].endswith("   on 40 images")
    assert lines[1].split()[:3] == ["gbt", "0.300", "0.800"]
    assert lines[1].endswith("efficiency 100 / 10,000: 0.375")
    assert lines[2].split() == ["chance", "0.250", "0.250"]
    assert [line.split()[2] for line in lines[3:-1]] == ["0.100", "0.500", "0.125"]
    assert lines[4].endswith("on 7 images or more")
    assert lines[-1] == "left out   fairness: no grid"
    downstream.write_downstream(table, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table, check_dtype=False)
    rows = json.loads((tmp_path / "t.json").read_text())
    assert len(rows) == len(table) and rows[0]["other"] is None
    with pytest.raises(ValueError, match=r"`out` must be one of '\.parquet'"):
        downstream.write_downstream(table, tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ["label"]}, "Did you mean 'labels'"),
        ({"predictors": ["gb"]}, "Did you mean 'gbt'"),
        ({"sizes": [10, 1]}, "`sizes` must be an integer of at least 2"),
        ({"sizes": []}, "`sizes` must hold at least one number"),
        ({"n_test": 0}, "`n_test` must be an integer of at least 1"),
        ({"n_shifts": 0}, "`n_shifts` must be an integer of at least 1"),
        ({"n_per_value": 0}, "`n_per_value` must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_loaded(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        downstream.downstream_tasks(tmp_path / "absent", **change)


def test_the_command(script, finished, tmp_path):
    out = tmp_path / "table.parquet"
    arguments = ["--tasks", "labels", "fairness", "--predictors", "logistic", "--sizes", "20"]
    code, text, _ = script("downstream.py", finished[0], *arguments, "--n-test", "9", "--out", out)
    assert code == 0 and "test accuracy, labels" in text and "fairness" in text
    assert pd.read_parquet(out)["factor"].isin(["row", "column", "size"]).all()
