import io
import logging
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from true_files import DSPRITES as TINY
from true_files import sprite_classes, sprites

from sparsevae.data import DataFileError, DSprites, catalog, load
from sparsevae.data.read.dsprites import FILE_NAME, read_dsprites


class Bomb:
    """Unpickling it fails the test."""

    def __reduce__(self):
        return pytest.fail, ("a member was unpickled",)


def tiny_arrays():
    classes = sprite_classes()
    return {
        "metadata": np.array(Bomb(), dtype=object),
        "imgs": sprites(),
        "latents_classes": classes,
        "latents_values": classes.astype(np.float64),
    }


def archive_bytes(**changes):
    """A file in the true format; a change of None leaves the array out."""
    arrays = {key: array for key, array in (tiny_arrays() | changes).items() if array is not None}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


WHOLE = archive_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE_NAME


def read(path, content):
    path.write_bytes(content)
    return read_dsprites(path, TINY)


@pytest.mark.parametrize("on", [1, 255])
def test_whole_file(path, on):
    data = read(path, archive_bytes(imgs=sprites() * np.uint8(on)))
    assert data.source == "file" and data.name == "dsprites" and len(data) == 96
    assert data.image_shape == (64, 64, 1) and data.factor_sizes == TINY.sizes
    images = data.images(np.arange(96))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[..., 0], 255 * sprites())


def test_headers_written_by_python_2(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in ("imgs", "latents_classes"):
            array = tiny_arrays()[key]
            shape = "".join(f"{size}L, " for size in array.shape)
            header = f"{{'descr': '{array.dtype.str}', 'fortran_order': False, 'shape': ({shape})}}"
            header = header.ljust(117) + "\n"
            start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
            archive.writestr(f"{key}.npy", start + header.encode() + array.tobytes())
    images = read_dsprites(path, TINY).images(np.arange(96))
    np.testing.assert_array_equal(images[..., 0], 255 * sprites())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty.*failed download"),
        (b"<html><head><title>Not found", "not an npz archive .starts with b'<html>.*download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\n", "not an npz archive"),
        (b"PK\x03\x04", "damaged or truncated"),
    ],
)
def test_other_content_is_named(path, content, match):
    with pytest.raises(DataFileError, match=match) as error:
        read(path, content)
    assert FILE_NAME in str(error.value)


def test_truncation_anywhere_is_found(path):
    for length in range(1, len(WHOLE), len(WHOLE) // 60):
        with pytest.raises(DataFileError, match=FILE_NAME):
            read(path, WHOLE[:length])


@given(position=st.integers(0, len(WHOLE) - 1), bits=st.integers(1, 255))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_changed_byte_is_found_or_harmless(path, position, bits):
    content = bytearray(WHOLE)
    content[position] ^= bits
    try:
        data = read(path, bytes(content))
    except DataFileError as error:
        assert FILE_NAME in str(error)
    else:
        np.testing.assert_array_equal(data.images(np.arange(96))[..., 0], 255 * sprites())


def shuffled(array, rows=(40, 41)):
    array = array.copy()
    array[list(rows)] = array[list(rows[::-1])]
    return array


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"imgs": None}, "lacks 'imgs'; it has .*'metadata', 'latents_classes', 'latents_values'"),
        ({"latents_classes": None}, "lacks 'latents_classes'"),
        ({"imgs": sprites().astype(np.float32)}, "imgs is float32 .*expected uint8"),
        ({"imgs": sprites()[1:]}, r"imgs is uint8 \(95, 64, 64\); expected uint8 \(96, 64, 64"),
        ({"imgs": sprites()[..., None]}, "imgs is uint8"),
        ({"imgs": np.asfortranarray(sprites())}, "Fortran order"),
        ({"imgs": np.array(Bomb(), dtype=object)}, "imgs is object"),
        ({"latents_classes": np.zeros((96, 5), np.int64)}, "latents_classes is int64"),
        ({"latents_classes": np.zeros((96, 6))}, "latents_classes is float64"),
        ({"latents_classes": np.array(Bomb(), dtype=object)}, "latents_classes is object"),
        (
            {"latents_classes": shuffled(tiny_arrays()["latents_classes"])},
            r"row 40 of latents_classes is \[0, 1, 0, 2, 0, 1\]; expected \[0, 1, 0, 2, 0, 0\]",
        ),
        ({"imgs": sprites() * np.uint8(2)}, "values other than"),
        ({"imgs": sprites() + np.uint8(254)}, "values other than"),
        ({"imgs": np.maximum(sprites(), np.eye(64, dtype=np.uint8) * 255)}, "values other"),
    ],
)
def test_wrong_arrays_are_named(path, changes, match):
    with pytest.raises(DataFileError, match=match):
        read(path, archive_bytes(**changes))


def test_values_must_agree_across_pieces(path, monkeypatch):
    monkeypatch.setattr("sparsevae.data.read.dsprites._ROWS", 10)
    images = sprites()
    np.testing.assert_array_equal(
        read(path, archive_bytes(imgs=images)).images(np.arange(96))[..., 0], 255 * images
    )
    images[50:] *= 255
    with pytest.raises(DataFileError, match=r"found in images 50 \.\.\. 59"):
        read(path, archive_bytes(imgs=images))


@pytest.mark.parametrize(("change", "match"), [(-1, "ends too early"), (1, "longer than")])
def test_data_must_be_as_long_as_its_header_says(path, change, match):
    with zipfile.ZipFile(path, "w") as archive:
        for key in ("imgs", "latents_classes"):
            file = io.BytesIO()
            np.save(file, tiny_arrays()[key])
            content = file.getvalue() + b"\0"
            archive.writestr(f"{key}.npy", content[: len(content) - 1 + change])
    with pytest.raises(DataFileError, match=match):
        read_dsprites(path, TINY)


def test_auto_renders_without_a_file(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "sparsevae"):
        data = load("dsprites", data_dir=tmp_path)
    assert data.source == "render" and len(data) == 737_280
    assert "rendered" in caplog.text


@pytest.fixture
def tiny_catalog(monkeypatch):
    """`load` expects the small grid instead of the whole set."""
    entry = catalog._ENTRIES["dsprites"]
    small = {"read": lambda path, verify: read_dsprites(path, TINY, verify=verify)}
    monkeypatch.setitem(catalog._ENTRIES, "dsprites", catalog.dataclasses.replace(entry, **small))


@pytest.mark.parametrize("folder", ["", "dsprites"])
@pytest.mark.parametrize(
    "place", ["data_dir", "SPARSEVAE_DATA", "DISENTANGLEMENT_LIB_DATA", "cache"]
)
@pytest.mark.usefixtures("tiny_catalog")
def test_every_place_is_searched(tmp_path, monkeypatch, place, folder):
    root = tmp_path / ("cache" if place == "cache" else "data")
    (root / folder).mkdir(parents=True)
    (root / folder / FILE_NAME).write_bytes(WHOLE)
    if place.isupper():
        monkeypatch.setenv(place, str(root))
    data_dir = root if place == "data_dir" else None
    for source in ("auto", "file"):
        assert load("dsprites", data_dir=data_dir, source=source).source == "file"
    assert load("dsprites", data_dir=data_dir, source="render").source == "render"


@pytest.mark.usefixtures("tiny_catalog")
def test_data_dir_comes_first_then_our_own_variable(tmp_path, monkeypatch):
    for name, content in (("first", WHOLE), ("second", b"damaged"), ("third", b"damaged")):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE_NAME).write_bytes(content)
    monkeypatch.setenv("SPARSEVAE_DATA", str(tmp_path / "second"))
    monkeypatch.setenv("DISENTANGLEMENT_LIB_DATA", str(tmp_path / "third"))
    assert load("dsprites", data_dir=tmp_path / "first").source == "file"
    with pytest.raises(DataFileError, match="second"):
        load("dsprites")


@pytest.mark.parametrize("source", ["auto", "file"])
def test_a_damaged_file_is_never_replaced(path, source):
    path.write_bytes(WHOLE[:5000])
    with pytest.raises(DataFileError, match="damaged"):
        load("dsprites", data_dir=path.parent, source=source)


def test_absence_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        load("dsprites", data_dir=tmp_path, source="file")
    message = str(error.value)
    for part in (f"{tmp_path}, ", f"{tmp_path / 'dsprites'}, ", FILE_NAME):
        assert part in message
    for part in ("26 MB", "SPARSEVAE_DATA", "source='render'", "dsprites-dataset"):
        assert part in message


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"name": "dsprite"}, ValueError, "`name`.*Did you mean 'dsprites'.*'dsprite'"),
        ({"name": "mnist"}, ValueError, "`name` must be one of 'dsprites'.*'mnist'"),
        ({"name": None}, TypeError, "`name`.*None"),
        (
            {"source": "files"},
            ValueError,
            "`source`.*'auto', 'file', 'tfds'.*'file'.*'files'",
        ),
        ({"data_dir": "/does/not/exist"}, FileNotFoundError, "`data_dir`.*/does/not/exist"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        load(**{"name": "dsprites"} | arguments)


@pytest.mark.slow
def test_whole_file_of_the_true_size(path):
    rendered = DSprites()
    pieces = [np.arange(start, start + 4096) for start in range(0, len(rendered), 4096)]
    members = {
        "imgs": ("|u1", (len(rendered), 64, 64), lambda piece: rendered.images(piece) // 255),
        "latents_classes": (
            "<i8",
            (len(rendered), 6),
            lambda piece: np.insert(rendered.factors(piece), 0, 0, axis=1),
        ),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, (descr, shape, rows) in members.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for piece in pieces:
                    member.write(rows(piece).tobytes())
    data = load("dsprites", data_dir=path.parent)
    assert data.source == "file"
    for piece in pieces[::6]:
        np.testing.assert_array_equal(data.images(piece), rendered.images(piece))
