"""Any set of images behind a nuisance: random colours, noise, or a picture in the background.

The nuisance of an image is a pure function of the seed and the number of the image: the same image
comes out whatever the batch, the process or the machine.
"""

import os

import numpy as np

from sparsevae.checks import check_choice
from sparsevae.data.ground_truth import GroundTruthData, LabelledData
from sparsevae.data.image_data import ImageData
from sparsevae.data.variants.backgrounds import read_background
from sparsevae.data.variants.nuisances import Color, Noisy, Nuisance, Scream

VARIANTS = ("color", "noisy", "scream")


def split_name(name: str) -> tuple[str | None, str]:
    """Variant and base of a name: "noisy_dsprites" is ("noisy", "dsprites"), others have None."""
    variant, separator, base = name.partition("_")
    return (variant, base) if separator and base and variant in VARIANTS else (None, name)


def apply(
    data: ImageData,
    variant: str,
    *,
    seed: int = 0,
    background: str | os.PathLike | np.ndarray | None = None,
) -> ImageData:
    """A set whose images carry a nuisance: three channels, same numbers, same factors, if any.

    With x the image and u uniform random numbers, all in [0, 1], drawn for each image:

    - "color": `x c`, a colour `c = (1 + u) / 2` an image.
    - "noisy": `min(1, x + u)`, one `u` for every channel of every pixel.
    - "scream": `b (1 - x) + (1 - b) x`, where `b` is the mean of a patch of `background`, cut out
      at random, and a random colour. The sprite is the negative of what lies behind it.

    Grey images are first repeated in three channels. Images with three are taken channel by
    channel: "color" tints them, "noisy" leaves little of bright ones, "scream" shows bright parts
    as negatives and dark parts as the background.

    Args:
        data: Any set of images with 1 or 3 channels.
        variant: "color", "noisy" or "scream".
        seed: Of the nuisance, at least 0.
        background: For "scream": path of an image file or uint8 array `(height, width, 3)`, at
            least as large as the images; None for a texture made from random numbers.

    Returns:
        A set named like "noisy_dsprites", with the source of `data`; `GroundTruthData`,
        `LabelledData` or neither as `data` is.

    Raises:
        DataFileError: if `background` is a file, but not an image.
        FileNotFoundError: if `background` does not exist.
        TypeError: if an argument has a wrong type.
        ValueError: if `variant` is unknown, `background` does not fit, or the images have neither
            1 nor 3 channels.

    References:
        Locatello et al. 2019, Challenging Common Assumptions, 1811.12359, section 5 (there new
        numbers at each draw of the same image, and Munch's The Scream behind it).
    """
    check_choice("variant", variant, VARIANTS)
    if data.image_shape[2] not in (1, 3):
        raise ValueError(
            f"`data` must have images of 1 or 3 channels. Received: {data.image_shape} images"
        )
    if background is not None and variant != "scream":
        raise ValueError(f"`background` is for 'scream' only. Received: variant={variant!r}")
    if variant == "scream":
        nuisance = Scream(seed, *_picture(background, data.image_shape))
    else:
        nuisance = {"color": Color, "noisy": Noisy}[variant](seed)
    kind = next(kind for base, kind in _KINDS if isinstance(data, base))
    return kind(f"{variant}_{data.name}", data, nuisance)


def _picture(background, image_shape: tuple[int, int, int]) -> tuple[str, np.ndarray]:
    name, picture = read_background(background)
    if any(have < need for have, need in zip(picture.shape[:2], image_shape[:2], strict=True)):
        raise ValueError(
            f"`background` must be at least as large as the images, {image_shape[:2]}. "
            f"Received: {name} of {picture.shape[:2]} pixels"
        )
    return name, picture


class _Changed:
    """The images of `base` with a nuisance; stands before the kind of set among the bases."""

    base: ImageData
    nuisance: Nuisance

    def images(self, indices: np.ndarray) -> np.ndarray:
        indices = self.checked(indices)
        return self.nuisance(self.base.images(indices), indices)


class _PlainVariant(_Changed, ImageData):
    def __init__(self, name: str, base: ImageData, nuisance: Nuisance) -> None:
        super().__init__(name, base.source, (*base.image_shape[:2], 3))
        self.base, self.nuisance = base, nuisance

    def __len__(self) -> int:
        return len(self.base)


class _GridVariant(_Changed, GroundTruthData):
    def __init__(self, name: str, base: GroundTruthData, nuisance: Nuisance) -> None:
        super().__init__(name, base.source, base.factor_space, (*base.image_shape[:2], 3))
        self.base, self.nuisance = base, nuisance


class _LabelledVariant(_Changed, LabelledData):
    def __init__(self, name: str, base: LabelledData, nuisance: Nuisance) -> None:
        shape, labels = (*base.image_shape[:2], 3), base.factors(np.arange(len(base)))
        super().__init__(name, base.source, base.factor_space, shape, labels)
        self.base, self.nuisance = base, nuisance


_KINDS = (
    (GroundTruthData, _GridVariant),
    (LabelledData, _LabelledVariant),
    (ImageData, _PlainVariant),
)
