"""The one way in: sets by name, variants of them, and anybody's own images."""

import os
from pathlib import Path

import numpy as np

from sparsevae.data import catalog, variants
from sparsevae.data.factor_table import Table
from sparsevae.data.image_data import ImageData
from sparsevae.data.own import is_own, load_own


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
    - "color_NAME", "noisy_NAME" or "scream_NAME": a variant, see `variants.apply`, which takes
      `background`. `variants.apply(load("./mine"), "noisy")` is that of a set without a name.
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
        TypeError: if an argument has a wrong type.
        ValueError: if a name is unknown or an argument does not go with it.
    """
    variant, base = (None, name) if is_own(name) else variants.split_name(name)
    if variant:
        data = load(base, data_dir, source, factors=factors, image_size=image_size, verify=verify)
        return variants.apply(data, variant, background=background)
    _refuse(background=background, when="'scream_NAME'")
    if is_own(name):
        if source not in ("auto", "file", "tfds"):
            raise ValueError(f"`source` must be 'auto' for {name}. Received: source={source!r}")
        return load_own(name, factors, image_size=image_size, data_dir=data_dir, verify=verify)
    _refuse(factors=factors, when="the user's own images")
    if name not in catalog._ENTRIES and Path(str(name)).exists():
        raise ValueError(f"`name` {name!r} is not a known set. To load the path, write './{name}'")
    return catalog.load(name, data_dir, source, image_size=image_size, verify=verify)


def _refuse(when: str, **arguments) -> None:
    for argument, value in arguments.items():
        if value is not None:
            raise ValueError(f"`{argument}` is for {when} only. Received: {argument}={value!r}")
