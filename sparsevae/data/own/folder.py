"""A folder of images, decoded once into the cache so that training never decodes."""

import collections
import hashlib
import json
import logging
import mimetypes
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import MappedArray
from sparsevae.data.files import DataFileError, printable
from sparsevae.data.own.pictures import CHANNELS, decoded, opened, upright_size
from sparsevae.data.storage.cache import cached, copy_name, recorded_shape

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
# Endings of pictures that are not read, beside those that `mimetypes` knows.
_OTHERS = (
    ".avif",
    ".heic",
    ".heif",
    ".jxl",
    ".jp2",
    ".j2k",
    ".tga",
    ".exr",
    ".dng",
    ".cr2",
    ".nef",
)

_BLOCK = 256  # images decoded at a time
_LOGGER = logging.getLogger(__name__)


def image_names(folder: Path) -> list[str]:
    """Paths inside a folder of all its images, in the order of plain strings, `/` between folders.

    Links to folders are followed, each folder once. Files of other kinds are passed over, and
    whatever begins with a dot; a warning of the log counts pictures of kinds that are not read.

    Raises:
        DataFileError: if there is no image, a folder cannot be read, or a link leads nowhere.
    """
    names, skipped = [], collections.Counter()
    for name in _visible_files(folder):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in SUFFIXES:
            names.append(name)
        elif suffix in _OTHERS or (mimetypes.guess_type(name)[0] or "").startswith("image/"):
            skipped[suffix] += 1
    listed = ", ".join(f"{n:,} {suffix}" for suffix, n in sorted(skipped.items()))
    if not names:
        but = f", but {listed}" if skipped else ""
        raise DataFileError(f"{folder} holds no images ({', '.join(SUFFIXES)}){but}")
    if skipped:
        _LOGGER.warning(
            "%s: %s pictures are read, %s are skipped (convert them to .png): %s",
            printable(str(folder)), f"{len(names):,}", f"{skipped.total():,}", listed,
        )  # fmt: skip
    return sorted(names)


def _visible_files(folder: Path) -> Iterator[str]:
    """Paths inside a folder, `/` between folders, of all files whose path holds no hidden name."""
    seen = set()  # links may lead round in circles
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        identity = os.stat(place)
        if (identity.st_dev, identity.st_ino) in seen:
            folders.clear()
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders[:] = sorted(name for name in folders if name[0] != ".")
        inside = Path(place).relative_to(folder)
        for name in files:
            path = Path(place, name)
            if name[0] != "." and not path.exists():
                raise DataFileError(f"{path} is a link that leads nowhere; mend or remove it")
            if name[0] != "." and path.is_file():
                yield (inside / name).as_posix()


def _refuse(error: OSError) -> None:
    raise DataFileError(f"{error.filename} cannot be read: {error.strerror}") from error


def read_folder(
    folder: Path, names: Sequence[str], image_size: int | None = None, *, verify: bool = False
) -> MappedArray:
    """The images of a folder, uint8 `(n, height, width, channels)`, in a file of the cache.

    Images are grey if all files are, else RGB. They are turned as their EXIF says.

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
                images = list(pool.map(lambda path: decoded(path, shape[1:]), block))
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
            with opened(path) as image:
                n_channels = max(n_channels, CHANNELS[image.mode])
                size = upright_size(image)[::-1]
            first = first or size
            if size != first and not image_size:
                raise DataFileError(
                    "`image_size` must be given for images of several sizes. Received: "
                    f"{paths[0]} of {first[0]} x {first[1]} and {path} of {size[0]} x {size[1]} "
                    "pixels (height x width)"
                )
    height, width = (image_size, image_size) if image_size else first
    return len(paths), height, width, n_channels
