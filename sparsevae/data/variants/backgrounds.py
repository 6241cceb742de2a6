"""Pictures that lie behind images: the user's own, or a texture that is made here."""

import os
from pathlib import Path

import numpy as np

from sparsevae.data.files import DataFileError
from sparsevae.data.variants.random_bytes import random_bytes

TEXTURE = "texture"

_SIDE = 512  # pixels
_COLORS = ((24, 32, 74), (58, 110, 125), (214, 120, 44), (244, 214, 140), (92, 38, 50))
_N_ROUNDS = 5  # through the colours, from the lowest place to the highest
_BEND = 60  # pixels that a place is moved at most


def read_background(
    background: str | os.PathLike | np.ndarray | None,
) -> tuple[str, np.ndarray]:
    """A picture from a file or an array, or the texture.

    Args:
        background: Path of an image file, uint8 array `(height, width, 3)`, or None for the
            texture.

    Returns:
        Its name (of the file, "array" or "texture") and uint8 array `(height, width, 3)`.

    Raises:
        DataFileError: if the file is not an image that can be read.
        FileNotFoundError: if there is no such file.
        TypeError: if `background` is something else.
        ValueError: if the array has another shape or dtype.
    """
    if background is None:
        return TEXTURE, texture()
    if isinstance(background, np.ndarray):
        if background.ndim != 3 or background.shape[2] != 3 or background.dtype != np.uint8:
            raise ValueError(
                "`background` must be a uint8 array (height, width, 3). "
                f"Received: dtype {background.dtype}, shape {background.shape}"
            )
        return "array", background
    if not isinstance(background, str | os.PathLike):
        raise TypeError(
            "`background` must be the path of an image, an array or None. "
            f"Received: background={background!r}"
        )
    return _read(Path(background).expanduser())


def texture() -> np.ndarray:
    """Bent bands of colour on all scales, uint8 `(512, 512, 3)`: the same on every machine.

    Made from random numbers alone, in place of Munch's picture that the field uses: it is not a
    copy of it, and scores behind it are not comparable with published ones.
    """
    # Sums, products and roundings only, whose results IEEE 754 fixes to the last bit.
    down, right = (np.rint(_BEND * (2 * _clouds(k, 4, 5) - 1)).astype(int) for k in (1, 2))
    row, column = np.indices((_SIDE, _SIDE))
    bent = _clouds(3, 3, 4)[(row + down) % _SIDE, (column + right) % _SIDE]
    color, share = _split(_N_ROUNDS * len(_COLORS) * bent)
    before, after = (np.array(_COLORS)[(color + k) % len(_COLORS)] for k in (0, 1))
    return np.rint(before + share[..., None] * (after - before)).astype(np.uint8)


def _clouds(seed: int, n_cells: int, n_octaves: int) -> np.ndarray:
    """Smooth noise of several scales, float64 `(512, 512)` in [0, 1], that can be tiled."""
    total = np.zeros((_SIDE, _SIDE))
    for octave in range(n_octaves):
        n = n_cells * 2**octave
        heights = random_bytes(1_000 * seed + octave, np.arange(n), n) / 255
        cell, share = _split(np.arange(_SIDE) * n / _SIDE)
        share = share * share * (3 - 2 * share)
        for _ in range(2):  # down the columns, then along the rows
            heights = heights[cell] + share[:, None] * (heights[(cell + 1) % n] - heights[cell])
            heights = heights.T
        total += heights / 2**octave
    return total / (2 - 0.5 ** (n_octaves - 1))


def _split(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole part, as int64, and the rest, in [0, 1)."""
    whole = np.floor(numbers)
    return whole.astype(np.int64), numbers - whole


def _read(path: Path) -> tuple[str, np.ndarray]:
    from PIL import Image, UnidentifiedImageError

    try:
        with path.open("rb") as file, Image.open(file) as image:  # a stream: see `own.pictures`
            return path.name, np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"`background` must be an image file. Received: background={str(path)!r}, which does "
            "not exist"
        ) from None
    except (UnidentifiedImageError, OSError) as error:
        raise DataFileError(f"`background`: {path} is not an image that can be read") from error
