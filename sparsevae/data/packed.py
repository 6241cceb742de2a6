"""Binary images held in memory, one bit a pixel."""

import math

import numpy as np

from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import GroundTruthData


class PackedData(GroundTruthData):
    """A set of binary images, given as bits; its pixels are 0 or 255.

    Args:
        name: Name of the set.
        source: Where the images come from.
        factor_space: The factors, which number the images.
        image_shape: `(height, width, channels)`.
        packed: uint8 array `(n_images, ceil(height * width * channels / 8))`, each row
            `np.packbits` of an image.

    Raises:
        ValueError: if `packed` has another shape or dtype.
    """

    def __init__(
        self,
        name: str,
        source: str,
        factor_space: FactorSpace,
        image_shape: tuple[int, int, int],
        packed: np.ndarray,
    ) -> None:
        super().__init__(name, source, factor_space, image_shape)
        expected = len(factor_space), -(-math.prod(image_shape) // 8)
        if packed.shape != expected or packed.dtype != np.uint8:
            raise ValueError(
                f"`packed` must be a uint8 array of shape {expected}. "
                f"Received: dtype {packed.dtype}, shape {packed.shape}"
            )
        self._packed = packed

    def images(self, indices: np.ndarray) -> np.ndarray:
        return unpack(self._packed[self.factor_space.checked(indices)], self.image_shape)


def unpack(packed: np.ndarray, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Images of bits.

    Args:
        packed: uint8 array `(n, ceil(height * width * channels / 8))`.
        image_shape: `(height, width, channels)`.

    Returns:
        uint8 array `(n, height, width, channels)`, 0 where the bit is 0 and 255 where it is 1.
    """
    images = np.unpackbits(packed, axis=1, count=math.prod(image_shape))
    np.negative(images, out=images)  # 0 - 1 is 255 in uint8
    return images.reshape(len(packed), *image_shape)
