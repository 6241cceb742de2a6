"""Picture files: nothing of them is lost without a word."""

import logging
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sparsevae.data import DataFileError, load
from sparsevae.export.inputs import read_image

DEEP = np.random.default_rng(0).integers(0, 2**16, (4, 6, 4)).astype(">u2")
DEEP[..., 3] = 2**16 - 1  # opaque
ORIENTATIONS = range(1, 9)


def png(array, kind, chunks=b""):
    """A PNG of 16 bits a channel; Pillow writes none in colour."""

    def chunk(name, content):
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(array):
    """A TIFF of 16 bits a channel in colour."""
    height, width, n = array.shape
    data = array.astype("<u2").tobytes()
    tags = [(256, 3, width), (257, 3, height), (258, 3, None), (259, 3, 1), (262, 3, 2)]
    tags += [(273, 4, None), (277, 3, n), (278, 3, height), (279, 4, len(data))]
    bits_at = 8 + 2 + 12 * len(tags) + 4
    values = {258: bits_at, 273: bits_at + 2 * n}
    entries = b"".join(
        struct.pack("<HHII", tag, kind, n if tag == 258 else 1, values.get(tag, value) or value)
        for tag, kind, value in tags
    )
    start = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return start + entries + struct.pack("<I", 0) + struct.pack(f"<{n}H", *[16] * n) + data


FILES = {
    "grey.png": lambda: png(DEEP[..., :1], 0),
    "rgb.png": lambda: png(DEEP[..., :3], 2),
    "rgba.png": lambda: png(DEEP, 6),
    "grey_alpha.png": lambda: png(DEEP[..., 2:], 4),
    "rgb.tif": lambda: tiff(DEEP[..., :3]),
    "rgb.ppm": lambda: b"P6 6 4 65535\n" + DEEP[..., :3].tobytes(),
    "ten_bits.ppm": lambda: b"P6 6 4 1023\n" + DEEP[..., :3].tobytes(),
    "plain.ppm": lambda: b"P3 6 4 65535\n" + b" 300" * 72,
    "grey.pgm": lambda: b"P5 6 4 65535\n" + DEEP[..., :1].tobytes(),
}


@pytest.mark.parametrize("name", FILES)
def test_more_than_eight_bits_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name]())
    with Image.open(tmp_path / name) as image:
        assert image.size == (6, 4)  # the file is whole
    with pytest.raises(DataFileError, match=f"{name} has pixels of .*expected 8 bits a channel"):
        load(tmp_path)
    for channels in (1, 3):
        with pytest.raises(ValueError, match="8 bits a channel"):
            read_image(tmp_path / name, (4, 6, channels))


def test_fewer_bits_are_read(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 6 4 15\n" + bytes(range(16)) * 4 + bytes(8))
    assert load(tmp_path).image_shape == (4, 6, 3)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(".png", "RGB"), (".webp", "RGB"), (".tif", "RGB"), (".tif", "L"), (".jpg", "RGB")],
)
def test_pictures_are_shown_as_their_exif_says(tmp_path, suffix, mode, orientation):
    picture = np.zeros((16, 32), np.uint8)
    picture[:8, :8] = 255
    upright = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.T,
        6: np.rot90(picture, -1),
        7: picture[::-1, ::-1].T,
        8: np.rot90(picture),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(picture).convert(mode).save(tmp_path / f"a{suffix}", exif=exif, **options)
    data = load(tmp_path)
    assert data.image_shape == (*upright.shape, len(mode))
    np.testing.assert_allclose(data.images(np.array([0]))[0, ..., 0], upright, atol=8)
    read = read_image(tmp_path / f"a{suffix}", (*upright.shape, len(mode)))
    np.testing.assert_allclose(read[..., 0], upright, atol=8)


def save(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


def test_linked_folders_are_followed_once(tmp_path):
    save(tmp_path / "elsewhere" / "b.png", 9)
    save(tmp_path / "photos" / "a.png", 0)
    os.symlink(tmp_path / "elsewhere", tmp_path / "photos" / "linked")
    os.symlink(tmp_path / "photos", tmp_path / "elsewhere" / "round")
    os.symlink(tmp_path / "photos" / "a.png", tmp_path / "photos" / "c.png")
    os.symlink(tmp_path / "gone.png", tmp_path / "photos" / ".d.png")
    data = load(tmp_path / "photos")
    assert data.images(np.arange(len(data)))[:, 0, 0, 0].tolist() == [0, 0, 9]  # a, c, linked/b


def test_pictures_that_are_not_read_are_counted(tmp_path, caplog):
    save(tmp_path / "a.png")
    for name in ("b.HEIC", "c.gif", "d.gif", ".hidden.gif", "notes.txt", "f.csv"):
        (tmp_path / name).touch()
    with caplog.at_level(logging.WARNING):
        load(tmp_path)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "1 pictures are read, 3 are skipped" in message and "2 .gif, 1 .heic" in message
    (tmp_path / "a.png").unlink()
    with pytest.raises(DataFileError, match=r"holds no images .*but 2 \.gif, 1 \.heic"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["\udce9", "a\nb"])
def test_what_is_said_of_a_folder_is_one_line_that_any_stream_shows(tmp_path, caplog, name):
    (tmp_path / name).mkdir()
    save(tmp_path / name / "a.png")
    (tmp_path / name / "b.gif").touch()
    load(tmp_path / name)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.encode() and len(message.splitlines()) == 1


@pytest.mark.parametrize("name", ["d.png", "folder"])
def test_links_that_lead_nowhere_are_refused(tmp_path, name):
    save(tmp_path / "a.png")
    os.symlink(tmp_path / "gone", tmp_path / name)
    with pytest.raises(DataFileError, match=f"{name} is a link that leads nowhere"):
        load(tmp_path)


def test_folders_that_cannot_be_read_are_refused(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    save(tmp_path / "closed" / "b.png")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataFileError, match="closed cannot be read: Permission denied"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["a\nb", "\udce9", "a\u2028b"])
def test_any_name_of_a_folder_will_do_and_is_shown_in_one_line(tmp_path, name):
    save(tmp_path / name / "a.png", 9)
    assert load(tmp_path / name).images([0]).max() == 9
    (tmp_path / name / "a.png").write_bytes(b"")
    with pytest.raises(DataFileError, match=r"a\.png is damaged") as error:
        load(tmp_path / name)
    message = str(error.value)
    assert len(message.splitlines()) == 1 and repr(name)[1:-1] in message
    message.encode()  # it can be printed
