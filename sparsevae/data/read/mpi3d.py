"""The MPI3D files: robot arm scenes, toy, realistic, real and complex, left where they lie.

Their `images` are stored, not compressed, so they are read in place; a compressed copy is converted
once. The files hold no labels, so the order of the images cannot be checked.
"""

from pathlib import Path

from sparsevae.data.array import GridArray
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError
from sparsevae.data.storage.checksums import check_digest
from sparsevae.data.storage.npz import open_npz, random_rows, read_header

_NAMES = (
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
)
_KINDS = (
    "categorical",
    "categorical",
    "ordered",
    "ordered",
    "categorical",
    "ordered",
    "ordered",
)
# The number of images decides, as both sizes are in use under the same file names.
FACTORS = (
    FactorSpace(_NAMES, (6, 6, 2, 3, 3, 40, 40), kinds=_KINDS),
    FactorSpace(_NAMES, (4, 4, 2, 3, 3, 40, 40), kinds=_KINDS),
)
COMPLEX_FACTORS = FACTORS[1:]  # MPI3D complex has been published in one size only
IMAGE_SHAPE = (64, 64, 3)


def read_mpi3d(
    path: Path,
    name: str,
    factor_spaces: tuple[FactorSpace, ...] = FACTORS,
    *,
    verify: bool = False,
) -> GridArray:
    """Read a file in the format of MPI3D.

    Args:
        path: The npz file; only `images` is touched.
        name: Name of the set, such as "mpi3d_toy".
        factor_spaces: The factors that it may hold, told apart by their number of images.
        verify: Whether to compare the file with the published checksum of its name, and a
            converted copy with its own.

    Returns:
        The data set, with source "file"; images `(64, 64, 3)` stay on disk.

    Raises:
        DataFileError: if the file is damaged or holds another array than expected.
        CacheError: if a converted copy is needed and cannot be written.

    References:
        Gondal et al. 2019, On the Transfer of Inductive Bias from Simulation to the Real World,
        1906.03292, https://github.com/rr-learning/disentanglement_dataset.
    """
    with open_npz(path, ("images",)) as archive:
        header = read_header(archive, "images")
        spaces = {len(space): space for space in factor_spaces}
        n_images = header.shape[0] if header.shape else 0
        if n_images not in spaces:
            raise DataFileError(
                f"{path}: images is {header.dtype} {header.shape}; expected uint8 "
                f"{' or '.join(str((n, *IMAGE_SHAPE)) for n in spaces)}"
            )
        if verify:
            check_digest(path)
        rows = random_rows(archive, "images", (n_images, *IMAGE_SHAPE), name, verify=verify)
    return GridArray(name, "file", spaces[n_images], rows)
