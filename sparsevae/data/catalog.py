"""Data sets by name: what their files are called, who reads them, who renders them."""

import dataclasses
import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path

from sparsevae.checks import check_choice
from sparsevae.data.factors import FactorSpace
from sparsevae.data.ground_truth import FactorData
from sparsevae.data.read import cars3d, dsprites, mpi3d, shapes3d, smallnorb
from sparsevae.data.read import tfds_prepared as tfds
from sparsevae.data.render import BlockMechanisms, DSprites, Shapes3D, Toy
from sparsevae.data.storage.places import find, find_prepared, likely_renamed, roots, tfds_root

SOURCES = ("auto", "file", "tfds", "render")

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Entry:
    """One data set.

    Attributes:
        title: Its name as people write it.
        files: Names of its file, or patterns of one of its files; the first is the usual one.
        size: Size of the download.
        page: Public page that leads to the file.
        read: Reads a file that was found; its `verify` is that of `load`.
        render: Makes the set without a file.
        sized: Whether `render` takes a height and width.
        tfds: Reads a folder of a version prepared by TensorFlow Datasets.
        folders: Other names, beside its own, of the folder that holds the file.
        look_alike: Whether what `render` makes is not the original, so that "auto" never does it.
        license: What its authors allow.
        citation: Paper to cite.
    """

    title: str
    files: tuple[str, ...] = ()
    size: str = ""
    page: str = ""
    read: Callable[..., FactorData] | None = None
    render: Callable[..., FactorData] | None = None
    sized: bool = False
    tfds: Callable[..., FactorData] | None = None
    folders: tuple[str, ...] = ()
    look_alike: bool = False
    license: str = ""
    citation: str = ""


def _mpi3d(
    kind: str,
    files: tuple[str, ...] = (),
    size: str = "5.7 or 12.7 GB",
    factor_spaces: tuple[FactorSpace, ...] = mpi3d.FACTORS,
) -> _Entry:
    name = f"mpi3d_{kind}"
    return _Entry(
        title=f"MPI3D {kind}",
        files=(*files, f"{name}.npz"),
        size=size,
        page="https://github.com/rr-learning/disentanglement_dataset",
        read=functools.partial(mpi3d.read_mpi3d, name=name, factor_spaces=factor_spaces),
        license="Creative Commons Attribution 4.0",
        citation="Gondal et al. 2019, On the Transfer of Inductive Bias from Simulation to the "
        "Real World: a New Disentanglement Dataset, arXiv 1906.03292",
    )


def _mechanisms(graph: str) -> _Entry:
    return _Entry(
        title=f"Block mechanisms, {graph}", render=functools.partial(BlockMechanisms, graph)
    )


_ENTRIES = {
    "dsprites": _Entry(
        title="dSprites",
        files=dsprites.FILE_NAMES,
        size="26 MB",
        page="https://github.com/google-deepmind/dsprites-dataset",
        read=dsprites.read_dsprites,
        render=DSprites,
        sized=True,
        tfds=tfds.read_dsprites,
        license="Apache 2.0",
        citation="Matthey et al. 2017, dSprites: Disentanglement testing Sprites dataset, "
        "https://github.com/google-deepmind/dsprites-dataset",
    ),
    "shapes3d": _Entry(
        title="Shapes3D",
        files=(shapes3d.FILE_NAME,),
        size="268 MB, 5.9 GB unpacked",
        page="https://github.com/google-deepmind/3d-shapes",
        read=shapes3d.read_shapes3d,
        tfds=tfds.read_shapes3d,
        render=Shapes3D,
        sized=True,
        folders=("3dshapes",),
        look_alike=True,
        license="Apache 2.0",
        citation="Burgess and Kim 2018, 3D Shapes Dataset, "
        "https://github.com/google-deepmind/3d-shapes",
    ),
    "cars3d": _Entry(
        title="Cars3D",
        files=(cars3d.ARCHIVE, cars3d.MESHES),
        size="about 300 MB",
        page="http://www.scottreed.info",
        read=cars3d.read_cars3d,
        folders=("cars", "3dcars", "data/cars"),
        license="none stated by its authors",
        citation="Reed et al. 2015, Deep Visual Analogy-Making, NeurIPS",
    ),
    "smallnorb": _Entry(
        title="SmallNORB",
        files=smallnorb.FILE_NAMES,
        size="263 MB, six files",
        page="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
        read=smallnorb.read_smallnorb,
        tfds=tfds.read_smallnorb,
        folders=("small_norb",),
        license="for research only, not to be sold",
        citation="LeCun, Huang and Bottou 2004, Learning Methods for Generic Object Recognition "
        "with Invariance to Pose and Lighting, CVPR",
    ),
    "toy": _Entry(title="Toy", render=Toy),
    "mechanisms": _Entry(title="Block mechanisms", render=BlockMechanisms),
    "mechanisms_overlaps": _mechanisms("overlaps"),
    "mechanisms_couples": _mechanisms("couples"),
    "mpi3d_toy": _mpi3d("toy"),
    "mpi3d_realistic": _mpi3d("realistic"),
    "mpi3d_real": _mpi3d("real"),
    "mpi3d_complex": _mpi3d(
        "complex",
        files=("real3d_complicated_shapes_ordered.npz",),
        size="5.7 GB",
        factor_spaces=mpi3d.COMPLEX_FACTORS,
    ),
}


def load(
    name: str,
    data_dir: str | os.PathLike | None = None,
    source: str = "auto",
    *,
    image_size: int | None = None,
    verify: bool = False,
) -> FactorData:
    """A data set by name, from the user's file or rendered. Nothing is ever downloaded.

    Files are looked for in `data_dir`, `$SPARSEVAE_DATA`, `$DISENTANGLEMENT_LIB_DATA` and the
    folder of the cache, in each of them directly and in a folder called `name`; sets prepared by
    TensorFlow Datasets there too, and last in `$TFDS_DATA_DIR` or `~/tensorflow_datasets`. The
    first one found is used; if it is damaged that is an error, not a reason to take another.

    Args:
        name: "dsprites", "shapes3d", "cars3d", "smallnorb", "mpi3d_toy", "mpi3d_realistic",
            "mpi3d_real", "mpi3d_complex", "toy", "mechanisms", "mechanisms_overlaps" or
            "mechanisms_couples".
        data_dir: Existing folder to look in first.
        source: "file" reads the file, "tfds" what TensorFlow Datasets prepared, "render" renders;
            "auto" takes the first of them that there is, except that it never renders a set whose
            rendering is only a look-alike (Shapes3D). `data.source` says which it was.
        image_size: Height and width to render dSprites or Shapes3D at: 32, 64 or 128. Files have
            their own size.
        verify: Whether to compare the whole file with its published checksum, and a converted copy
            with the checksum that it had when it was made.

    Returns:
        The data set.

    Raises:
        DataFileError: if the file found is damaged or not what it should be.
        FileNotFoundError: if `data_dir` does not exist, or there is no file where one is needed;
            the message says where to put it.
        CacheError: if a converted copy is needed and cannot be written.
        ValueError: if `name` or `source` is unknown, the set cannot come from `source`, or there
            is nothing to verify.
    """
    check_choice("name", name, _ENTRIES)
    entry = _ENTRIES[name]
    _check_source(entry, source)
    if image_size is None:
        return _load(name, entry, roots(data_dir), source, verify)
    return _render(name, entry, source, image_size)


def entries() -> dict[str, _Entry]:
    """All data sets by name."""
    return dict(_ENTRIES)


def _load(name: str, entry: _Entry, folders: list[Path], source: str, verify: bool) -> FactorData:
    inside = ("", name, *entry.folders)
    places = [folder / part for folder in folders for part in inside]
    if source in ("auto", "file") and entry.read and (path := find(places, entry.files)):
        _LOGGER.info("%s: read from %s", entry.title, path)
        return entry.read(path, verify=verify)
    if source == "file":
        raise FileNotFoundError(_absent(name, entry, places))
    prepared = find_prepared([*folders, tfds_root()], name)
    if source in ("auto", "tfds") and entry.tfds and prepared:
        _LOGGER.info("%s: read from %s", entry.title, prepared)
        return entry.tfds(prepared, verify=verify)
    if source == "tfds":
        raise FileNotFoundError(_unprepared(name, entry, [*folders, tfds_root()]))
    if source == "auto" and (entry.look_alike or not entry.render):
        raise FileNotFoundError(_absent(name, entry, places))
    if verify:
        raise ValueError(
            f"`verify` must be False for a set that is rendered, as there is no file to compare. "
            f"Received: verify=True, and no file of {entry.title} was found or asked for"
        )
    _LOGGER.info("%s: rendered", entry.title)
    return entry.render()


def _render(name: str, entry: _Entry, source: str, image_size: int) -> FactorData:
    """The set at another size, which no file has."""
    may_render = source == "render" or (source == "auto" and not entry.look_alike)
    if not entry.sized or not may_render:
        advice = f"; use source='render', a look-alike of {entry.title}" if entry.sized else ""
        raise ValueError(
            f"`image_size` is for rendered sets of several sizes{advice}. "
            f"Received: image_size={image_size!r} for {name}, source={source!r}"
        )
    _LOGGER.info("%s: rendered", entry.title)
    return entry.render(image_size)


def _check_source(entry: _Entry, source: str) -> None:
    check_choice("source", source, SOURCES)
    able = {"render": entry.render, "tfds": entry.tfds, "file": entry.read}
    if source != "auto" and not able[source]:
        possible = ", ".join(repr(s) for s in SOURCES if able.get(s, True))
        raise ValueError(
            f"`source` must be one of {possible} for {entry.title}. Received: source={source!r}"
        )


def _absent(name: str, entry: _Entry, places: list[Path]) -> str:
    """What to do when the file is nowhere."""
    ways = [
        f"Put `{entry.files[0]}` ({entry.size}, from {entry.page}) in one of them, or set "
        "SPARSEVAE_DATA to its folder"
    ]
    if entry.tfds:
        ways.append(f"or let `sparsevae data fetch {name}` download it")
    if entry.render:
        kind = ": a look-alike, not the original" if entry.look_alike else ""
        ways.append(f"or use load({name!r}, source='render'){kind}")
    others = likely_renamed(places, entry.files)
    hint = f" Found {', '.join(map(str, others))}: if renamed, give it its name." if others else ""
    looked = ", ".join(map(str, places))
    return f"{entry.title} not found. Looked in: {looked}. {', '.join(ways)}.{hint}"


def _unprepared(name: str, entry: _Entry, folders: list[Path]) -> str:
    looked = ", ".join(str(folder / name) for folder in folders)
    return (
        f"{entry.title} prepared by TensorFlow Datasets not found. Looked in: {looked}. Prepare it "
        f"with `sparsevae data fetch {name}`, or set TFDS_DATA_DIR to where it is."
    )
