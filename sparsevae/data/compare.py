"""How far a rendered set is from the original, counted on the user's own file."""

import dataclasses
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data import catalog

_PIECE = 1024  # images compared at a time


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Counts over all images of a set; `str` gives them as a table.

    Attributes:
        title: Name of the set.
        n_images: Images compared.
        n_pixels: Pixels compared.
        differing_images: Images of which at least one pixel differs.
        differing_pixels: Pixels of which at least one channel differs.
        mean_difference: Mean over all pixels and channels, in gray levels, 0 to 255.
    """

    title: str
    n_images: int
    n_pixels: int
    differing_images: int
    differing_pixels: int
    mean_difference: float

    def __str__(self) -> str:
        images = self.differing_images / self.n_images
        pixels = self.differing_pixels / self.n_pixels
        return (
            f"{self.title}: the file beside the rendered set\n"
            f"images that differ  {self.differing_images:,} of {self.n_images:,} ({images:.3%})\n"
            f"pixels that differ  {self.differing_pixels:,} of {self.n_pixels:,} ({pixels:.5%})\n"
            f"mean difference     {self.mean_difference:.4f} of 255"
        )


def compare(path: str | Path) -> Comparison:
    """Compares every image of an original file with the rendered one.

    Args:
        path: File of a set that can be rendered, under its published name.

    Returns:
        The counts. This takes about a minute for dSprites.

    Raises:
        FileNotFoundError: if there is no such file.
        DataFileError: if it is damaged or not what it should be.
        ValueError: if its name is not that of a set that can be rendered.
    """
    path = Path(path)
    entry = _entry(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be an existing file. Received: {path}")
    original, rendered = entry.read(path), entry.render()
    images = pixels = total = 0
    with tqdm(total=len(original), desc="Comparing", unit=" images", delay=2) as bar:
        for start in range(0, len(original), _PIECE):
            numbers = np.arange(start, min(start + _PIECE, len(original)))
            first, second = original.images(numbers), rendered.images(numbers)
            differ = (first != second).any(axis=-1)
            images += int(differ.any(axis=(1, 2)).sum())
            pixels += int(differ.sum())
            total += int(
                (np.maximum(first, second) - np.minimum(first, second)).sum(dtype=np.int64)
            )
            bar.update(len(numbers))
    n_pixels = len(original) * original.image_shape[0] * original.image_shape[1]
    mean = total / (n_pixels * original.image_shape[2])
    return Comparison(entry.title, len(original), n_pixels, images, pixels, mean)


def _entry(path: Path) -> catalog._Entry:
    able = [entry for entry in catalog.entries().values() if entry.read and entry.render]
    for entry in able:
        if any(path.match(pattern) for pattern in entry.files):
            return entry
    names = ", ".join(f"`{pattern}`" for entry in able for pattern in entry.files)
    raise ValueError(f"`path` must be named {names}. Received: {path}")
