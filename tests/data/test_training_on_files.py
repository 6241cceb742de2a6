"""`scripts/train.py --data NAME` on tiny files in the true format of each set."""

import runpy
import sys
from pathlib import Path

import pytest
from small_catalog import SMALL, expect_small_files

from sparsevae import records

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_run_on_files(name, folder, tmp_path, monkeypatch):
    expect_small_files(monkeypatch)
    SMALL[name][0](folder)
    options = {"name": name, "data": name, "data-dir": folder, "runs": tmp_path, "model": "mlp"}
    options |= {"n-steps": 2, "batch-size": 8, "latent-dim": 3, "metrics": "mig"}
    parts = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    monkeypatch.setattr(sys, "argv", ["train.py", *parts])
    monkeypatch.syspath_prepend(str(SCRIPTS))
    runpy.run_path(str(SCRIPTS / "train.py"), run_name="__main__")
    record = records.read_record(tmp_path / name)
    assert record["data_source"] == "file" and record["step"] == 2
    assert 0 <= record["scores"]["mig"] <= 1
