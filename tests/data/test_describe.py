"""Sets in words."""

import numpy as np
import pandas as pd
import pytest

from sparsevae.data import FactorSpace, describe, from_array
from sparsevae.data.array import GridArray, LabelledArray
from sparsevae.data.variants import apply

SPACE = FactorSpace(("shape", "x", "color"), (3, 20, 1), ((1, 2, 3), np.linspace(0, 1, 20), (7,)))
# Image k shows k in its only pixel.
IMAGES = np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1)
GRID = GridArray("blocks", "file", SPACE, IMAGES)
KEPT = np.flatnonzero(np.arange(60) % 7 > 0)
LABELLED = LabelledArray("some", "file", SPACE, IMAGES[KEPT], GRID.factors(KEPT))
PLAIN = from_array(IMAGES[:33], name="plain")


def test_a_grid_in_words():
    text = str(describe(GRID))
    assert text.splitlines()[:3] == [
        "blocks, source 'file'",
        "  images    60 of 1 x 1 x 1 (height x width x channels)",
        "  factors   one image for each combination",
    ]
    assert [line.split() for line in text.splitlines()[3:]] == [
        ["factor", "size", "first", "last"],
        ["shape", "3", "1", "3"],
        ["x", "20", "0", "1"],
        ["color", "1", "7", "7"],
    ]


def test_factors_are_a_table():
    expected = pd.DataFrame(
        {"factor": SPACE.names, "size": [3, 20, 1], "first": [1.0, 0, 7], "last": [3.0, 1, 7]}
    )
    pd.testing.assert_frame_equal(describe(GRID).factors, expected)
    assert len(describe(PLAIN).factors) == 0


def test_other_sets_in_words():
    assert "not one image for each of 60 combinations" in str(describe(LABELLED))
    assert "factors   not known; scores" in str(describe(PLAIN))
    assert "variant   random noise" in str(describe(apply(PLAIN, "noisy")))
    assert "picture behind: texture" in str(describe(apply(PLAIN, "scream")))


@pytest.mark.parametrize("name", ["dsprites", "noisy_dsprites", "color_noisy_dsprites"])
def test_known_sets_are_described_by_name_with_their_page(name):
    text = str(describe(name))
    assert text.startswith(f"{name}, source 'render'\n")
    assert "page      https://github.com/google-deepmind/dsprites-dataset" in text
