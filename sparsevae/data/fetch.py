"""Getting the files of a set: by TensorFlow Datasets where it can, else by hand as told here.

The only file of this folder that ever reaches the network, and only through `fetch`.
"""

import os
import socket
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from sparsevae.checks import check_choice
from sparsevae.data import catalog
from sparsevae.data.storage.cache import cache_folder
from sparsevae.data.storage.checksums import KNOWN
from sparsevae.data.storage.places import tfds_root

_PATIENCE = 10.0  # seconds to wait for an answer of a host


def about(name: str) -> str:
    """What to know of a set before getting it: license, citation, size, page, file, checksum.

    Args:
        name: Name of a set with a file, as in `load`.

    Returns:
        Several lines, one a fact; for a set that must be got by hand also where to put it.

    Raises:
        ValueError: if `name` is unknown.
    """
    entry = _entry(name)
    lines = {
        entry.title: f"{entry.size}, from {entry.page}",
        "License": entry.license,
        "Please cite": entry.citation,
    }
    if not entry.tfds:
        file = entry.files[0]
        lines |= {
            "File": f"{file}, {' '.join(KNOWN.get(file, ['no checksum published']))}",
            "Put it into": f"a folder named by SPARSEVAE_DATA or data_dir=, or {_home(name)}",
            "Then": f"load({name!r}{', verify=True' if file in KNOWN else ''})",
        }
    return "\n".join(f"{key}: {value}" for key, value in lines.items())


def can_fetch(name: str) -> bool:
    """Whether `fetch` can get a set; if not, `about` says how to get it by hand.

    Raises:
        ValueError: if `name` is unknown.
    """
    return _entry(name).tfds is not None


def fetch(name: str, folder: str | os.PathLike | None = None) -> Path:
    """Downloads a set and prepares it with TensorFlow Datasets, for `load(name, source="tfds")`.

    TensorFlow Datasets shows progress, keeps what is downloaded whole when it is stopped, and
    compares the published checksums. It holds Shapes3D in memory, 5.9 GB, while it prepares it.

    Args:
        name: "dsprites", "shapes3d" or "smallnorb".
        folder: Where to keep it; None is `$TFDS_DATA_DIR`, else `~/tensorflow_datasets`.

    Returns:
        The folder of the prepared set. If it is there already, nothing is downloaded.

    Raises:
        ConnectionError: if the network does not reach the files; the message says what to do.
        RuntimeError: if the download breaks off or is not the published file.
        ValueError: if TensorFlow Datasets does not have the set, or `name` is unknown.
    """
    entry = _entry(name)
    if not entry.tfds:
        raise ValueError(f"TensorFlow Datasets has no {entry.title}. Received: name={name!r}")
    import tensorflow_datasets as tfds

    root = Path(folder).expanduser() if folder else tfds_root()
    builder = tfds.builder(name, data_dir=root)
    if not builder.is_prepared():
        _check_network(name, entry, builder.url_infos)
        errors = (
            OSError,
            tfds.download.DownloadError,
            tfds.core.download.download_manager.NonMatchingChecksumError,
        )
        try:
            builder.download_and_prepare()
        except errors as error:
            reason = " ".join(str(error).split())[:300]
            raise RuntimeError(
                f"{entry.title} could not be fetched into {root}: {reason}. The same command goes "
                f"on with what is whole; or {_by_hand(name, entry)}"
            ) from error
    return Path(builder.data_dir)


def _entry(name: str) -> catalog._Entry:
    files = {key: entry for key, entry in catalog.entries().items() if entry.read}
    check_choice("name", name, files)
    return files[name]


def _check_network(name: str, entry: catalog._Entry, urls: Iterable[str]) -> None:
    """Refuse within seconds; TensorFlow Datasets itself tries for minutes."""
    if urllib.request.getproxies():
        return  # hosts are then not reached directly
    for host in sorted({urlsplit(url).hostname for url in urls}):
        try:
            socket.create_connection((host, 443), _PATIENCE).close()
        except OSError as error:
            raise ConnectionError(
                f"{entry.title} cannot be downloaded here: no connection to {host} ({error}). Run "
                f"this where the network allows it; or {_by_hand(name, entry)}"
            ) from error


def _by_hand(name: str, entry: catalog._Entry) -> str:
    return f"get `{entry.files[0]}` ({entry.size}) from {entry.page} and put it into {_home(name)}"


def _home(name: str) -> Path:
    return cache_folder() / name
