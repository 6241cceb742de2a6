"""Records of runs, and the table of many."""

import numpy as np
import pytest

from sparsevae.records import (
    is_complete,
    read_json,
    read_record,
    read_records,
    set_record_aside,
    write_record,
)


def test_round_trip(tmp_path):
    record = {"settings": {"seed": 0}, "scores": {"mig": 0.25}}
    assert not is_complete(tmp_path / "a")
    write_record(tmp_path / "a", record)
    assert is_complete(tmp_path / "a") and read_record(tmp_path / "a") == record


def test_a_record_set_aside_is_kept_and_no_more_the_runs(tmp_path):
    write_record(tmp_path / "a", {"step": 20, "elbo": -1.0})
    aside = set_record_aside(tmp_path / "a")
    assert aside.name == "record_20.json" and read_json(aside) == {"step": 20, "elbo": -1.0}
    assert not is_complete(tmp_path / "a") and len(read_records(tmp_path)) == 0
    with pytest.raises(FileNotFoundError, match="not complete"):
        set_record_aside(tmp_path / "a")


def test_older_scores_are_read_under_the_name_of_today(tmp_path):
    """Their count of latents by spread bore the name of the model's count by KL."""
    scores = {"mig": 0.25, "active_latents": 3.0, "later": 1.0}
    write_record(tmp_path / "old", {"active_latents": 2.0, "scores": scores})
    record = read_record(tmp_path / "old")
    assert record["active_latents"] == 2 and record["scores"]["spread_latents"] == 3
    assert list(record["scores"]) == ["mig", "spread_latents", "later"]
    table = read_records(tmp_path)
    assert list(table["active_latents"]) == [2] and list(table["score_spread_latents"]) == [3]


def test_table_has_one_row_per_complete_run(tmp_path):
    write_record(tmp_path / "b", {"seed": 1, "scores": {"mig": np.nan, "deep": {"x": [1, 2]}}})
    write_record(tmp_path / "a", {"seed": 0, "scores": {"mig": 0.5}, "name": "first"})
    write_record(tmp_path / ".c.partial-1", {"seed": 2})
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "notes.txt").touch()
    table = read_records(tmp_path)
    assert list(table.index) == ["a", "b"] and table.index.name == "run"
    assert list(table.columns) == ["seed", "score_mig", "score_deep_x"]
    assert table["score_mig"].dtype == float and np.isnan(table.loc["b", "score_mig"])
    assert table.loc["b", "score_deep_x"] == "[1, 2]" and list(table["seed"]) == [0, 1]


def test_settings_have_their_own_names_in_the_table(tmp_path):
    settings = {"name": "a", "seed": 3, "withheld": ["x=1"], "gate_options": {"k": 1}}
    write_record(tmp_path / "a", {"settings": settings, "elbo": -1.0})
    (row,) = read_records(tmp_path).to_dict("records")
    assert row == {"seed": 3, "withheld": '["x=1"]', "gate_options": '{"k": 1}', "elbo": -1.0}


def test_table_of_no_runs_is_empty(tmp_path):
    table = read_records(tmp_path)
    assert table.shape == (0, 0) and table.index.name == "run"


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`parent`.*nowhere"):
        read_records(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere, no folder"):
        read_record(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="not complete"):
        read_record(tmp_path)


def test_damaged_records_are_named(tmp_path):
    (tmp_path / "run").mkdir()
    for content, match in [("{", r"damaged.*record\.json"), ("[]", "must hold a dict.*list")]:
        (tmp_path / "run" / "record.json").write_text(content)
        with pytest.raises(ValueError, match=match):
            read_records(tmp_path)


def test_column_named_twice_is_refused(tmp_path):
    write_record(tmp_path / "run", {"a": {"b": 1}, "a_b": 2})
    with pytest.raises(ValueError, match=r"a_b.*run"):
        read_records(tmp_path)


def test_of_a_setting_that_the_record_names_too_what_was_used_counts(tmp_path):
    settings = {"name": "asked", "data_source": "auto", "seed": 1}
    write_record(tmp_path / "run", {"name": "run", "settings": settings, "data_source": "render"})
    (row,) = read_records(tmp_path).to_dict("records")
    assert row == {"data_source": "render", "seed": 1}


def test_record_must_be_a_dict(tmp_path):
    with pytest.raises(TypeError, match="`record`"):
        write_record(tmp_path, [1])
    assert not is_complete(tmp_path)
