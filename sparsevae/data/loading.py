"""The one way in: sets by name, variants of them, and anybody's own images."""

import os
from pathlib import Path

import numpy as np

from sparsevae.checks import check_choice
from sparsevae.data import catalog, registered, variants
from sparsevae.data.image_data import ImageData
from sparsevae.data.own import TFDS, Table, is_own, load_own


def load(
    name: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    source: str = "auto",
    *,
    factors: Table | None = None,
    image_size: int | None = None,
    background: str | os.PathLike | np.ndarray | None = None,
    verify: bool = False,
) -> ImageData:
    """A data set by name, a variant of one, or the user's own. Nothing is ever downloaded.

    - A known name, as "dsprites": see `catalog.load`, which takes `data_dir`, `source` and
      `image_size`.
    - A name from `register`, or of a set that an installed package announces: see `register`,
      which takes `image_size`.
    - "color_NAME", "noisy_NAME" or "scream_NAME": a variant, see `variants.apply`, which takes
      `background`. NAME may be a path that begins with a dot, slash or tilde: "noisy_./mine".
    - A path (with a slash, or ending in .npy or .npz) or "tfds:NAME": see `own.load_own`, which
      takes `factors` and `image_size`.

    Args:
        name: What to load.
        data_dir: Existing folder to look in first, for sets by name.
        source: Where a set by name comes from.
        factors: Table of factors for the user's own images.
        image_size: Height and width wanted, of rendered sets or of the user's own images.
        background: Picture for "scream_NAME".
        verify: Whether to compare a published file with its checksum, and copies made of files
            with theirs.

    Returns:
        The data set. `data.source` says where its images come from.

    Raises:
        DataFileError: if a file is damaged or not what it should be.
        FileNotFoundError: if a file or folder does not exist.
        ImportError: if a package that announces the set cannot be imported.
        TypeError: if an argument has a wrong type.
        ValueError: if a name is unknown or an argument does not go with it.
    """
    variant, base = _split(name)
    if variant:
        data = load(base, data_dir, source, factors=factors, image_size=image_size, verify=verify)
        return variants.apply(data, variant, background=background)
    _refuse(background=background, when="'scream_NAME'")
    if is_own(name):
        possible = "tfds" if str(name).startswith(TFDS) else "file"
        check_choice("source", source, ("auto", possible))
        return load_own(name, factors, image_size=image_size, data_dir=data_dir, verify=verify)
    _refuse(factors=factors, when="the user's own images")
    check_name("name", name)
    room = catalog if name in catalog.entries() else registered
    return room.load(name, data_dir, source, image_size=image_size, verify=verify)


def check_name(argument: str, name: str | os.PathLike) -> None:
    """Refuses a name that `load` would, as far as can be said without looking for its files.

    Args:
        argument: What the name is called where it was given.
        name: Of a set, of a variant, or a path.

    Raises:
        ValueError: if the name is no path and unknown.
    """
    base = _split(name)[1]
    if is_own(base) or base in catalog.entries() or base in registered.names():
        return
    if Path(base).exists():
        raise ValueError(
            f"`{argument}` {base!r} is not a known set. To load the path, write './{base}'"
        )
    try:
        check_choice(argument, base, [*catalog.entries(), *registered.names()])
    except ValueError as error:
        raise ValueError(
            f"{error}. (Names given to `register` are known in the process that called it only)"
        ) from None


def _split(name: str | os.PathLike) -> tuple[str | None, str | os.PathLike]:
    """Variant and base; "noisy_a/b" is a path, "noisy_./a/b" the variant of one."""
    own = is_own(name)
    variant, base = variants.split_name(str(name))
    if own and not base.startswith((".", "/", "~", TFDS)):
        variant = None
    return (variant, base) if variant else (None, name)


def _refuse(when: str, **arguments) -> None:
    for argument, value in arguments.items():
        if value is not None:
            raise ValueError(f"`{argument}` is for {when} only. Received: {argument}={value!r}")
