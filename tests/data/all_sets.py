"""The one list of data sets that tests run over, whole or small, each with what it promises."""

import dataclasses
from collections.abc import Callable

import numpy as np
import true_files

from sparsevae.data import DSprites, tfds_prepared


@dataclasses.dataclass(frozen=True)
class Case:
    """A data set to test.

    Attributes:
        make: Makes the set; may write files into the folder that it is handed.
        source: What `data.source` must be.
        where: For the number of a factor, the only pixels that it may change, as a boolean array
            (height, width); None if it may change any.
    """

    make: Callable
    source: str
    where: Callable[[int], np.ndarray] | None = None


def bands(space):
    """`Case.where` of images in horizontal bands, with edges that may be blurred."""

    def where(k):
        mask = np.zeros((64, 64), bool)
        rows = true_files.band(k, space, 64)
        mask[max(0, rows.start - true_files.MARGIN) : rows.stop + true_files.MARGIN] = True
        return mask

    return where


def from_files(name):
    """Case of the tiny file of a format."""
    write, read, space = true_files.FORMATS[name]
    painted = not name.startswith(("dsprites", "smallnorb"))
    return Case(
        lambda folder: read(write(folder), space), "file", bands(space) if painted else None
    )


def prepared_by_tfds(name, file):
    """Case of a tiny set that TensorFlow Datasets prepared, of the factors of a format."""

    def make(folder):
        import prepared  # takes seconds to import

        read = getattr(tfds_prepared, f"read_{name}")
        return read(prepared.prepare(name, folder), true_files.FORMATS[file][2])

    return Case(make, "tfds", CASES[file].where)


CASES = {
    "dsprites rendered": Case(lambda folder: DSprites(), "render"),
    **{name: from_files(name) for name in true_files.FORMATS},
}

CASES |= {
    f"{name} tfds": prepared_by_tfds(name, file)
    for name, file in {
        "dsprites": "dsprites npz",
        "shapes3d": "shapes3d",
        "smallnorb": "smallnorb",
    }.items()
}


def seen_by_a_worker(data, indices):
    """Runs in another process: images and factors as it sees them."""
    return data.images(indices), data.factors(indices)
