"""The reference implementation's arrays and values: disentanglement_lib, commit 86a644d.

One case is kept here; all three lie in a folder beside the repository where the project is made.
"""

import json
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent / "metrics" / "reference"
ALL = Path(__file__).resolve().parents[2] / "shared" / "reference" / "metrics"
CASES = ("mixed", "float32", "few_latents")


def reference(case):
    """Expected values and arrays of one case; skips where they are absent."""
    folder = next((f for f in (ALL, HERE) if (f / f"{case}.npz").is_file()), None)
    if folder is None:
        pytest.skip(f"the case {case} lies outside the repository, in ../shared/reference")
    expected = json.loads((folder / "expected.json").read_text())[case]
    with np.load(folder / f"{case}.npz") as arrays:
        return expected, dict(arrays)
