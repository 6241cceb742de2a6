"""Sets that TensorFlow Datasets prepared: shuffled, damaged, in several versions."""

import dataclasses
import functools
import json
import shutil

import numpy as np
import prepared
import pytest
import tensorflow_datasets as tfds
import true_files
from true_files import assert_one_line, nothing_kept

from sparsevae.data import DataFileError, catalog, load
from sparsevae.data.read import tfds_prepared

SPACES = {
    "dsprites": true_files.DSPRITES,
    "shapes3d": true_files.SHAPES3D,
    "smallnorb": true_files.SMALLNORB,
}


def reader(name):
    argument = "grid" if name == "smallnorb" else "factor_space"
    read = getattr(tfds_prepared, f"read_{name}")
    return functools.partial(read, **{argument: SPACES[name]})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All three sets, prepared once."""
    folder = tmp_path_factory.mktemp("prepared")
    for name in SPACES:
        prepared.prepare(name, folder)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name in SPACES:
        entry = dataclasses.replace(catalog._ENTRIES[name], tfds=reader(name))
        monkeypatch.setitem(catalog._ENTRIES, name, entry)


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def download(*arguments, **options):
        pytest.fail("something was to be downloaded")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", download)
    monkeypatch.setattr(tfds.download.DownloadManager, "download", download)


def images_of(name):
    data = load(name, source="tfds")
    assert data.name == name and data.source == "tfds"
    return data.images(np.arange(len(data)))


def test_the_set_was_shuffled(root):
    builder = tfds.builder_from_directory(root / "shapes3d" / "2.0.0")
    labels = [row["label_orientation"] for row in tfds.as_numpy(builder.as_dataset(split="train"))]
    assert labels != [k % 3 for k in range(len(labels))]


def test_images_are_back_in_order(root, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    np.testing.assert_array_equal(images_of("dsprites")[..., 0], 255 * true_files.sprites())
    expected = true_files.banded(SPACES["shapes3d"], (64, 64, 3))
    np.testing.assert_array_equal(images_of("shapes3d"), expected)


def test_smallnorb_is_the_same_as_from_its_files(root, folder, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    read, space = true_files.FORMATS["smallnorb"][1:]
    data = read(true_files.write_smallnorb(folder), space)
    np.testing.assert_array_equal(images_of("smallnorb"), data.images(np.arange(len(data))))
    assert load("smallnorb", source="tfds").factor_names == data.factor_names


def test_it_is_converted_once(root, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    first = images_of("shapes3d")
    monkeypatch.setattr(tfds_prepared, "_batches", pytest.fail)
    np.testing.assert_array_equal(images_of("shapes3d"), first)
    assert load("shapes3d", source="tfds", verify=True).source == "tfds"


@pytest.mark.parametrize("place", ["data_dir", "SPARSEVAE_DATA", "TFDS_DATA_DIR", "home"])
def test_every_place_is_searched(root, tmp_path, monkeypatch, place):
    if place.isupper():
        monkeypatch.setenv(place, str(root))
    if place == "home":
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "tensorflow_datasets").symlink_to(root)
    data_dir = root if place == "data_dir" else None
    for source in ("auto", "tfds"):
        assert load("shapes3d", data_dir, source).source == "tfds"


def test_a_file_comes_first(root, folder):
    shutil.copytree(root / "shapes3d", folder / "shapes3d")
    true_files.write_shapes3d(folder)
    with pytest.raises(DataFileError, match=r"3dshapes\.h5: .*expected"):
        load("shapes3d", folder)
    assert load("shapes3d", folder, "tfds").source == "tfds"


def test_the_newest_whole_version_is_taken(root, folder, caplog):
    for version in ("2.0.0", "10.0.0", "incomplete.ABC_11.0.0"):
        shutil.copytree(root / "shapes3d" / "2.0.0", folder / "shapes3d" / version)
    (folder / "shapes3d" / "12.0.0").mkdir()  # nothing in it
    with caplog.at_level("INFO", "sparsevae"):
        load("shapes3d", folder)
    assert f"read from {folder / 'shapes3d' / '10.0.0'}" in caplog.text


def test_absence_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        load("shapes3d", tmp_path, "tfds")
    assert_one_line(error, tmp_path / "shapes3d")
    for part in (
        "tensorflow_datasets/shapes3d",
        "`sparsevae data fetch shapes3d`",
        "TFDS_DATA_DIR",
    ):
        assert part in str(error.value)


def truncate(path):
    record = next(path.glob("*.tfrecord*"))
    record.write_bytes(record.read_bytes()[:-1000])


def flip(path):
    record = next(path.glob("*.tfrecord*"))
    content = bytearray(record.read_bytes())
    content[len(content) // 2] ^= 1
    record.write_bytes(content)


def fewer(path):
    info = json.loads((path / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["143"]
    (path / "dataset_info.json").write_text(json.dumps(info))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (truncate, "damaged or truncated"),
        (flip, "damaged or truncated"),
        (lambda path: next(path.glob("*.tfrecord*")).unlink(), "damaged or truncated"),
        (lambda path: (path / "features.json").unlink(), "damaged or truncated"),
        (lambda path: (path / "features.json").write_text("<html>"), "damaged or truncated"),
        (lambda path: (path / "dataset_info.json").write_text("[]"), "damaged or truncated"),
        (fewer, "has 143 images; expected 144"),
    ],
    ids=["truncated", "flipped", "no record", "no features", "html", "list", "fewer"],
)
def test_damage_is_named(root, folder, cache, damage, match):
    shutil.copytree(root / "shapes3d", folder / "shapes3d")
    damage(folder / "shapes3d" / "2.0.0")
    with pytest.raises(DataFileError, match=match) as error:
        load("shapes3d", folder)
    assert_one_line(error, folder / "shapes3d" / "2.0.0")
    assert nothing_kept(cache)


ZERO = np.zeros(144, np.int64)
OTHERS = {  # sets of other features, and what is said of them
    "lacking": ({"label_scale": None}, r"lacks \['label_scale'\]; it has \['image', "),
    "classes": (
        {"label_scale": (tfds.features.ClassLabel(num_classes=9), ZERO)},
        "label_scale has 9 classes; expected 2",
    ),
    "double": (
        {"label_scale": (tfds.features.ClassLabel(num_classes=2), ZERO)},
        r"has [02] images of floor_hue=.*expected exactly 1 \(144 of 144",
    ),
    "shape": (
        {"image": (tfds.features.Image(shape=(32, 32, 3)), np.zeros((144, 32, 32, 3), np.uint8))},
        r"image is \(32, 32, 3\); expected \(64, 64, 3\)",
    ),
}


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Folders of these sets, prepared before `no_download` forbids it."""
    return {
        name: prepared.prepare("shapes3d", tmp_path_factory.mktemp(name), **changes)
        for name, (changes, _) in OTHERS.items()
    }


@pytest.mark.parametrize("name", OTHERS)
def test_other_features_are_named(others, cache, name):
    with pytest.raises(DataFileError, match=OTHERS[name][1]) as error:
        reader("shapes3d")(others[name])
    assert_one_line(error, others[name])
    assert nothing_kept(cache)


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """dSprites whose pixels are 0 and 255."""
    images = true_files.sprites()[..., None] * np.uint8(255)
    change = tfds.features.Image(shape=(64, 64, 1)), images
    return prepared.prepare("dsprites", tmp_path_factory.mktemp("bright"), image=change)


def test_sprites_of_other_values_are_refused(bright):
    with pytest.raises(DataFileError, match=r"pixels are 0 \.\.\. 255; expected 0 and 1") as error:
        reader("dsprites")(bright)
    assert_one_line(error, bright)
