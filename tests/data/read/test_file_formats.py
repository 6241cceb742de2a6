"""Files of every format, whole and cut off: what is read, and what is said."""

import re
import zipfile

import numpy as np
import pytest
import true_files
from true_files import (
    CARS3D,
    DSPRITES,
    FORMATS,
    MPI3D,
    SHAPES3D,
    SMALLNORB,
    assert_one_line,
    nothing_kept,
    read_tiny_mpi3d,
)

from sparsevae.data import DataFileError
from sparsevae.data.array import MappedArray
from sparsevae.data.read.cars3d import read_cars3d
from sparsevae.data.read.dsprites import read_dsprites
from sparsevae.data.read.mpi3d import COMPLEX_FACTORS, FACTORS, read_mpi3d
from sparsevae.data.read.shapes3d import read_shapes3d
from sparsevae.data.read.smallnorb import read_smallnorb
from sparsevae.data.storage.checksums import KNOWN, digest


@pytest.fixture(params=FORMATS, ids=lambda name: name.replace(" ", "_"))
def written(request, folder):
    """Path of a whole file, and what reads it."""
    write, read, space = FORMATS[request.param]
    return write(folder), lambda path, **arguments: read(path, space, **arguments)


@pytest.mark.parametrize("name", ["shapes3d", "mpi3d_toy stored", "mpi3d_toy compressed"])
def test_pixels_are_those_of_the_file(folder, name):
    write, read, space = FORMATS[name]
    data = read(write(folder), space)
    images = data.images(np.arange(len(space)))
    np.testing.assert_array_equal(images, true_files.banded(space, (64, 64, 3)))
    assert data.factor_space == space


@pytest.mark.parametrize("name", ["cars3d", "cars3d archive", "smallnorb", "smallnorb packed"])
def test_resized_pixels_are_those_of_the_file(folder, name):
    write, read, grid = FORMATS[name]
    data = read(write(folder), grid)
    expected = true_files.banded(grid, data.image_shape)
    inner = np.concatenate(
        [
            np.arange(rows.start + true_files.MARGIN, rows.stop - true_files.MARGIN)
            for rows in (true_files.band(k, grid, 64) for k in range(len(grid.names)))
        ]
    )
    images = data.images(np.arange(len(grid)))
    np.testing.assert_array_equal(images[:, inner], expected[:, inner])


def test_scores_do_not_see_which_toy_it_is(folder):
    data = read_smallnorb(true_files.write_smallnorb(folder), SMALLNORB)
    assert data.factor_names == ("category", "elevation", "azimuth", "lighting")
    assert not hasattr(data, "index")  # two toys of each category share each combination
    factors, images = data.sample(50, np.random.default_rng(0), fixed={"lighting": 1})
    assert len({image.tobytes() for image in images[(factors == factors[0]).all(axis=1)]}) <= 2


def test_dsprites_hdf5_equals_npz(folder):
    images = [
        read_dsprites(write(folder), DSPRITES).images(np.arange(len(DSPRITES)))
        for write in (true_files.write_dsprites, true_files.write_dsprites_h5)
    ]
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty.*failed download"),
        (b"<html><head><title>Not found</title>", "starts with b'<html>.*failed download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
    ],
    ids=["empty", "html", "lfs"],
)
def test_other_content_is_named(written, content, match, cache):
    path, read = written
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=match) as error:
        read(path)
    assert_one_line(error, path.name)
    assert nothing_kept(cache)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.7, 0.99])
def test_truncation_is_found(written, share, cache):
    path, read = written
    content = path.read_bytes()
    path.write_bytes(content[: max(1, int(share * len(content)))])
    with pytest.raises(
        DataFileError, match=r"truncated|failed download|too early|damaged"
    ) as error:
        read(path)
    assert_one_line(error, path.name)
    assert nothing_kept(cache)


def test_both_sizes_of_a_truncated_file_are_told(folder):
    path = true_files.write_shapes3d(folder)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataFileError, match=f"has {size - 1000:,} of {size:,} bytes: truncated"):
        read_shapes3d(path, SHAPES3D)
    path = true_files.write_smallnorb(folder)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataFileError, match=f"has {size - 1000:,} of {size:,} bytes: truncated"):
        read_smallnorb(path, SMALLNORB)


def test_damage_inside_is_found_where_the_format_can_tell(folder):
    for write, read, space in (FORMATS[name] for name in ("dsprites npz", "shapes3d", "cars3d")):
        path = write(folder)
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
        path.write_bytes(content)
        with pytest.raises(DataFileError, match="damaged") as error:
            read(path, space)
        assert_one_line(error, path.name)


def test_the_number_of_images_decides_which_mpi3d_it_is(folder):
    small = true_files.FactorSpace(MPI3D.names, (2, 2, 2, 2, 2, 2, 2))
    images = true_files.banded(small, (64, 64, 3))
    data = read_mpi3d(true_files.write_mpi3d(folder, images=images), "mpi3d_toy", (MPI3D, small))
    assert data.factor_space == small
    assert [len(space) for space in FACTORS] == [1_036_800, 460_800]
    assert [len(space) for space in COMPLEX_FACTORS] == [460_800]


def test_stored_images_stay_where_they_are(folder, cache):
    data = read_tiny_mpi3d(true_files.write_mpi3d(folder))
    assert isinstance(data._rows, MappedArray) and not cache.exists()


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"1"], ids=["short", "long"])
def test_a_stored_array_of_another_length_is_refused(folder, change):
    path = true_files.write_mpi3d(folder)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("images.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", change(content))
    with pytest.raises(DataFileError, match="another length than its header"):
        read_tiny_mpi3d(path)


def published(monkeypatch, path):
    """Pretends that the checksums of these files, as they are now, are the published ones."""
    for file in path.parent.iterdir():
        if file.is_file():
            monkeypatch.setitem(KNOWN, file.name, ("sha256", digest(file, "sha256")))


def test_verify_accepts_the_published_file(written, monkeypatch):
    path, read = written
    published(monkeypatch, path)
    assert len(read(path, verify=True)) == len(read(path))


def test_verify_refuses_any_other(folder, monkeypatch):
    path = true_files.write_mpi3d(folder)  # stored: a changed pixel is found by nothing else
    published(monkeypatch, path)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    assert read_tiny_mpi3d(path).source == "file"
    known = KNOWN[path.name][1]
    with pytest.raises(DataFileError, match=f"its sha256 checksum is .*expected {known}") as error:
        read_tiny_mpi3d(path, verify=True)
    assert_one_line(error, path)
    assert len(set(re.findall(r"\b[0-9a-f]{64}\b", str(error.value)))) == 2


def test_verify_needs_a_published_checksum(folder):
    with pytest.raises(DataFileError, match=r"`verify`.*car_001_mesh\.mat"):
        read_cars3d(true_files.write_cars3d(folder), CARS3D, verify=True)


def test_the_checksum_that_git_gives(tmp_path):
    (tmp_path / "a").write_bytes(b"hello\n")
    assert digest(tmp_path / "a", "git") == "ce013625030ba8dba906f756967f9e9ca394464a"
