"""Tiny files in the true formats of the field, written by hand, and what must be read from them.

`paths = write_x(folder)` writes; keyword arguments replace parts, so that tests can do damage.
"""

import gzip
import io
import struct
import tarfile

import h5py
import numpy as np
from scipy import io as matlab

from sparsevae.data import DSprites, FactorSpace
from sparsevae.data.read.cars3d import ARCHIVE, read_cars3d
from sparsevae.data.read.cars3d import FACTORS as CARS
from sparsevae.data.read.dsprites import FILE_NAME, FILE_NAMES, read_dsprites
from sparsevae.data.read.mpi3d import FACTORS as ROBOT
from sparsevae.data.read.mpi3d import read_mpi3d
from sparsevae.data.read.shapes3d import FACTORS as SHAPES
from sparsevae.data.read.shapes3d import read_shapes3d
from sparsevae.data.read.smallnorb import GRID as TOYS
from sparsevae.data.read.smallnorb import read_smallnorb
from sparsevae.data.render.dsprites import FACTORS as SPRITES

DSPRITES = FactorSpace(SPRITES.names, (3, 2, 4, 2, 2))
SHAPES3D = FactorSpace(
    SHAPES.names,
    (2, 2, 3, 2, 2, 3),
    [row[:n] for row, n in zip(SHAPES.values, (2, 2, 3, 2, 2, 3), strict=True)],
)
CARS3D = FactorSpace(CARS.names, (2, 4, 3))
SMALLNORB = FactorSpace(TOYS.names, (2, 2, 2, 3, 2))
MPI3D = FactorSpace(ROBOT[0].names, (2, 2, 2, 2, 2, 3, 2))

MARGIN = 4  # rows at the edge of a band that resizing may blur


def banded(space, shape):
    """Images of `shape` in horizontal bands; the gray of band k tells factor k and nothing else."""
    height = shape[0]
    images = np.empty((len(space), *shape), np.uint8)
    for k, values in enumerate(space.factors(np.arange(len(space))).T):
        images[:, band(k, space, height)] = (40 + 25 * values)[:, None, None, None]
    return images


def band(k, space, height):
    """Rows of band k."""
    edges = np.linspace(0, height, len(space.names) + 1).astype(int)
    return slice(edges[k], edges[k + 1])


def sprites():
    """The images of the small dSprites, taken from the whole set: uint8 (96, 64, 64), 0 or 1."""
    return DSprites().observe(DSPRITES.factors(np.arange(len(DSPRITES))))[..., 0] // 255


def sprite_classes():
    return np.insert(DSPRITES.factors(np.arange(len(DSPRITES))), 0, 0, axis=1)


def write_dsprites(folder, compressed=True, **changes):
    arrays = {"imgs": sprites(), "latents_classes": sprite_classes()} | changes
    path = folder / FILE_NAME
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def write_dsprites_h5(folder, **changes):
    arrays = {"imgs": sprites(), "latents/classes": sprite_classes()} | changes
    return write_h5(folder / FILE_NAMES[1], arrays)


def shape_values():
    factors = SHAPES3D.factors(np.arange(len(SHAPES3D)))
    pairs = zip(SHAPES3D.values, factors.T, strict=True)
    return np.stack([np.array(row)[k] for row, k in pairs], axis=1)


def write_shapes3d(folder, **changes):
    arrays = {"images": banded(SHAPES3D, (64, 64, 3)), "labels": shape_values()} | changes
    return write_h5(folder / "3dshapes.h5", arrays)


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            if array is not None:
                chunks = (min(50, len(array)), *(max(1, n // 4) for n in array.shape[1:]))
                file.create_dataset(key, data=array, chunks=chunks, compression="gzip")
    return path


def car_names():
    return [f"car_{number:03}_mesh" for number in (2, 1, 30)]  # the order of list.txt counts


def write_cars3d(folder, names=None, **changes):
    """The folder of meshes; `changes` are contents by file name, None leaves the file out."""
    images = banded(CARS3D, (128, 128, 3)).reshape(2, 4, 3, 128, 128, 3)
    files = {"list.txt": "".join(f"{name}\n" for name in car_names()).encode()}
    for k, name in enumerate(car_names()):
        content = io.BytesIO()
        mesh = {
            "im": images[:, :, k].transpose(2, 3, 4, 1, 0),
            "mask": np.zeros((128, 128, 4, 2), np.uint8),
        }
        matlab.savemat(content, mesh, do_compression=True)
        files[f"{name}.mat"] = content.getvalue()
    for name, content in (files | changes).items():
        if content is not None:
            (folder / name).write_bytes(content)
    return folder / "car_001_mesh.mat"


def write_cars3d_archive(folder):
    meshes = folder / "unpacked"
    meshes.mkdir()
    write_cars3d(meshes)
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        archive.add(meshes, "data/cars")
        archive.add(meshes / "car_001_mesh.mat", "data/sprites/car_009_mesh.mat")
    return folder / ARCHIVE


def norb_matrix(array):
    magic = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54, "float32": 0x1E3D4C51}[str(array.dtype)]
    sizes = [*array.shape, *[1] * (3 - array.ndim)]
    return struct.pack(f"<{2 + len(sizes)}i", magic, array.ndim, *sizes) + array.tobytes()


def norb_arrays():
    """The arrays of the six files by split and part, in shuffled order."""
    factors = SMALLNORB.factors(np.arange(len(SMALLNORB)))
    images = banded(SMALLNORB, (96, 96, 1))[..., 0]
    arrays = {}
    for instance, split in enumerate(("training", "testing")):
        rows = np.flatnonzero(factors[:, 1] == instance)
        rows = np.random.default_rng(instance).permutation(rows)
        info = factors[rows, 1:] * [1, 1, 2, 1]
        arrays[split, "dat"] = np.stack([images[rows], 255 - images[rows]], axis=1)
        arrays[split, "cat"] = factors[rows, 0].astype(np.int32)
        arrays[split, "info"] = info.astype(np.int32)
    return arrays


def norb_name(split, part):
    kind = {"training": "5x46789", "testing": "5x01235"}[split]
    return f"smallnorb-{kind}x9x18x6x2x96x96-{split}-{part}.mat"


def write_smallnorb(folder, changes=None, packed=False):
    """`changes` are contents by (split, part), None leaves the file out."""
    contents = {key: norb_matrix(array) for key, array in norb_arrays().items()} | (changes or {})
    for key, content in contents.items():
        if content is not None:
            name = norb_name(*key) + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder / (norb_name("training", "dat") + (".gz" if packed else ""))


def write_mpi3d(folder, compressed=False, **changes):
    arrays = {"images": banded(MPI3D, (64, 64, 3))} | changes
    path = folder / "mpi3d_toy.npz"
    arrays = {key: array for key, array in arrays.items() if array is not None}
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def read_tiny_mpi3d(path, space=MPI3D, **arguments):
    return read_mpi3d(path, "mpi3d_toy", (space,), **arguments)


FORMATS = {  # what writes the file, what reads it, its factors
    "dsprites npz": (write_dsprites, read_dsprites, DSPRITES),
    "dsprites hdf5": (write_dsprites_h5, read_dsprites, DSPRITES),
    "shapes3d": (write_shapes3d, read_shapes3d, SHAPES3D),
    "cars3d": (write_cars3d, read_cars3d, CARS3D),
    "cars3d archive": (write_cars3d_archive, read_cars3d, CARS3D),
    "smallnorb": (write_smallnorb, read_smallnorb, SMALLNORB),
    "smallnorb packed": (
        lambda folder: write_smallnorb(folder, packed=True),
        read_smallnorb,
        SMALLNORB,
    ),
    "mpi3d_toy stored": (
        write_mpi3d,
        read_tiny_mpi3d,
        MPI3D,
    ),
    "mpi3d_toy compressed": (
        lambda folder: write_mpi3d(folder, compressed=True),
        read_tiny_mpi3d,
        MPI3D,
    ),
}


def assert_one_line(error, path):
    message = str(error.value)
    assert "\n" not in message and str(path) in message


def nothing_kept(cache):
    return not [path for path in cache.rglob("*") if path.suffix in (".npy", ".json", ".partial")]
