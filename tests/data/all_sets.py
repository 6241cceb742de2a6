"""The one list of data sets that tests run over, whole or small, each with what it promises."""

import dataclasses
from collections.abc import Callable

import numpy as np
import true_files

from sparsevae.data import (
    BlockMechanisms,
    DSprites,
    Shapes3D,
    Toy,
    from_array,
    variants,
)
from sparsevae.data.read import tfds_prepared


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


def array_of_a_user(folder):
    """A full grid in memory, in another order than that of its factors."""
    data = Toy()
    numbers = np.random.default_rng(0).permutation(len(data))[: 6 * 6 * 6]
    grid = np.stack(np.unravel_index(np.arange(216), (6, 6, 6)), axis=1)
    table = {"a": grid[:, 2], "b": grid[:, 0], "c": grid[:, 1]}
    return from_array(data.images(numbers), table)


MECHANISMS = {
    "anchors": "mechanisms",
    "overlaps": "mechanisms_overlaps",
    "couples": "mechanisms_couples",
}


def mechanisms(graph):
    """Case of images with known wiring."""
    data = BlockMechanisms(graph)
    return Case(lambda folder: data, "render", lambda k: data.pixel_graph[k])


def behind_dsprites(variant):
    """Case of a variant."""
    return Case(lambda folder: variants.apply(DSprites(), variant), "render")


CASES = {
    "dsprites rendered": Case(lambda folder: DSprites(), "render"),
    "dsprites of 32 pixels": Case(lambda folder: DSprites(32), "render"),
    "shapes3d rendered": Case(lambda folder: Shapes3D(), "render"),
    "toy rendered": Case(lambda folder: Toy(), "render"),
    **{f"{MECHANISMS[graph]} rendered": mechanisms(graph) for graph in MECHANISMS},
    **{
        f"{variant}_dsprites": Case(
            lambda folder, v=variant: variants.apply(DSprites(), v), "render"
        )
        for variant in variants.VARIANTS
    },
    "array of a user": Case(array_of_a_user, "array"),
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
