"""The Cars3D files, one of each car, read strictly and made smaller once.

Which car is which follows from `list.txt`, so that it is the same on every machine.
"""

import contextlib
import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sparsevae.data.array import GridArray
from sparsevae.data.factors import FactorSpace
from sparsevae.data.files import DataFileError, check_first_bytes, check_start, damage_named
from sparsevae.data.storage.cache import Target, cached, stamps
from sparsevae.data.storage.checksums import check_digest
from sparsevae.data.storage.fitting import fitted_arrays

ARCHIVE = "nips2015-analogy-data.tar.gz"
MESHES = "car_*_mesh.mat"
LIST = "list.txt"
FACTORS = FactorSpace(
    ("elevation", "azimuth", "object"), (4, 24, 183), kinds=("ordered", "cyclic", "categorical")
)
IMAGE_SHAPE = (64, 64, 3)

_ORIGINAL_SIZE = 128
# What tarfile, gzip and SciPy raise on bytes that they cannot read.
_DAMAGE = (
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    NotImplementedError,
)

_Members = dict[str, Callable[[], bytes]]  # by file name, what reads it


def read_cars3d(
    path: Path, factor_space: FactorSpace = FACTORS, *, verify: bool = False
) -> GridArray:
    """Read files in the format of Cars3D.

    At the first call its images are resized into the cache, 216 MB.

    Args:
        path: The archive `nips2015-analogy-data.tar.gz`, or any file in the folder that holds the
            unpacked `car_NNN_mesh.mat` and, if it is still there, `list.txt`; without it the
            order is that of the names.
        factor_space: The factors that the files must hold.
        verify: Whether to compare the archive with its published checksum, and the converted copy
            with its own.

    Returns:
        The data set, with source "file"; images `(64, 64, 3)`.

    Raises:
        DataFileError: if a file is missing, damaged or holds another array than expected.
        CacheError: if the converted copy cannot be written.

    References:
        Reed et al. 2015, Deep Visual Analogy-Making, NeurIPS; as reduced to 64 x 64 by Locatello et
        al. 2019, 1811.12359, except that they number cars in the order of the file system.
    """
    packed = path.suffix == ".gz"
    if packed:
        check_start(path, b"\x1f\x8b", "a gzip archive")
    if verify:
        check_digest(path)
    sources = [path] if packed else _in_folder(path.parent)

    def fill(target: Target) -> None:
        with damage_named(path, _DAMAGE), _members(path, packed) as members:
            _resize(path if packed else path.parent, members, factor_space, target)

    shape = len(factor_space), *IMAGE_SHAPE
    return GridArray(
        "cars3d",
        "file",
        factor_space,
        cached("cars3d", shape, stamps(sources), fill, verify=verify),
    )


def _in_folder(folder: Path) -> list[Path]:
    return sorted([*folder.glob(MESHES), *folder.glob(LIST)])


@contextlib.contextmanager
def _members(path: Path, packed: bool) -> Iterator[_Members]:
    """Files of the set by name, not yet read."""
    if not packed:
        yield {file.name: file.read_bytes for file in _in_folder(path.parent)}
        return
    with tarfile.open(path, "r:gz") as archive:
        found = [info for info in archive.getmembers() if Path(info.name).parent.name == "cars"]
        while archive.fileobj.read(2**20):  # to the end, where gzip finds out what is missing
            pass
        # Only regular files, and only into memory: an archive can name any path and any link.
        yield {
            Path(info.name).name: lambda info=info: archive.extractfile(info).read()
            for info in found
            if info.isfile()
        }


def _resize(place: Path, members: _Members, factor_space: FactorSpace, target: Target) -> None:
    n_elevations, n_azimuths, _ = factor_space.sizes
    numbers = {name: k for k, name in enumerate(_order(place, members, factor_space))}
    # In the order in which they lie in the archive, which can only be read forwards.
    names = [name for name in members if name in numbers]
    for name in tqdm(names, desc="Resizing Cars3D", unit=" cars", delay=2):
        images = _images(place / name, members[name](), n_azimuths, n_elevations)
        factors = np.full((n_elevations * n_azimuths, 3), numbers[name])
        factors[:, :2] = np.stack(np.divmod(np.arange(len(factors)), n_azimuths), axis=1)
        target[factor_space.index(factors)] = fitted_arrays(images, IMAGE_SHAPE[0])


def _order(place: Path, members: _Members, factor_space: FactorSpace) -> list[str]:
    """File names of the cars, by number."""
    n_expected = factor_space.sizes[2]
    present = sorted(name for name in members if Path(name).match(MESHES))
    names = present
    if LIST in members:
        lines = members[LIST]().decode("utf-8", errors="replace").split()
        names = [f"{line.removesuffix('.mat')}.mat" for line in lines]
    missing = sorted(set(names) - set(present))
    if missing or len(set(names)) != n_expected or len(names) != n_expected:
        lacking = f"; missing {', '.join(missing[:3])}" if missing else ""
        raise DataFileError(
            f"{place} has {len(set(names) & set(present))} of {n_expected} meshes{lacking}"
        )
    return names


def _images(path: Path, content: bytes, n_azimuths: int, n_elevations: int) -> np.ndarray:
    """Images of one car, elevation before azimuth: `(n, 128, 128, 3)`."""
    from scipy import io as matlab

    check_first_bytes(path, content[:40], b"MATLAB 5.0 MAT-file", "a MATLAB 5 file")
    with damage_named(path, _DAMAGE):
        _check_length(path, content)
        arrays = matlab.whosmat(io.BytesIO(content))
        promised = {name: (dtype, shape) for name, shape, dtype in arrays}
        if "im" not in promised:
            raise DataFileError(f"{path} lacks 'im'; it has {sorted(promised)}")
        expected = "uint8", (_ORIGINAL_SIZE, _ORIGINAL_SIZE, 3, n_azimuths, n_elevations)
        if promised["im"] != expected:
            found = " ".join(map(str, promised["im"]))
            raise DataFileError(f"{path}: im is {found}; expected {expected[0]} {expected[1]}")
        image = matlab.loadmat(io.BytesIO(content), variable_names=["im"])["im"]
    # height, width, channel, azimuth, elevation
    return image.transpose(4, 3, 0, 1, 2).reshape(-1, _ORIGINAL_SIZE, _ORIGINAL_SIZE, 3)


def _check_length(path: Path, content: bytes) -> None:
    """Refuse a MATLAB 5 file that does not end where its last array ends."""
    order = "<" if content[126:128] == b"IM" else ">"
    end = 128
    while end < len(content):
        end += 8 + struct.unpack_from(f"{order}I", content, end + 4)[0]
    if end != len(content):
        raise DataFileError(f"{path} has {len(content):,} of {end:,} bytes: truncated")
