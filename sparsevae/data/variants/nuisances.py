"""What a variant does to images: colours, noise or a picture behind them."""

import abc
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from sparsevae.checks import check_integer
from sparsevae.data.variants.random_bytes import random_bytes

_BLOCK = 32  # images at a time: what is in work stays in the cache of the processor


class Nuisance(abc.ABC):
    """What is done to images; a subclass defines `block` and says what it is in `kind`."""

    kind: str

    def __init__(self, seed: int) -> None:
        self.seed = check_integer("seed", seed, minimum=0)

    def __call__(self, images: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Changed images.

        Args:
            images: uint8 array `(n, height, width, channels)`, 1 or 3 channels.
            indices: int64 array `(n,)`, the numbers of the images.

        Returns:
            uint8 array `(n, height, width, 3)`.
        """
        changed = np.empty((*images.shape[:3], 3), np.uint8)
        for start in range(0, len(images), _BLOCK):
            block = slice(start, start + _BLOCK)
            self.block(images[block], indices[block], changed[block])
        return changed

    @abc.abstractmethod
    def block(self, images: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
        """Writes the changed images of a few images into `out`."""


class Color(Nuisance):
    """Each image times a colour of its own, every channel uniform over 128/255 ... 255/255."""

    kind = "random colours"

    def block(self, images: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
        colors = random_bytes(self.seed, indices, 3) | 128
        for channel, images_of_it in _channels(images):
            product = images_of_it * colors[:, channel, None, None].astype(np.uint16)
            out[..., channel] = (product + 127) // 255


class Noisy(Nuisance):
    """Each image plus noise, uniform over 0 ... 255 in every channel of every pixel, cut at 255."""

    kind = "random noise"

    def block(self, images: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
        n, height, width, _ = out.shape
        noise = random_bytes(self.seed, indices, 3 * height * width).reshape(n, 3, height, width)
        for channel, images_of_it in _channels(images):
            room = 255 - images_of_it
            out[..., channel] = images_of_it + np.minimum(noise[:, channel], room)


class Scream(Nuisance):
    """Each image as a negative in a patch of a picture: the patch is inverted where it is white.

    The patch, cut out at random, is averaged with a random colour, then mixed with its negative:
    `patch + (255 - 2 patch) image / 255`.

    Args:
        seed: Of places and colours.
        name: Name of the picture.
        picture: uint8 array `(height, width, 3)`, at least as large as the images.
    """

    def __init__(self, seed: int, name: str, picture: np.ndarray) -> None:
        super().__init__(seed)
        self.kind = f"random patches of a picture behind: {name}"
        self.picture = np.ascontiguousarray(picture)

    def block(self, images: np.ndarray, indices: np.ndarray, out: np.ndarray) -> None:
        draws = random_bytes(self.seed, indices, 24)
        patches = self._patches(draws[:, :16].view(np.uint64), images.shape[1:3])
        for channel, images_of_it in _channels(images):
            color = draws[:, 16 + channel, None, None].astype(np.uint16)
            patch = (patches[..., channel] + color) >> 1
            mixed = patch * (255 - images_of_it) + (255 - patch) * images_of_it
            out[..., channel] = (mixed + 127) // 255

    def _patches(self, places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Patches `(n, height, width, 3)` of the picture at random `places (n, 2)`, uint64."""
        (height, width), (rows, columns, _) = size, self.picture.shape
        n_places = rows - height + 1, columns - width + 1
        stride = self.picture.strides[0]
        # Every patch as a view; its rows are contiguous, which makes copying them fast.
        windows = as_strided(
            self.picture.reshape(rows, -1),
            (*n_places, height, 3 * width),
            (stride, 3, stride, 1),
            writeable=False,
        )
        top, left = (places % np.array(n_places, np.uint64)).astype(np.int64).T
        return windows[top, left].reshape(-1, height, width, 3)


def _channels(images: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The three channels, each `(n, height, width)`; a grey image has the same one thrice."""
    for channel in range(3):
        yield channel, images[..., channel if images.shape[-1] == 3 else 0]
