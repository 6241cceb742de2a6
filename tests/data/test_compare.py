"""Counts of what differs between a file and the rendered set."""

import dataclasses
import functools

import numpy as np
import pytest
import true_files

from sparsevae.data import PackedData, catalog
from sparsevae.data.array import GridArray
from sparsevae.data.compare import Comparison, compare


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """The two sets are tiny, and both can be rendered: as they would be without any difference."""
    sprites, shapes = true_files.DSPRITES, true_files.SHAPES3D
    bits = np.packbits(true_files.sprites().reshape(96, -1), axis=1)
    renders = {
        "dsprites": lambda: PackedData("dsprites", "render", sprites, (64, 64, 1), bits),
        "shapes3d": lambda: GridArray(
            "shapes3d", "render", shapes, true_files.banded(shapes, (64, 64, 3))
        ),
    }
    for name, space in (("dsprites", sprites), ("shapes3d", shapes)):
        entry = catalog._ENTRIES[name]
        read = functools.partial(entry.read, factor_space=space)
        entry = dataclasses.replace(entry, read=read, render=renders[name])
        monkeypatch.setitem(catalog._ENTRIES, name, entry)


def test_no_difference(folder):
    found = compare(true_files.write_dsprites(folder))
    assert found == Comparison("dSprites", 96, 96 * 64 * 64, 0, 0, 0.0)


def test_differences_are_counted_exactly(folder, monkeypatch):
    monkeypatch.setattr("sparsevae.data.compare._PIECE", 10)
    images = true_files.sprites()
    images[5, 0, :3] ^= 1
    images[95, 63, 63] ^= 1
    found = compare(true_files.write_dsprites(folder, imgs=images))
    assert (found.differing_images, found.differing_pixels) == (2, 4)
    assert found.mean_difference == pytest.approx(4 * 255 / (96 * 64 * 64))
    assert "2 of 96 (2.083%)" in str(found) and "4 of 393,216" in str(found)


def test_a_pixel_differs_when_one_channel_does(folder):
    images = true_files.banded(true_files.SHAPES3D, (64, 64, 3))
    images[7, 1, 1, 2] += 10
    images[7, 2, 2] -= 1
    found = compare(true_files.write_shapes3d(folder, images=images))
    assert (found.title, found.differing_images, found.differing_pixels) == ("Shapes3D", 1, 2)
    assert found.mean_difference == pytest.approx(13 / images.size)


def test_a_file_of_another_name_is_refused(folder):
    with pytest.raises(ValueError, match=r"`path` must be named `dsprites_.*3dshapes\.h5.*car_001"):
        compare(folder / "car_001_mesh.mat")
    with pytest.raises(FileNotFoundError, match="`path` must be an existing file"):
        compare(folder / "3dshapes.h5")
