"""Checksums of the published files, and how a file is compared with its own."""

import hashlib
from pathlib import Path

from tqdm import tqdm

from sparsevae.data.files import DataFileError

_BLOCK = 2**20

# By file name: algorithm and digest. "git" is the SHA-1 that git gives to a file. Sources: the
# checksums of TensorFlow Datasets (dSprites hdf5, Shapes3D, SmallNORB), the repository of dSprites
# itself (npz), MPI3D and Cars3D as other projects of the field quote them (md5).
KNOWN = {
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz": (
        "git",
        "d98996d3f8ee1550e06b9d4ed78d0beb478910d5",
    ),
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5": (
        "sha256",
        "729fa22e884c9c500e1f17415d580746b4c5894fbbb780a1319bbcfa39a745bb",
    ),
    "3dshapes.h5": (
        "sha256",
        "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
    ),
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz": (
        "sha256",
        "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873",
    ),
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat.gz": (
        "sha256",
        "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa",
    ),
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat.gz": (
        "sha256",
        "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32",
    ),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat.gz": (
        "sha256",
        "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474",
    ),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat.gz": (
        "sha256",
        "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff",
    ),
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat.gz": (
        "sha256",
        "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2",
    ),
    "nips2015-analogy-data.tar.gz": ("md5", "4e866a7919c1beedf53964e6f7a23686"),
    "mpi3d_toy.npz": ("md5", "55889cb7c7dfc655d6e0277beee88868"),
    "mpi3d_realistic.npz": ("md5", "59a6225b88b635365f70c91b3e52f70f"),
    "mpi3d_real.npz": ("md5", "0f33f609918fb5c97996692f91129802"),
}


def check_digest(path: Path) -> None:
    """Compare a file, read whole, with the published checksum of its name.

    Raises:
        DataFileError: if they differ; the message has both. Or if no checksum is published for a
            file of this name.
    """
    if path.name not in KNOWN:
        raise DataFileError(
            f"`verify` must be False for a file without a published checksum. Received: "
            f"verify=True for {path}"
        )
    algorithm, expected = KNOWN[path.name]
    found = digest(path, algorithm)
    if found != expected:
        raise DataFileError(
            f"{path} is not the published file: its {algorithm} checksum is {found}, "
            f"expected {expected}"
        )


def digest(path: Path, algorithm: str) -> str:
    """Digest of a file in hexadecimal: "sha256", "md5" or "git"."""
    n_bytes = path.stat().st_size
    if algorithm == "git":
        found = hashlib.sha1(b"blob %d\0" % n_bytes, usedforsecurity=False)
    else:
        found = hashlib.new(algorithm, usedforsecurity=False)
    # The bar appears only when reading takes longer than two seconds.
    bar = tqdm(total=n_bytes, desc=f"Checksum of {path.name}", unit="B", unit_scale=True, delay=2)
    with open(path, "rb") as file, bar:
        while block := file.read(_BLOCK):
            found.update(block)
            bar.update(len(block))
    return found.hexdigest()
