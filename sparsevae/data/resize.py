"""Images made smaller as the field does it: Lanczos, per image, by Pillow."""

import numpy as np


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Images of another size.

    Args:
        images: uint8 array `(n, height, width, channels)`, 1 or 3 channels.
        size: New height and width.

    Returns:
        uint8 array `(n, size, size, channels)`.
    """
    from PIL import Image  # here, so that sets that are not resized load without it

    small = np.empty((len(images), size, size, images.shape[-1]), np.uint8)
    for image, row in zip(images, small, strict=True):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        row[:] = np.reshape(picture.resize((size, size), Image.Resampling.LANCZOS), row.shape)
    return small
