"""Folders as people have them, drawn by hypothesis: each picture tells in its pixels who it is."""

import contextlib
import dataclasses
import io
import logging
import os
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from sparsevae.data import DataFileError, load

# Cells of a grid of 4 x 4, white or black: six say which way is up, two times five say who it is.
_FIXED = {(0, 0): 1, (0, 1): 1, (1, 0): 0, (0, 3): 0, (3, 0): 0, (3, 3): 0}
_FREE = [(r, c) for r in range(4) for c in range(4) if (r, c) not in _FIXED]
# How to store a picture so that it is upright once its EXIF is obeyed.
_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
GREY = ("L", "1", "LA")
FORMATS = {  # by ending, as Pillow calls it, and modes that it can be written in
    ".png": ("PNG", ("L", "1", "LA", "RGB", "RGBA", "P", "clear", "I;16")),
    ".jpg": ("JPEG", ("L", "RGB", "CMYK")),
    ".jpeg": ("JPEG", ("L", "RGB")),
    ".bmp": ("BMP", ("L", "1", "RGB")),
    ".tif": ("TIFF", ("L", "1", "RGB", "RGBA", "P", "CMYK", "I;16")),
    ".webp": ("WEBP", ("RGB", "RGBA", "clear")),
    ".pgm": ("PPM", ("L",)),
    ".ppm": ("PPM", ("RGB",)),
}
_WITH_EXIF = ("PNG", "JPEG", "TIFF", "WEBP")


@dataclasses.dataclass(frozen=True)
class File:
    """What lies in a folder under a path.

    Attributes:
        path: Inside the folder.
        format: A value of `FORMATS`, or what is no whole picture: "cut", "empty", "text".
        mode: Pillow's, or "clear" for a transparent one.
        size: Height and width once upright.
        orientation: Of EXIF.
    """

    path: str
    format: str = "PNG"
    mode: str = "L"
    size: tuple[int, int] = (16, 16)
    orientation: int = 1

    @property
    def hidden(self) -> bool:
        return any(part[0] == "." for part in PurePosixPath(self.path).parts)

    @property
    def whole(self) -> bool:
        """Whether it must be read: False if it must not, None if it may be refused."""
        if self.format == "cut":
            return None
        return self.format not in ("empty", "text") and self.mode not in ("clear", "I;16")


def drawing(who: int, size: tuple[int, int]) -> np.ndarray:
    """The picture of `who` in 0 ... 31, bool `(height, width)`: a code in its middle square."""
    cells = np.zeros((4, 4), bool)
    bits = [who >> k & 1 for k in range(5)]
    for place, bit in [*_FIXED.items(), *zip(_FREE, bits + [1 - b for b in bits], strict=True)]:
        cells[place] = bit
    side = min(size)
    picture, (top, left) = np.zeros(size, bool), [(n - side) // 2 for n in size]
    picture[top : top + side, left : left + side] = np.kron(cells, np.ones((side // 4, side // 4)))
    return picture


def seen(image: np.ndarray) -> int | None:
    """Who is on an image `(height, width, channels)`; None if that cannot be."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side].mean(axis=-1)
    cells = square.reshape(4, side // 4, 4, side // 4).mean(axis=(1, 3)) > 128
    bits = [int(cells[place]) for place in _FREE]
    right = all(cells[place] == bit for place, bit in _FIXED.items())
    right = right and all(a != b for a, b in zip(bits[:5], bits[5:], strict=True))
    return sum(bit << k for k, bit in enumerate(bits[:5])) if right else None


def content(file: File, who: int) -> bytes:
    """The bytes of a file that shows `who`."""
    if file.format in ("empty", "text"):
        return {"empty": b"", "text": b"<html>not found</html>\n"}[file.format]
    image = Image.fromarray(np.where(drawing(who, file.size), 240, 10).astype(np.uint8))
    if file.orientation in _STORED:
        image = image.transpose(_STORED[file.orientation])
    if file.mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    elif file.mode == "clear":
        image = image.convert("RGBA")
        image.putalpha(100)
    elif file.mode == "CMYK":
        image = image.convert("RGB").convert("CMYK")
    else:
        image = image.convert(file.mode)
    exif = Image.Exif()
    exif[0x0112] = file.orientation
    as_kind = "PNG" if file.format == "cut" else file.format
    options = {"exif": exif} if as_kind in _WITH_EXIF else {}
    options |= {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(as_kind, {})
    buffer = io.BytesIO()
    image.save(buffer, as_kind, **options)
    return buffer.getvalue()[: -40 if file.format == "cut" else None]


def write(folder: Path, files: list[File]) -> None:
    """Files 0, 1, ... show persons 0, 1, ...; a path that cannot be made is passed over."""
    for who, file in enumerate(files):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(file, who))


STEMS = (
    *("img_1", "img_2", "img_10", "01", "1", "2", "-1", "0.5", "0.10", "1e5", "2E5", "True"),
    *("False", "nan", "NA", "None", "a", "A", "b", "é", "e\u0301", "ß", "SS", "漢", "a b", " a"),
    *("a ", "a,b", "a;b", 'a"b', "'a", "a\tb", "a\nb", "#a", "a.b", "a.png", "a|b", "a\\b"),
    *("\udce9", "a\u200b", "2020-01-01", ".a", "._a", "a\r"),
)
STEM = st.sampled_from(STEMS) | st.text(
    st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=5
)
PLACE = st.sampled_from(
    [*[""] * 4, "a/", "b/c/", "A/", "é/", "e\u0301/", "x.png/", ".hidden/", "__MACOSX/", "a\nb/"]
)
CASE = st.sampled_from([str, str, str.upper, str.title])
SIZES = st.sampled_from([(16, 16), (16, 24), (24, 16), (32, 32)])


@st.composite
def files(draw, size):
    """One picture, mostly a good one."""
    ending = draw(st.sampled_from([".png", ".png", *FORMATS]))
    kind, modes = FORMATS[ending]
    mode = draw(st.sampled_from(["L", *modes]) if "L" in modes else st.sampled_from(modes))
    if not draw(st.integers(0, 9)):
        kind = draw(st.sampled_from(["cut", "empty", "text", "JPEG", "PNG"]))
        mode = "L"
    orientation = draw(st.sampled_from([1, 1, *range(1, 9)])) if kind in _WITH_EXIF else 1
    path = draw(PLACE) + draw(STEM) + draw(CASE)(ending)
    return File(path, kind, mode, size, orientation)


@st.composite
def folders(draw):
    """Up to eight files of paths that can be beside each other, mostly of one size and good."""
    size = draw(SIZES)
    several = draw(st.booleans())
    found = draw(
        st.lists(
            SIZES.flatmap(files) if several else files(size),
            min_size=1,
            max_size=8,
            unique_by=lambda file: file.path,
        )
    )
    modes = draw(st.sampled_from([None, None, "L", "RGB"]))
    if modes:  # all whole, so that much is loaded
        found = [
            dataclasses.replace(f, mode=modes, format="PNG") if f.format not in ("PPM",) else f
            for f in found
        ]
    places = {str(parent) for f in found for parent in PurePosixPath(f.path).parents}
    return [f for f in found if f.path not in places and len(os.fsencode(f.path)) < 100]


# What is done with them


def fuzz(n, strategies):
    """A property of `n` examples; thousands of them find what is rare."""
    check = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    options = {"deadline": None, "suppress_health_check": check, "phases": phases}
    return lambda test: settings(max_examples=n, **options)(given(**strategies)(test))


@contextlib.contextmanager
def place():
    """A folder for one example, with a cache of its own."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEVAE_CACHE", str(Path(name, "cache")))
        yield Path(name)


def loaded(*arguments, **keywords):
    """The set and what was warned of; or None and the one line that refuses it. Twice the same."""
    first, second = (_once(*arguments, **keywords) for _ in range(2))
    assert first[1] == second[1]
    if first[0] is None:
        return first
    numbers = np.arange(len(first[0]))
    np.testing.assert_array_equal(first[0].images(numbers), second[0].images(numbers))
    if hasattr(first[0], "factors"):
        np.testing.assert_array_equal(first[0].factors(numbers), second[0].factors(numbers))
    return first


def _once(*arguments, **keywords):
    warned = []
    handler = logging.Handler()
    handler.emit = lambda record: warned.append(record.getMessage())
    logging.getLogger("sparsevae").addHandler(handler)
    try:
        return load(*arguments, **keywords), warned
    except (DataFileError, FileNotFoundError, TypeError, ValueError) as error:
        message = str(error)
        assert len(message.splitlines()) == 1 and len(message) < 900
        return None, message
    finally:
        logging.getLogger("sparsevae").removeHandler(handler)


def persons(data):
    """Who is on each image, by number."""
    return [seen(image) for image in data.images(np.arange(len(data)))]
