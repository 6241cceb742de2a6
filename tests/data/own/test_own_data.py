"""Anybody's own images: folders, arrays and prepared sets."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sparsevae.data import DataFileError, GroundTruthData, load
from sparsevae.data.array import PlainArray
from sparsevae.data.image_data import MissingFactorsError
from sparsevae.data.own import folder as folder_room
from sparsevae.data.own.loading import from_array, is_own

RNG = np.random.default_rng(0)
GREY = RNG.integers(256, size=(6, 5, 7), dtype=np.uint8)
COLOR = RNG.integers(256, size=(6, 5, 7, 3), dtype=np.uint8)
ALL = np.arange(6)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


@pytest.fixture
def folder(tmp_path):
    """Six colour images in a folder, one of them further below, among other files."""
    place = tmp_path / "photos"
    for name, image in zip(NAMES, COLOR, strict=True):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / name)
    (place / "README.txt").write_text("not an image")
    (place / ".hidden.png").write_bytes(b"not an image")
    (place / ".thumbnails").mkdir()
    (place / ".thumbnails" / "a.png").write_bytes(b"not an image")
    return place


NAMES = ["a.png", "b/x.png", "c.BMP", "d.png", "e.tiff", "f.ppm"]


# Folders


def test_a_folder_is_its_images_in_the_order_of_their_names(folder):
    data = load(str(folder))
    assert (data.name, data.source, len(data)) == ("photos", "file", 6)
    assert isinstance(data, PlainArray) and data.image_shape == (5, 7, 3)
    np.testing.assert_array_equal(data.images(ALL), COLOR)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data)).images([3]), COLOR[[3]])
    assert next(iter(data.as_tf_dataset(batch_size=2))).shape == (2, 5, 7, 3)
    assert repr(data) == "<photos, source 'file': 6 images (5, 7, 3)>"


def test_without_factors_what_needs_them_says_so(folder):
    data = load(folder)
    assert not hasattr(data, "factors") and not hasattr(data, "index")
    with pytest.raises(MissingFactorsError, match=r"photos has no factors.*factors=\.\.\."):
        data.sample(3, RNG)


def test_images_are_decoded_once(folder, monkeypatch):
    first = load(folder)
    monkeypatch.setattr(folder_room, "decoded", None)
    monkeypatch.setattr(folder_room, "_shape", None)
    np.testing.assert_array_equal(load(folder).images(ALL), first.images(ALL))


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename"])
def test_a_changed_folder_is_read_anew(folder, change):
    load(folder)
    if change == "edit":
        Image.fromarray(COLOR[0][::-1]).save(folder / "d.png")
    elif change == "add":
        Image.fromarray(COLOR[0]).save(folder / "g.png")
    elif change == "remove":
        (folder / "d.png").unlink()
    else:
        (folder / "a.png").rename(folder / "z.png")
    expected = {
        "edit": np.stack([*COLOR[:3], COLOR[0][::-1], *COLOR[4:]]),
        "add": COLOR[[0, 1, 2, 3, 4, 5, 0]],
        "remove": COLOR[[0, 1, 2, 4, 5]],
        "rename": COLOR[[1, 2, 3, 4, 5, 0]],
    }[change]
    data = load(folder)
    np.testing.assert_array_equal(data.images(np.arange(len(expected))), expected)


def test_two_folders_of_one_name_do_not_share_a_copy(folder, tmp_path):
    other = tmp_path / "elsewhere" / "photos"
    other.mkdir(parents=True)
    Image.fromarray(GREY[0]).save(other / "a.png")
    assert len(load(folder)) == 6
    assert load(other).image_shape == (5, 7, 1)
    assert len(load(folder)) == 6


@pytest.mark.parametrize(
    ("mode", "n_channels"), {"L": 1, "1": 1, "LA": 1, "P": 3, "RGB": 3, "RGBA": 3}.items()
)
def test_grey_or_colour_is_decided_by_the_files(tmp_path, mode, n_channels):
    image = Image.fromarray(COLOR[0]).convert(mode)
    image.save(tmp_path / "a.png")
    data = load(tmp_path)
    assert data.image_shape == (5, 7, n_channels)
    expected = np.reshape(image.convert("L" if n_channels == 1 else "RGB"), (5, 7, n_channels))
    np.testing.assert_array_equal(data.images([0])[0], expected)


def test_a_grey_image_among_colour_ones_becomes_colour(folder):
    Image.fromarray(GREY[0]).save(folder / "0.png")
    np.testing.assert_array_equal(load(folder).images([0])[0], np.stack([GREY[0]] * 3, axis=-1))


def test_images_of_several_sizes_need_an_image_size(folder):
    Image.fromarray(COLOR[0][:, :4]).save(folder / "d.png")
    message = r"`image_size` must be given.*a\.png of 5 x 7 and .*d\.png of 5 x 4 pixels"
    with pytest.raises(DataFileError, match=message):
        load(folder)
    assert load(folder, image_size=4).image_shape == (4, 4, 3)


def test_image_size_cuts_the_middle_and_keeps_proportions(tmp_path):
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "a.png")
    Image.fromarray(wide.T).save(tmp_path / "b.png")
    np.testing.assert_array_equal(load(tmp_path, image_size=10).images([0, 1]), 200)
    # Lanczos reaches a little beyond the cut: the edge is not quite 200, and far from squeezed.
    np.testing.assert_allclose(load(tmp_path, image_size=5).images([0, 1]), 200.0, atol=12)


def test_photographs_are_turned_as_their_exif_says(tmp_path):
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, 16:] = 255
    for name, orientation in (("a.jpg", 6), ("b.jpg", 8)):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(picture).save(tmp_path / name, exif=exif, quality=95)
    data = load(tmp_path)
    assert data.image_shape == (32, 16, 3)
    first, second = data.images([0, 1]).mean(axis=(2, 3))
    assert first[-1] > 250 > 5 > first[0]
    assert second[0] > 250 > 5 > second[-1]


def test_more_images_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_room, "_BLOCK", 4)
    for k in range(10):
        Image.fromarray(np.full((2, 2), k, np.uint8)).save(tmp_path / f"{k}.png")
    np.testing.assert_array_equal(load(tmp_path).images(np.arange(10))[:, 0, 0, 0], np.arange(10))


def transparent():
    return Image.fromarray(np.full((5, 7, 4), 128, np.uint8))


def frames(path):
    first, *others = (Image.fromarray(image) for image in GREY)
    first.save(path, save_all=True, append_images=others)


@pytest.mark.parametrize(
    ("name", "write", "match"),
    [
        ("d.png", lambda path: path.write_bytes(b""), "is damaged or truncated"),
        ("d.png", lambda path: path.write_bytes(b"<html>"), "is damaged or truncated"),
        ("d.png", lambda path: path.write_bytes(path.read_bytes()[:90]), "damaged or truncated"),
        ("d.png", lambda path: transparent().save(path), "is transparent in places"),
        (
            "d.png",
            lambda path: Image.fromarray(GREY[0].astype(np.uint16)).save(path),
            "has pixels of more than 8 bits a channel; expected 8",
        ),
        ("e.tiff", frames, "holds 6 pictures"),
    ],
    ids=["empty", "html", "truncated", "transparent", "16 bits", "several frames"],
)
def test_a_bad_image_is_named_and_no_copy_is_kept(folder, name, write, match):
    write(folder / name)
    for _ in range(2):
        with pytest.raises(DataFileError, match=match) as error:
            load(folder)
        assert name in str(error.value) and "\n" not in str(error.value)
    assert not [*(folder.parent / "cache").rglob("*.npy")]


@given(position=st.integers(0, 10**6), bits=st.integers(1, 255), kind=st.sampled_from("aef"))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd metadata
def test_a_changed_byte_is_found_or_gives_an_image(tmp_path, position, bits, kind):
    place = tmp_path / "one"
    place.mkdir(exist_ok=True)
    path = place / {"a": "a.png", "e": "a.tiff", "f": "a.jpg"}[kind]
    for old in place.iterdir():
        old.unlink()
    Image.fromarray(COLOR[0]).save(path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= bits
    path.write_bytes(bytes(content))
    try:
        data = load(place)
    except DataFileError as error:
        assert path.name in str(error)
    else:
        assert len(data) == 1


def test_a_folder_without_images_says_what_it_looked_for(tmp_path):
    with pytest.raises(DataFileError, match=r"holds no images \(\.png, "):
        load(tmp_path)


# Arrays in files


def rows_of(path, **arguments):
    data = load(path, **arguments)
    return data, data.images(np.arange(len(data)))


@pytest.mark.parametrize("images", [GREY, GREY[..., None], COLOR], ids=["3-d", "4-d", "colour"])
@pytest.mark.parametrize("suffix", [".npy", ".npz", "compressed.npz"])
def test_bytes_are_read_as_they_are(tmp_path, images, suffix):
    path = tmp_path / f"mine{suffix}"
    other = {"labels": np.arange(6), "faces": RNG.random((6, 5, 7))}
    if suffix == ".npy":
        np.save(path, images)
    else:
        write = np.savez_compressed if "compressed" in suffix else np.savez
        write(path, x=images, pickled=np.array({}, dtype=object), **other)
    data, found = rows_of(str(path))
    assert (data.name, data.source) == (path.stem, "file")
    np.testing.assert_array_equal(found, images.reshape(6, 5, 7, -1))
    assert bool([*(tmp_path / "cache").rglob("*.npy")]) == ("compressed" in suffix)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "?"])
def test_floats_and_booleans_are_converted_once(tmp_path, suffix, dtype, monkeypatch):
    monkeypatch.setattr("sparsevae.data.own.array._PIECE", 100)
    images = (GREY / 255).astype(dtype)
    path = tmp_path / f"mine{suffix}"
    np.save(path, images) if suffix == ".npy" else np.savez(path, x=images)
    data, found = rows_of(path)
    expected = np.rint(images.astype(np.float64) * 255).astype(np.uint8)[..., None]
    np.testing.assert_array_equal(found, expected)
    monkeypatch.setattr("sparsevae.data.own.array.as_bytes", None)
    np.testing.assert_array_equal(rows_of(path)[1], expected)
    assert data.image_shape == (5, 7, 1)


@pytest.mark.parametrize("images", [GREY, COLOR, GREY / 255], ids=["grey", "colour", "float"])
def test_arrays_take_an_image_size(tmp_path, images):
    path = tmp_path / "mine.npy"
    np.save(path, np.repeat(np.repeat(images, 4, axis=1), 4, axis=2))
    data, found = rows_of(path, image_size=5)
    assert data.image_shape == (5, 5, images.shape[3] if images.ndim == 4 else 1)
    middle = images[:, 1:4, 2:5].astype(float) * (255 if images.dtype.kind == "f" else 1)
    assert np.corrcoef(found[:, 1:4, 1:4].ravel(), middle.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.transpose(COLOR, (0, 3, 1, 2)).copy(), r"uint8 \(6, 3, 5, 7\); expected \(n, height"),
        (GREY[0], r"uint8 \(5, 7\); expected"),
        (GREY[:0], "expected"),
        (GREY.astype(np.int64), r"int64 .*expected .*uint8, bool or floats"),
        (np.asfortranarray(GREY), "Fortran order"),
        (np.array({}, dtype=object), "object"),
        (GREY.astype(np.float32), r"images 0 to 5: values from 0 to 249; floats must lie in"),
        (np.where(GREY > 9, np.nan, 0.5), r"nan; floats must lie in \[0, 1\]"),
        (GREY // 128, "Received: 0 and 1 only"),
    ],
)
def test_arrays_that_are_no_images_are_named(tmp_path, array, match):
    for name, write in (("mine.npy", np.save), ("mine.npz", lambda p, x: np.savez(p, pics=x))):
        write(tmp_path / name, array)
        with pytest.raises(DataFileError, match=match if name == "mine.npy" else None) as error:
            load(tmp_path / name)
        assert name in str(error.value)


def test_an_archive_must_have_one_array_of_images(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, left=GREY, right=COLOR, label=ALL)
    message = r"2 arrays that can be images: left uint8 \(6, 5, 7\), right uint8 .*label int64 \(6,"
    with pytest.raises(DataFileError, match=message):
        load(path)
    np.savez(path, label=ALL)
    with pytest.raises(DataFileError, match=r"no array of images: label int64 \(6,\); expected"):
        load(path)


@pytest.mark.parametrize("name", ["mine.npy", "mine.npz"])
def test_damaged_arrays_are_named(tmp_path, name):
    path = tmp_path / name
    np.save(path, GREY) if name.endswith("npy") else np.savez(path, x=GREY)
    content = path.read_bytes()
    for damaged in (b"", b"<html>", content[:-9], content[:40]):
        path.write_bytes(damaged)
        with pytest.raises(DataFileError, match=name):
            load(path)


def test_a_longer_file_than_its_header_says_is_refused(tmp_path):
    path = tmp_path / "mine.npy"
    np.save(path, GREY)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataFileError, match=r"has 339 of 338 bytes"):
        load(path)


# Arrays in memory


def test_arrays_in_memory():
    data = from_array(COLOR, name="mine")
    assert (data.name, data.source) == ("mine", "array")
    np.testing.assert_array_equal(data.images(ALL), COLOR)
    np.testing.assert_array_equal(from_array(GREY > 99).images(ALL)[..., 0], 255 * (GREY > 99))
    with pytest.raises(ValueError, match=r"`images`.*int64, shape \(6,\)"):
        from_array(ALL)
    with pytest.raises(ValueError, match="`images`: values from"):
        from_array(GREY.astype(float))


# Prepared by TensorFlow Datasets


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Sets prepared by TensorFlow Datasets itself: grey, of several sizes, of two images each."""
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp("tfds")
    grey, any_size = (tfds.features.Image(shape=s) for s in ((5, 7, 1), (None, None, 3)))
    pictures = [image[:, :width] for width, image in enumerate(COLOR, start=2)]
    sets = {
        "digits": {"image": (grey, GREY[..., None])},
        "scenes": {"photo": (any_size, pictures)},
        "stereo": {"left": (grey, GREY[..., None]), "right": (grey, GREY[..., None])},
    }
    for name, columns in sets.items():
        columns["label"] = tfds.features.Scalar(np.int64), ALL
        rows = [(k, {key: column[k] for key, (_, column) in columns.items()}) for k in range(6)]
        features = {key: feature for key, (feature, _) in columns.items()}
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            features=tfds.features.FeaturesDict(features),
            split_datasets={"train": rows, "test": rows[:2]},
            data_dir=root,
            disable_shuffling=True,
        )
    return root


def test_prepared_sets_are_read_in_order_and_decoded_once(prepared, monkeypatch):
    data = load("tfds:digits", data_dir=prepared)
    assert (data.name, data.source, data.image_shape) == ("digits", "tfds", (5, 7, 1))
    np.testing.assert_array_equal(data.images(ALL)[..., 0], GREY)
    monkeypatch.setattr("sparsevae.data.own.tfds._fitted", None)
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    np.testing.assert_array_equal(load("tfds:digits").images(ALL)[..., 0], GREY)


def test_prepared_sets_take_a_split_a_size_and_factors(prepared):
    data = load("tfds:digits:test", data_dir=prepared)
    assert (data.name, len(data)) == ("digits:test", 2)
    np.testing.assert_array_equal(data.images([0, 1])[..., 0], GREY[:2])
    assert load("tfds:scenes", data_dir=prepared, image_size=4).image_shape == (4, 4, 3)
    data = load("tfds:digits", data_dir=prepared, factors={"digit": ALL})
    assert isinstance(data, GroundTruthData)


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("tfds:mnist", FileNotFoundError, r"mnist was not prepared .*tensorflow_datasets\.load"),
        ("tfds:digits:tset", ValueError, "`split`.*'test'.*Did you mean 'test'"),
        ("tfds:scenes", DataFileError, "`image_size` must be given.*several sizes"),
        ("tfds:stereo", DataFileError, r"one image an example.*\['left', 'right'\]"),
    ],
)
def test_prepared_sets_that_do_not_fit_are_named(prepared, name, error, match):
    with pytest.raises(error, match=match):
        load(name, data_dir=prepared)


# Names


@pytest.mark.parametrize(
    ("name", "own"),
    {
        "dsprites": False,
        "noisy_dsprites": False,
        "photos": False,
        "./photos": True,
        "~": True,
        "/a": True,
        "a/b": True,
        "a.npz": True,
        "a.npy": True,
        "tfds:mnist": True,
    }.items(),
)
def test_what_counts_as_a_path(name, own):
    assert is_own(name) == own


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"name": "./absent"}, FileNotFoundError, "no file or folder ./absent"),
        ({"name": "photos"}, ValueError, "`name` 'photos' is not a known set.*'./photos'"),
        ({"name": "./notes.txt"}, ValueError, "`name` must be .*Received: notes.txt"),
        ({"source": "render"}, ValueError, "`source` must be one of 'auto', 'file'.*'render'"),
        ({"source": "tfds"}, ValueError, "`source` must be one of 'auto', 'file'.*'tfds'"),
        ({"data_dir": "."}, ValueError, "`data_dir` must be None"),
        ({"image_size": 0}, ValueError, "`image_size`.*0"),
        ({"background": "a.png"}, ValueError, "`background` is for 'scream_NAME' only"),
        ({"name": "dsprites", "factors": {}}, ValueError, "`factors` is for the user's own"),
        ({"name": "noisy_toy", "image_size": 32}, ValueError, "`image_size` is for rendered sets"),
        ({"name": "noisy_dsprite"}, ValueError, "Did you mean 'dsprites'"),
        ({"name": 3}, TypeError, "`name`.*3"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(folder, monkeypatch, arguments, error, match):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "notes.txt").write_text("")
    with pytest.raises(error, match=match):
        load(**{"name": "./photos"} | arguments)


def test_variants_of_own_images(folder, monkeypatch):
    data = load(f"noisy_{folder}", factors={"number": ALL})
    assert data.name == "noisy_photos" and isinstance(data, GroundTruthData)
    monkeypatch.chdir(folder.parent)
    assert load("color_./photos").name == "color_photos"
    (folder.parent / "color_photos").symlink_to(folder)
    assert load("color_photos/b").name == "b"  # a path like any other


def test_variants_by_name():
    data = load("noisy_dsprites")
    assert (data.name, data.image_shape) == ("noisy_dsprites", (64, 64, 3))
    assert isinstance(data, GroundTruthData)
    picture = np.full((64, 64, 3), 200, np.uint8)
    images = load("scream_dsprites", background=picture).images([0])
    assert len(np.unique(images)) <= 6  # a colour and its negative, in each channel
