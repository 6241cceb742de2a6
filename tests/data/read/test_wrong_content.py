"""Whole files of every format that hold other things than they should: each is named."""

import gzip
import io
import tarfile

import numpy as np
import pytest
import true_files
from scipy import io as matlab
from true_files import CARS3D, FORMATS, MPI3D, SMALLNORB, assert_one_line, nothing_kept

from sparsevae.data import DataFileError
from sparsevae.data.read.cars3d import read_cars3d
from sparsevae.data.read.smallnorb import read_smallnorb


def shuffled(array):
    return array[[1, 0, *range(2, len(array))]]


@pytest.mark.parametrize(
    ("write", "read", "space", "changes", "match"),
    [
        (*FORMATS["dsprites hdf5"], {"imgs": None}, r"lacks 'imgs'; it has \['latents'\]"),
        (
            *FORMATS["dsprites hdf5"],
            {"latents/classes": shuffled(true_files.sprite_classes())},
            r"row 0 of latents/classes is \[0, 0, 0, 0, 0, 1\].*not in the original order",
        ),
        (*FORMATS["dsprites hdf5"], {"imgs": true_files.sprites() * np.uint8(7)}, "other than"),
        (*FORMATS["shapes3d"], {"labels": None}, r"lacks 'labels'; it has \['images'\]"),
        (
            *FORMATS["shapes3d"],
            {"images": np.zeros((144, 64, 64, 3), np.float32)},
            r"images is float32 \(144, 64, 64, 3\); expected uint8 \(144, 64, 64, 3\)",
        ),
        (
            *FORMATS["shapes3d"],
            {"images": np.zeros((143, 64, 64, 3), np.uint8)},
            r"images is uint8 \(143, 64, 64, 3\); expected uint8 \(144",
        ),
        (
            *FORMATS["shapes3d"],
            {"labels": shuffled(true_files.shape_values())},
            r"row 0 of labels is \[0.0, 0.0, 0.0, 0.75, 0.0, -25.714286\]; expected "
            r"\[0.0, 0.0, 0.0, 0.75, 0.0, -30.0\]: the images are not in the original order",
        ),
        (*FORMATS["shapes3d"], {"labels": true_files.shape_values() * np.nan}, "row 0 of labels"),
        (*FORMATS["shapes3d"], {"labels": true_files.shape_values() + 1e-5}, "row 0 of labels"),
        (*FORMATS["mpi3d_toy stored"], {"images": None, "imgs": np.zeros(3)}, "lacks 'images'"),
        (
            *FORMATS["mpi3d_toy stored"],
            {"images": np.zeros((190, 64, 64, 3), np.uint8)},
            r"images is uint8 \(190, 64, 64, 3\); expected uint8 \(192, 64, 64, 3\)",
        ),
        (
            *FORMATS["mpi3d_toy stored"],
            {"images": np.zeros((192, 64, 64, 3), np.int8)},
            "images is int8",
        ),
        (
            *FORMATS["mpi3d_toy stored"],
            {"images": np.asfortranarray(true_files.banded(MPI3D, (64, 64, 3)))},
            "Fortran order",
        ),
        (
            *FORMATS["cars3d"],
            {"car_030_mesh.mat": None},
            "2 of 3 meshes; missing car_030_mesh.mat",
        ),
        (*FORMATS["cars3d"], {"list.txt": None, "car_030_mesh.mat": None}, "2 of 3 meshes$"),
        (*FORMATS["cars3d"], {"list.txt": b"car_001_mesh\n" * 3}, "1 of 3 meshes"),
        (
            *FORMATS["cars3d"],
            {"car_030_mesh.mat": b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(300)},
            "car_030_mesh.mat is not a MATLAB 5 file",
        ),
    ],
)
def test_wrong_content_is_named(folder, write, read, space, changes, match, cache):
    path = write(folder, **changes)
    with pytest.raises(DataFileError, match=match) as error:
        read(path, space)
    assert_one_line(error, folder)
    assert nothing_kept(cache)


def meshes_of(**arrays):
    content = io.BytesIO()
    matlab.savemat(content, arrays)
    return content.getvalue()


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"mask": np.zeros((2, 2))}, r"car_030_mesh.mat lacks 'im'; it has \['mask'\]"),
        (
            {"im": np.zeros((128, 128, 3, 4, 2))},
            r"im is double \(128, 128, 3, 4, 2\); expected uint8 \(128, 128, 3, 4, 2\)",
        ),
        (
            {"im": np.zeros((64, 64, 3, 4, 2), np.uint8)},
            r"im is uint8 \(64, 64, 3, 4, 2\); expected uint8 \(128, 128, 3, 4, 2\)",
        ),
    ],
)
def test_a_wrong_mesh_is_named(folder, arrays, match):
    path = true_files.write_cars3d(folder, **{"car_030_mesh.mat": meshes_of(**arrays)})
    with pytest.raises(DataFileError, match=match):
        read_cars3d(path, CARS3D)


def test_without_the_list_cars_come_by_name(folder):
    path = true_files.write_cars3d(folder, **{"list.txt": None})
    data = read_cars3d(path, CARS3D)
    gray = data.observe(np.array([[0, 0, 0], [0, 0, 1]]))[:, -8, 0, 0]
    # Cars 1, 2, 30 were written as objects 1, 0, 2.
    np.testing.assert_array_equal(gray, [40 + 25, 40])


def test_an_archive_is_never_unpacked_onto_the_disk(folder):
    path = folder / "nips2015-analogy-data.tar.gz"
    true_files.write_cars3d_archive(folder)
    with tarfile.open(path, "w:gz") as archive:
        evil = tarfile.TarInfo("../../data/cars/car_001_mesh.mat")
        evil.type, evil.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(evil)
    with pytest.raises(DataFileError, match="0 of 3 meshes"):
        read_cars3d(path, CARS3D)


NORB = true_files.norb_arrays()


def norb(split, part, change):
    """The content of one of the six files, its array changed."""
    array = NORB[split, part].copy()
    return {(split, part): true_files.norb_matrix(change(array))}


def moved(array):
    array[5, 1] = 1 - array[5, 1]
    return array


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({("testing", "cat"): None}, "lacks smallnorb-.*-testing-cat.mat or .*six files"),
        (norb("training", "cat", lambda a: a[:-1]), r"training-cat.*is int32 \(23,\); expected"),
        (norb("training", "info", lambda a: a[:, :3]), r"is int32 \(24, 3\); expected"),
        (norb("training", "dat", lambda a: a.astype(np.float32)), "dat.* is float32 .*expected"),
        (norb("testing", "dat", lambda a: a[:, :1]), r"\(24, 1, 96, 96\); expected uint8 \(24, 2"),
        (norb("testing", "info", lambda a: a * np.int32([1, 1, 3, 1])), r"row \d+ is \["),
        (norb("testing", "info", moved), "has [02] images of category=.*expected exactly 1"),
        ({("testing", "cat"): b"\x52\x4c\x3d\x1e" + bytes(40)}, "not a matrix of the NORB"),
        ({("testing", "cat"): b"\x54\x4c\x3d\x1e\x63\0\0\0"}, "99 dimensions"),
    ],
)
def test_wrong_norb_files_are_named(folder, changes, match, packed, cache):
    path = true_files.write_smallnorb(folder, changes, packed)
    with pytest.raises(DataFileError, match=match) as error:
        read_smallnorb(path, SMALLNORB)
    assert_one_line(error, folder)
    assert nothing_kept(cache)


def test_odd_azimuth_is_refused(folder):
    changes = norb("training", "info", lambda a: a + np.int32([0, 0, 1, 0]))
    with pytest.raises(DataFileError, match=r"row 0 is \[.*azimuth \(even\)"):
        read_smallnorb(true_files.write_smallnorb(folder, changes), SMALLNORB)


def test_a_norb_file_may_not_be_longer(folder):
    content = true_files.norb_matrix(NORB["training", "dat"]) + b"\0"
    path = true_files.write_smallnorb(folder, {("training", "dat"): content}, packed=True)
    with pytest.raises(DataFileError, match="longer than its header says"):
        read_smallnorb(path, SMALLNORB)


def test_a_gzip_file_of_something_else_is_named(folder):
    path = true_files.write_smallnorb(folder, packed=True)
    path.write_bytes(gzip.compress(b"hello" * 20))
    with pytest.raises(DataFileError, match="not a matrix of the NORB format"):
        read_smallnorb(path, SMALLNORB)
