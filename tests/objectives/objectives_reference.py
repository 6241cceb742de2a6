"""Values and arrays of an independent float64 implementation of objectives."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).with_name("reference")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
CASES = ("ordinary", "collapsed", "wide")


def arrays(case, suffix=""):
    with np.load(FOLDER / f"{case}{suffix}.npz") as found:
        return dict(found)


def posterior(case, *names):
    given = arrays(case)
    return [tf.constant(given[name], tf.float32) for name in names or ("z", "z_mean", "z_log_var")]
