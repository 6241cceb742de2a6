"""Sets that users bring: `register` in one process, entry points of packages in all."""

import functools
import subprocess
import sys

import numpy as np
import pytest

from sparsevae import data as sets
from sparsevae.data import FactorSpace, GroundTruthData, describe, from_array, load, registered
from sparsevae.study import RunSettings
from sparsevae.study.one.loading import load_data

SPACE = FactorSpace(("row", "column"), (3, 4))


class Dots(GroundTruthData):
    """A white pixel on black, anywhere."""

    def __init__(self, image_size=8):
        super().__init__("dots", "render", SPACE, (image_size, image_size, 1))

    def images(self, indices):
        images = np.zeros((len(indices), *self.image_shape), np.uint8)
        rows, columns = self.factors(indices).T
        images[np.arange(len(indices)), rows, columns] = 255
        return images


def plain():
    return from_array(np.full((5, 4, 4), 9, np.uint8))


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """What a test registers ends with it."""
    monkeypatch.setattr(registered, "_MADE", {})


def test_a_registered_set_is_loaded_by_its_name():
    sets.register("dots", Dots)
    data = load("dots")
    assert isinstance(data, Dots) and (data.name, data.source) == ("dots", "render")
    assert np.argwhere(data.observe(np.array([[2, 1]]))[0, ..., 0]).tolist() == [[2, 1]]
    assert load("dots", image_size=16).image_shape == (16, 16, 1)
    assert load("dots", source="render").source == "render"  # as it stands in a record


def test_it_goes_by_the_name_it_was_registered_under():
    one = plain()
    sets.register("first", lambda: one)
    sets.register("second", lambda: one)
    assert [load(name).name for name in ("first", "second", "first")] == [
        "first",
        "second",
        "first",
    ]
    assert one.name == "array"  # the user's own object stays as it is
    np.testing.assert_array_equal(load("second").images(np.arange(5)), one.images(np.arange(5)))


def test_variants_settings_and_descriptions_know_it():
    sets.register("dots", functools.partial(Dots, image_size=4))
    assert load("noisy_dots").image_shape == (4, 4, 3)
    assert load("color_noisy_dots").name == "color_noisy_dots"
    settings = RunSettings(name="a", data="scream_dots")
    assert isinstance(load_data(settings, "render"), GroundTruthData)
    assert str(describe("dots")).startswith("dots, source 'render'\n")


def test_unknown_names_list_it_and_say_where_it_is_known():
    sets.register("dots", Dots)
    with pytest.raises(ValueError, match=r"'toy'.*'dots'.*Did you mean 'dots'") as error:
        RunSettings(name="a", data="dotz")
    assert "`register` are known in the process that called it only" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_same_object_may_be_registered_twice_and_no_other():
    sets.register("dots", Dots)
    sets.register("dots", Dots)
    with pytest.raises(ValueError, match=r"`name` must not be taken.*Received: name='dots'"):
        sets.register("dots", plain)
    assert len(load("dots")) == 12


@pytest.mark.parametrize(
    "name",
    (*"é", "", "a b", "a/b", "a:b", "a-b", "a.npy", ".a", "a\n", "color_a", "noisy_a", "scream_a"),
)
def test_names_that_cannot_be_names_are_refused(name):
    with pytest.raises(ValueError, match=r"`name` must be letters.*color_, noisy_ or scream_"):
        sets.register(name, Dots)


@pytest.mark.parametrize("name", ["dsprites", "toy"])
def test_names_of_the_catalog_are_taken(name):
    with pytest.raises(ValueError, match=f"`name` must not be taken.*{name}"):
        sets.register(name, Dots)


@pytest.mark.parametrize(
    ("name", "make", "match"),
    [
        (3, Dots, "`name` must be a string.*3"),
        ("dots", Dots(), "`make` must be callable without arguments.*Dots|dots, source"),
        ("dots", lambda place: Dots(), "`make` must be callable without arguments.*lambda"),
    ],
)
def test_wrong_kinds_of_arguments_are_refused(name, make, match):
    with pytest.raises(TypeError, match=match):
        sets.register(name, make)
    assert registered.names() == []


def test_what_is_no_set_is_refused_when_it_is_loaded():
    sets.register("pixels", lambda: np.zeros((5, 4, 4), np.uint8))
    with pytest.raises(TypeError, match=r"`make` of 'pixels' must return ImageData.*a ndarray"):
        load("pixels")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"image_size": 8}, "`image_size` must be None for 'flat', whose `make` takes none.*8"),
        ({"source": "file"}, "`source` must be one of 'auto', 'array'.*'file'"),
        ({"data_dir": "."}, "`data_dir` must be None for 'flat'"),
        ({"verify": True}, "`verify` must be False for 'flat'"),
        ({"factors": {}}, "`factors` is for the user's own images"),
    ],
)
def test_arguments_that_do_not_go_with_it_are_refused(arguments, match):
    sets.register("flat", plain)
    with pytest.raises(ValueError, match=match):
        load("flat", **arguments)


WORKER = """
import sys
from pathlib import Path
from sparsevae.data import Toy, load, register
from sparsevae.study.cells import worker

register("top", Toy)
if __name__ == "__main__":
    register("here", Toy)
    for name in ("top", "here"):
        process = worker.start("sparsevae.data:load", name, core=None, log=Path(sys.argv[1], name))
        process.join()
        print(len(load(name)), process.exitcode)
"""


def test_workers_know_what_a_script_registers_at_its_top_level(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WORKER)
    command = [sys.executable, script, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["221184", "0", "221184", "1"], done.stderr
    assert "known in the process that called it only" in (tmp_path / "here").read_text()


# Sets that installed packages announce

MODULE = """
import numpy as np
from sparsevae.data import from_array
print("imported")
def flat():
    return from_array(np.full((5, 4, 4), 9, np.uint8))
NUMBER = 3
"""
ANNOUNCED = """[sparsevae.data]
flat = announced_sets:flat
absent = announced_sets:absent
gone = no_such_module:flat
number = announced_sets:NUMBER
toy = announced_sets:flat
color_flat = announced_sets:flat
twice = announced_sets:flat
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs code in a process where packages are installed that announce sets; gives its output."""
    site = tmp_path_factory.mktemp("site")
    (site / "announced_sets.py").write_text(MODULE)
    for package, announced in (
        ("first", ANNOUNCED),
        ("second", "[sparsevae.data]\ntwice = announced_sets:flat\n"),
    ):
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(announced)

    def python(code, *arguments):
        start = f"import sys; sys.path.insert(0, {str(site)!r})\n"
        command = [sys.executable, "-c", start + code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return python


TRIES = """
from sparsevae.data import load, register
from sparsevae.study import RunSettings

def said(call):
    try:
        print(call())
    except (ImportError, TypeError, ValueError) as error:
        print(type(error).__name__, error)

said(lambda: len(load("toy")))
said(lambda: RunSettings(name="a", data="flat").data)
said(lambda: RunSettings(name="a", data="flatt").data)
for name in ("flat", "noisy_flat", "absent", "gone", "number", "twice"):
    said(lambda: load(name))
said(lambda: register("flat", print))
"""


def test_announced_sets_are_loaded_when_they_are_asked_for(python):
    done = python(TRIES)
    assert done.returncode == 0, done.stderr
    expected = [
        "221184",
        "flat",
        "ValueError `data` must be one of 'dsprites', ",
        "imported",
        "<flat, source 'array': 5 images (4, 4, 1)>",
        "<noisy_flat, source 'array': 5 images (4, 4, 3)>",
        "ImportError `name` 'absent', a set that the package first announces, cannot be imported: "
        "AttributeError: module 'announced_sets' has no attribute 'absent'",
        "ImportError `name` 'gone', a set that the package first announces, cannot be imported: "
        "ModuleNotFoundError: No module named 'no_such_module'",
        "TypeError `make` must be callable without arguments",
        "ValueError `name` 'twice' must be announced by one package. Received: first, second",
        "ValueError `name` must not be taken",
    ]
    lines = done.stdout.splitlines()
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)
    assert "'absent', 'flat', 'gone', 'number', 'twice'" in lines[2]
    passed_over = [line for line in done.stderr.splitlines() if "passed over" in line]
    assert [line.split("'")[1] for line in passed_over] == ["color_flat", "toy"]


def test_commands_know_announced_sets(python):
    code = "from sparsevae.commands.console import main\nmain()"
    done = python(code, "data", "describe", "flat")
    assert done.returncode == 0 and "flat, source 'array'" in done.stdout
    done = python(code, "data", "describe", "gone")
    assert done.returncode == 1 and "Error: `name` 'gone'" in done.stderr
    assert "Traceback" not in done.stderr
