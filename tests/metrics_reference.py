"""The reference implementation's arrays and values: disentanglement_lib, commit 86a644d."""

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "metrics" / "reference"
CASES = ("mixed", "float32", "few_latents")


def reference(case):
    """Expected values and arrays of one case."""
    expected = json.loads((FOLDER / "expected.json").read_text())[case]
    with np.load(FOLDER / f"{case}.npz") as arrays:
        return expected, dict(arrays)
