"""One picture file: what is lost by no word is refused, the rest is turned upright."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from sparsevae.data.files import DataFileError, damage_named
from sparsevae.data.storage.fitting import fitted

# Channels by Pillow's mode.
CHANNELS = {"1": 1, "L": 1, "LA": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3, "YCbCr": 3, "CMYK": 3}

_ANIMATED = ("PNG", "TIFF", "WEBP")
_ORIENTATION = 0x0112  # in EXIF; 5 to 8 swap height and width
# What Pillow's decoders raise on bytes that they cannot read.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image file as Pillow opens it, looked at but not decoded.

    Raises:
        DataFileError: if it is damaged, holds several pictures, or more than 8 bits a channel.
    """
    with (
        damage_named(path, (*_DAMAGE, Image.DecompressionBombError)),
        path.open("rb") as file,  # of a path Pillow 13 maps a TIFF that EXIF turns by a wrong size
        Image.open(file) as image,
    ):
        deep = is_deep(image)
        if image.mode not in CHANNELS or deep:
            depth = "more than 8 bits a channel" if deep else f"Pillow's mode {image.mode!r}"
            raise DataFileError(
                f"{path} has pixels of {depth}; expected 8 bits a channel, grey or colour"
            )
        if image.format in _ANIMATED and getattr(image, "n_frames", 1) > 1:
            raise DataFileError(f"{path} holds {image.n_frames} pictures; expected one")
        yield image


def is_deep(image: Image.Image) -> bool:
    """Whether a file that was opened, not decoded, has more than 8 bits a channel.

    Pillow's modes do not say so: of 16 bits of colour it keeps the upper 8.
    """
    for codec, _, _, arguments in image.tile:
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        if any(isinstance(raw, str) and ";16" in raw for raw in arguments):
            return True
        if codec.startswith("ppm") and isinstance(arguments[-1], int) and arguments[-1] > 255:
            return True
    return False


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an opened image once it is shown as its EXIF says."""
    width, height = image.size
    # Pillow gives the size of a TIFF turned already. Of a square nothing need be known; asking
    # decodes PNGs, whose EXIF may come last.
    asked = width != height and image.format != "TIFF"
    turned = asked and image.getexif().get(_ORIENTATION, 1) >= 5
    return (height, width) if turned else (width, height)


def decoded(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """An image as uint8 array of this shape, cut and resized if it has another size.

    Raises:
        DataFileError: as `opened`, or if it is transparent in places.
    """
    height, width, n_channels = shape
    with opened(path) as image:
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            if image.getextrema()[3][0] < 255:
                raise DataFileError(
                    f"{path} is transparent in places; put it on a background of your choice"
                )
        image = image.convert("L" if n_channels == 1 else "RGB")
        return np.reshape(fitted(image, height, width), shape)
