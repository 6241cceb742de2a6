"""Makes `load` expect the tiny files of `true_files` instead of the whole sets."""

import dataclasses
import functools

import true_files

from sparsevae.data import catalog

# What writes a tiny file, the folder where disentanglement_lib keeps it, its factors.
SMALL = {
    "dsprites": (true_files.write_dsprites, "dsprites", true_files.DSPRITES),
    "shapes3d": (true_files.write_shapes3d, "3dshapes", true_files.SHAPES3D),
    "cars3d": (true_files.write_cars3d, "cars", true_files.CARS3D),
    "smallnorb": (true_files.write_smallnorb, "small_norb", true_files.SMALLNORB),
    "mpi3d_toy": (true_files.write_mpi3d, "mpi3d_toy", (true_files.MPI3D,)),
}
_ARGUMENTS = {"smallnorb": "grid", "mpi3d_toy": "factor_spaces"}


def expect_small_files(monkeypatch):
    for name, (_, _, space) in SMALL.items():
        entry = catalog._ENTRIES[name]
        read = functools.partial(entry.read, **{_ARGUMENTS.get(name, "factor_space"): space})
        monkeypatch.setitem(catalog._ENTRIES, name, dataclasses.replace(entry, read=read))
