"""Files of the true size, mostly holes: what they take of memory, measured in a process of its own.

Holes count as memory once read, as any other page of a file does.
"""

import os
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from sparsevae.data.read.mpi3d import FACTORS
from sparsevae.data.read.shapes3d import FACTORS as SHAPES

LIMIT = 1e9  # bytes resident

READ = """
import sys
import numpy as np
from sparsevae.data import load
data = load(sys.argv[1], sys.argv[2], "file")
rng = np.random.default_rng(0)
for _ in range({n_batches}):
    data.sample(1024, rng)
# Not ru_maxrss, which begins at what the parent process takes.
status = dict(line.split(":") for line in open("/proc/self/status"))
resident = 1024 * int(status["VmHWM"].split()[0])
print(len(data), resident, *data.images([{marked}])[0, {pixel}, {pixel}])
"""


class Holes:
    """A file in which blocks of zeros are skipped instead of written."""

    def __init__(self, path):
        self.file = open(path, "wb")  # noqa: SIM115  closed by `close`

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if len(data) < 2**20 or any(data[:: len(data) // 64]):
            return self.file.write(data)
        self.file.seek(len(data), os.SEEK_CUR)
        return len(data)


def read_elsewhere(name, folder, n_batches, marked, pixel):
    """Number of images, bytes resident at most, and three channels of a pixel."""
    program = READ.format(n_batches=n_batches, marked=marked, pixel=pixel)
    done = subprocess.run(
        [sys.executable, "-c", program, name, str(folder)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    n_images, resident, *channels = map(int, done.stdout.split())
    return n_images, resident, channels


@pytest.mark.slow
def test_mpi3d_of_12_7_gb_takes_less_than_1(folder):
    n_images = len(FACTORS[0])
    file = Holes(folder / "mpi3d_real.npz")
    with (
        zipfile.ZipFile(file, "w") as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": (n_images, 64, 64, 3)}
        np.lib.format.write_array_header_1_0(member, header)
        block = bytes(1024 * 64 * 64 * 3)
        for _ in range(n_images // 1024):
            member.write(block)
        member.write(bytes(n_images % 1024 * 64 * 64 * 3 - 3))
        member.write(b"\1\2\3")
    file.close()
    assert (folder / "mpi3d_real.npz").stat().st_size > 12.7e9
    found, resident, channels = read_elsewhere("mpi3d_real", folder, 200, n_images - 1, -1)
    print(f"{resident / 1e6:.0f} MB resident")
    assert (found, channels) == (n_images, [1, 2, 3]) and resident < LIMIT


@pytest.mark.slow
def test_shapes3d_of_5_9_gb_is_converted_and_read_in_less_than_1(folder, cache):
    factors = SHAPES.factors(np.arange(len(SHAPES)))
    values = [np.array(row)[k] for row, k in zip(SHAPES.values, factors.T, strict=True)]
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        # Chunks as h5py chooses them itself for this shape: thousands of images, few pixels each.
        images = file.create_dataset(
            "images", (len(SHAPES), 64, 64, 3), np.uint8, chunks=True, compression="gzip"
        )
        assert images.chunks[0] > 1000
        images[400_000, 0, 0] = [1, 2, 3]
        file["labels"] = np.stack(values, axis=1)
    found, resident, channels = read_elsewhere("shapes3d", folder, 100, 400_000, 0)
    print(f"{resident / 1e6:.0f} MB resident")
    assert (found, channels) == (len(SHAPES), [1, 2, 3]) and resident < LIMIT
    assert (cache / "converted" / "shapes3d.npy").stat().st_size > 5.8e9
    (cache / "converted" / "shapes3d.npy").unlink()
