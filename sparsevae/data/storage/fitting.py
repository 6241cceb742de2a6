"""Images of any size brought to one size: the middle is cut out, then resized (Lanczos)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image


def fitted(image: Image.Image, height: int, width: int) -> Image.Image:
    """An image cut around its middle to these proportions, then resized."""
    from PIL import Image, ImageOps  # here, so that sets that are not resized load without it

    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def fitted_arrays(images: np.ndarray, size: int) -> np.ndarray:
    """Images `(n, height, width, channels)`, uint8, 1 or 3 channels, as `(n, size, size, ...)`."""
    from PIL import Image

    small = np.empty((len(images), size, size, images.shape[-1]), np.uint8)
    for image, row in zip(images, small, strict=True):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        row[:] = np.reshape(fitted(picture, size, size), row.shape)
    return small
