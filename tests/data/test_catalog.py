"""`load` by name: where it looks, what it takes, what it says."""

import dataclasses
import functools
import logging
import re

import pytest
import true_files
from small_catalog import SMALL, expect_small_files
from true_files import FORMATS

from sparsevae.data import DataFileError, DSprites, catalog, load
from sparsevae.data.read import mpi3d

NAMES = (
    "dsprites",
    "shapes3d",
    "cars3d",
    "smallnorb",
    "mpi3d_toy",
    "mpi3d_realistic",
    "mpi3d_real",
    "mpi3d_complex",
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    expect_small_files(monkeypatch)


def test_all_names_are_there():
    assert set(NAMES) <= set(catalog._ENTRIES)
    for name in NAMES:
        entry = catalog._ENTRIES[name]
        assert entry.title and entry.size and entry.page.startswith("http")
        assert entry.license and entry.citation


@pytest.mark.parametrize("source", ["auto", "file"])
@pytest.mark.parametrize("usual", [False, True], ids=["peers' folder", "own folder"])
@pytest.mark.parametrize("name", SMALL)
def test_every_file_is_found_by_its_name(folder, name, usual, source):
    write, peers, _ = SMALL[name]
    inside = folder / (name if usual else peers)
    inside.mkdir()
    write(inside)
    data = load(name, folder, source)
    assert data.name == name and data.source == "file"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("dsprites", true_files.write_dsprites_h5),
        ("cars3d", true_files.write_cars3d_archive),
        ("smallnorb", FORMATS["smallnorb packed"][0]),
    ],
)
def test_other_forms_of_a_file_are_found(folder, name, write):
    write(folder)
    assert load(name, folder).source == "file"


def test_mpi3d_complex_goes_by_the_name_it_was_published_under(folder, monkeypatch):
    path = true_files.write_mpi3d(folder)
    path.rename(folder / "real3d_complicated_shapes_ordered.npz")
    entry = catalog._ENTRIES["mpi3d_complex"]
    assert entry.read.keywords["factor_spaces"] == mpi3d.COMPLEX_FACTORS
    read = functools.partial(entry.read, factor_spaces=(true_files.MPI3D,))
    monkeypatch.setitem(catalog._ENTRIES, "mpi3d_complex", dataclasses.replace(entry, read=read))
    assert load("mpi3d_complex", folder).name == "mpi3d_complex"


@pytest.mark.parametrize("source", ["auto", "file"])
@pytest.mark.parametrize("name", NAMES)
def test_absence_says_what_to_do_in_one_line(folder, name, source):
    if source == "auto" and name == "dsprites":
        assert load(name, folder).source == "render"
        return
    with pytest.raises(FileNotFoundError) as error:
        load(name, folder, source)
    message = str(error.value)
    entry = catalog._ENTRIES[name]
    assert "\n" not in message
    for part in (entry.title, str(folder), entry.files[0], entry.size, entry.page):
        assert part in message


def test_a_look_alike_is_never_rendered_unasked(folder, monkeypatch):
    entry = catalog._ENTRIES["shapes3d"]
    assert entry.look_alike
    render = dataclasses.replace(entry, render=DSprites)  # any set will do
    monkeypatch.setitem(catalog._ENTRIES, "shapes3d", render)
    both = r"Put `3dshapes\.h5`.*source='render'\): a look-alike, not the original"
    with pytest.raises(FileNotFoundError, match=both):
        load("shapes3d", folder)
    assert load("shapes3d", folder, "render").source == "render"
    true_files.write_shapes3d(folder)
    assert load("shapes3d", folder).source == "file"


def test_a_renamed_file_is_pointed_at(folder):
    true_files.write_shapes3d(folder).rename(folder / "shapes.h5")
    with pytest.raises(
        FileNotFoundError, match=r"Found .*shapes\.h5: if renamed, give it its name"
    ):
        load("shapes3d", folder)


def test_a_file_under_the_name_of_another_set_is_refused(folder):
    true_files.write_mpi3d(folder).rename(folder / "mpi3d_real.npz")
    with pytest.raises(DataFileError, match=r"images is uint8 \(192, .*expected uint8 \(1036800"):
        load("mpi3d_real", folder)
    true_files.write_mpi3d(folder).rename(folder / true_files.FILE_NAME)
    with pytest.raises(DataFileError, match=r"lacks 'imgs'; it has \['images'\]"):
        load("dsprites", folder)


@pytest.mark.parametrize("name", ["cars3d", "mpi3d_toy"])
@pytest.mark.parametrize("source", ["tfds", "render"])
def test_impossible_sources_are_refused(name, source):
    with pytest.raises(ValueError, match=f"must be one of 'auto', 'file' for .*{source!r}"):
        load(name, source=source)


def test_verify_needs_a_file(folder):
    for source in ("auto", "render"):
        with pytest.raises(ValueError, match="`verify` must be False for a set that is rendered"):
            load("dsprites", folder, source, verify=True)


def test_verify_reaches_the_reader(folder):
    true_files.write_shapes3d(folder)
    with pytest.raises(DataFileError, match="not the published file: its sha256"):
        load("shapes3d", folder, verify=True)


@pytest.mark.parametrize(
    ("name", "nearest"), [("mpi3d", "mpi3d_toy"), ("Shapes3d", "shapes3d"), ("cars", "cars3d")]
)
def test_unknown_names_suggest_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"Did you mean .{nearest[:5]}"):
        load(name)


def test_the_choice_is_logged_once(folder, caplog):
    path = true_files.write_shapes3d(folder)
    with caplog.at_level(logging.INFO, "sparsevae"):
        load("shapes3d", folder)
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("catalog")]
    assert lines == [f"Shapes3D: read from {path}"]


def test_patterns_do_not_take_folders_for_files(folder):
    (folder / "3dshapes.h5").mkdir()
    with pytest.raises(FileNotFoundError, match=re.escape("Shapes3D not found")):
        load("shapes3d", folder)


@pytest.mark.parametrize("name", ["dsprites", "shapes3d"])
def test_rendered_sets_have_other_sizes(name):
    data = load(name, source="render", image_size=32)
    assert data.image_shape[:2] == (32, 32) and data.source == "render"


@pytest.mark.parametrize(
    ("name", "source", "match"),
    [
        ("shapes3d", "auto", "source='render', a look-alike of Shapes3D"),
        ("dsprites", "file", "`image_size` is for rendered sets"),
        ("toy", "render", "`image_size` is for rendered sets"),
        ("cars3d", "auto", "`image_size` is for rendered sets"),
    ],
)
def test_sizes_that_a_set_does_not_have_are_refused(name, source, match):
    with pytest.raises(ValueError, match=match):
        load(name, source=source, image_size=32)


def test_sizes_that_are_not_drawn_are_refused():
    with pytest.raises(ValueError, match="32, 64 or 128"):
        load("dsprites", image_size=48)
