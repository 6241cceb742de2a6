"""The reference implementation's arrays and values; they lie outside the repository."""

import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "reference" / "metrics"
CASES = ("mixed", "float32", "few_latents")


def reference(case):
    """Expected values and arrays of one case; skips where the folder is absent."""
    if not (FOLDER / "expected.json").is_file():
        pytest.skip("the reference values lie outside the repository, in ../shared/reference")
    expected = json.loads((FOLDER / "expected.json").read_text())[case]
    with np.load(FOLDER / f"{case}.npz") as arrays:
        return expected, dict(arrays)
