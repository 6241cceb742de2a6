"""The picture of a set."""

import numpy as np
import pytest

from sparsevae.data import FactorSpace, from_array
from sparsevae.data.array import GridArray, LabelledArray
from sparsevae.plots import plot_grid
from sparsevae.plots.sample_grid import sweeps

SPACE = FactorSpace(("shape", "x", "color"), (3, 20, 1), ((1, 2, 3), np.linspace(0, 1, 20), (7,)))
# Image k shows k in its only pixel.
IMAGES = np.arange(60, dtype=np.uint8).reshape(60, 1, 1, 1)
GRID = GridArray("blocks", "file", SPACE, IMAGES)
KEPT = np.flatnonzero(np.arange(60) % 7 > 0)
LABELLED = LabelledArray("some", "file", SPACE, IMAGES[KEPT], GRID.factors(KEPT))
PLAIN = from_array(IMAGES[:33], name="plain")


def rows(figure):
    (axes,) = figure.axes
    return [label.get_text() for label in axes.get_yticklabels()]


def pictures(figure):
    """The mosaic's pictures of one pixel, with white gaps of one pixel."""
    canvas = figure.axes[0].images[0].get_array()
    return np.rint(canvas[::2, ::2, 0] * 255).astype(int)


def test_each_factor_moves_in_its_row_and_the_others_rest():
    figure = plot_grid(GRID, n_columns=4)
    assert rows(figure) == ["shape  1 … 3", "x  0 … 1", "color  7"]
    shown = pictures(figure)
    shape, x, color = shown
    factors = GRID.factors(shape[:3])
    np.testing.assert_array_equal(factors[:, 0], [0, 1, 2])
    assert len(np.unique(factors[:, 1])) == 1
    factors = GRID.factors(x)
    np.testing.assert_array_equal(factors[:, 1], [0, 6, 13, 19])
    assert len(np.unique(factors[:, 0])) == 1
    assert shape[3] == 255 and (color[1:] == 255).all()  # blank
    assert color[0] in shape  # the image that all start from


def test_a_set_that_lacks_combinations_shows_the_nearest():
    reference = np.array([1, 9, 0])
    for data, numbers in ((LABELLED, KEPT), (GRID, np.arange(60))):
        for k, row in enumerate(sweeps(data, reference, 20)):
            found = GRID.factors(numbers[row])
            np.testing.assert_array_equal(found[:, k], np.arange(SPACE.sizes[k]))
            others = np.delete(np.abs(found - reference), k, axis=1)
            assert (others.sum(axis=1) <= (1 if data is LABELLED else 0)).all()


def test_values_that_no_image_has_are_left_out():
    data = LabelledArray("two", "file", SPACE, IMAGES[:2], np.array([[0, 3, 0], [2, 5, 0]]))
    assert [len(row) for row in sweeps(data, np.array([0, 3, 0]), 20)] == [2, 2, 1]
    assert plot_grid(data)


def test_without_factors_rows_of_distinct_random_images():
    shown = pictures(plot_grid(PLAIN, n_columns=8))
    assert shown.shape == (4, 8) and len(np.unique(shown)) == 32
    few = pictures(plot_grid(from_array(IMAGES[:3])))
    assert sorted(few.ravel()) == [0, 1, 2]
    assert (pictures(plot_grid(PLAIN, seed=1)) != pictures(plot_grid(PLAIN, seed=0))[:4]).any()


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"n_columns": 1}, ValueError, "`n_columns`.*at least 2"),
        ({"seed": -1}, ValueError, "`seed`"),
        ({"n_columns": 2.0}, TypeError, "`n_columns`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        plot_grid(PLAIN, **arguments)
