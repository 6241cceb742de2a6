"""JSON that any parser reads."""

import json
from pathlib import Path

import numpy as np
import pytest

from sparsevae.records import read_json, write_json


def test_json_round_trip(tmp_path):
    value = {"a": [1, 2.5, None, True, "é"], "b": {"c": {}}}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value


def test_json_holds_numpy_and_nothing_that_other_parsers_refuse(tmp_path):
    value = {
        "array": np.array([[1.0, np.nan]], dtype=np.float32),
        "scalars": (np.int64(3), np.bool_(True), np.float32(0.5), np.str_("s")),
        "not finite": [float("inf"), -np.inf, np.float64("nan")],
        "path": Path("runs") / "a",
    }
    write_json(tmp_path / "x.json", value)

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads((tmp_path / "x.json").read_text(), parse_constant=refuse) == {
        "array": [[1.0, None]],
        "scalars": [3, True, 0.5, "s"],
        "not finite": [None, None, None],
        "path": "runs/a",
    }


@pytest.mark.parametrize("value", [{"a": [{1, 2}]}, {"a": [1j]}, {"a": [{3: 1}]}])
def test_json_refuses_other_types_and_says_where(tmp_path, value):
    with pytest.raises(TypeError, match=r"`value\['a'\]\[0\]`"):
        write_json(tmp_path / "x.json", value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe", b'{"a": 1}}'])
def test_damaged_json_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"cut off or damaged.*x\.json"):
        read_json(tmp_path / "x.json")
