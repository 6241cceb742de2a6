"""A folder of images, decoded once into the cache so that training never decodes."""

import contextlib
import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from sparsevae.data.array import MappedArray
from sparsevae.data.files import DataFileError, damage_named
from sparsevae.data.storage.cache import cached, copy_name, recorded_shape
from sparsevae.data.storage.fitting import fitted

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")

_CHANNELS = {"1": 1, "L": 1, "LA": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3, "YCbCr": 3, "CMYK": 3}
_PHOTOGRAPHS = ("JPEG", "MPO")
_ANIMATED = ("PNG", "TIFF", "WEBP")
_ORIENTATION = 0x0112  # in EXIF; 5 to 8 swap height and width
_BLOCK = 256  # images decoded at a time
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


def image_names(folder: Path) -> list[str]:
    """Paths inside a folder of all its images, in the order of plain strings, `/` between folders.

    Files of other kinds are passed over, and whatever begins with a dot.

    Raises:
        DataFileError: if there is no image.
    """
    inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = sorted(
        path.as_posix()
        for path in inside
        if path.suffix.lower() in SUFFIXES and not any(part[0] == "." for part in path.parts)
    )
    if not names:
        raise DataFileError(f"{folder} holds no images ({', '.join(SUFFIXES)})")
    return names


def read_folder(
    folder: Path, names: Sequence[str], image_size: int | None = None, *, verify: bool = False
) -> MappedArray:
    """The images of a folder, uint8 `(n, height, width, channels)`, in a file of the cache.

    Images are grey if all files are, else RGB. Photographs are turned as their EXIF says.

    Args:
        folder: The folder.
        names: The images, from `image_names`.
        image_size: Height and width wanted: the middle of each image is cut to a square, then
            resized. None keeps the images as they are; they must then have one size.
        verify: Whether a copy made before is compared with its checksum.

    Raises:
        DataFileError: if an image is damaged, of a kind that would lose information (16 bits,
            transparency, several frames), or of another size than the first.
        CacheError: if the disk is full or the cache cannot be written.
    """
    paths = [folder / name for name in names]
    sources = [[str(folder.resolve()), len(names), _fingerprint(names, paths)]]
    copy = copy_name(folder, image_size)
    shape = recorded_shape(copy, sources) or _shape(paths, image_size)

    def fill(target):
        with (
            ThreadPoolExecutor() as pool,
            tqdm(total=len(paths), desc=f"Reading {folder.name}", unit=" images", delay=2) as bar,
        ):
            for start in range(0, len(paths), _BLOCK):
                block = paths[start : start + _BLOCK]
                images = list(pool.map(lambda path: _decoded(path, shape[1:]), block))
                target[start : start + len(block)] = np.stack(images)
                bar.update(len(block))

    return cached(copy, shape, sources, fill, verify=verify)


def _fingerprint(names: Sequence[str], paths: Sequence[Path]) -> str:
    """Changes when an image is added, removed, renamed or written anew."""
    status = [path.stat() for path in paths]
    stamps = [[n, s.st_size, s.st_mtime_ns] for n, s in zip(names, status, strict=True)]
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()


def _shape(paths: Sequence[Path], image_size: int | None) -> tuple[int, int, int, int]:
    """Shape of all images together, from the first bytes of each file."""
    n_channels, first = 1, None
    with tqdm(paths, desc="Looking at images", unit=" images", delay=2) as bar:
        for path in bar:
            with _opened(path) as image:
                n_channels = max(n_channels, _CHANNELS[image.mode])
                size = image.size if _turned(image) else image.size[::-1]
            first = first or size
            if size != first and not image_size:
                raise DataFileError(
                    "`image_size` must be given for images of several sizes. Received: "
                    f"{paths[0]} of {first[0]} x {first[1]} and {path} of {size[0]} x {size[1]} "
                    "pixels (height x width)"
                )
    height, width = (image_size, image_size) if image_size else first
    return len(paths), height, width, n_channels


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image file as Pillow opens it, looked at but not decoded; damage is named."""
    with (
        damage_named(path, (*_DAMAGE, Image.DecompressionBombError)),
        Image.open(path) as image,
    ):
        if image.mode not in _CHANNELS:
            raise DataFileError(
                f"{path} has pixels of Pillow's mode {image.mode!r}; expected 8 bits a channel, "
                "grey or colour"
            )
        if image.format in _ANIMATED and getattr(image, "n_frames", 1) > 1:
            raise DataFileError(f"{path} holds {image.n_frames} pictures; expected one")
        yield image


def _turned(image: Image.Image) -> bool:
    """Whether height and width of a photograph change places when it is shown upright."""
    return image.format in _PHOTOGRAPHS and image.getexif().get(_ORIENTATION, 1) >= 5


def _decoded(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """An image as uint8 array of this shape, cut and resized if it has another size."""
    height, width, n_channels = shape
    with _opened(path) as image:
        if image.format in _PHOTOGRAPHS:
            image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            if image.getextrema()[3][0] < 255:
                raise DataFileError(
                    f"{path} is transparent in places; put it on a background of your choice"
                )
        image = image.convert("L" if n_channels == 1 else "RGB")
        return np.reshape(fitted(image, height, width), shape)
