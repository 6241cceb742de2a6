"""The folder of an export: its format, its seal, and what later versions promise.

Format 1 holds `card.json`, `README.md` (the card for people), `saved_model.pb` with `variables/`,
`model.keras`, a file or two for each extra format, and `SHA256SUMS`, which names every other file
and is what `sha256sum --check SHA256SUMS` reads.

The promise: every later version of this package loads every folder of format 1 or above that an
earlier one wrote, with codes that agree within 1e-5. The signatures, and the entries of the card
that format 1 has, keep their names and meaning; files and entries may be added to it. What an
older version could not read gets a new number, and a folder of a number that a version does not
know is refused. `tests/export/v1` is a folder of format 1 that the tests of all versions load.
"""

import hashlib
import os
import re
from pathlib import Path

from sparsevae.data.storage.checksums import digest
from sparsevae.records import read_json

FORMAT_VERSION = 1
CARD = "card.json"
SUMS = "SHA256SUMS"
_TEXT = (".md", ".json", ".xml")  # git may write their ends of lines as this system has them


def seal(folder: Path) -> None:
    """Writes `SHA256SUMS` of every file in a folder."""
    lines = [f"{digest}  {name}\n" for name, digest in digests(folder).items()]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def read_card(folder: str | Path) -> dict:
    """The card of an export, after every file of it was compared with its checksum.

    What else lies in the folder, of a file manager say, is not looked at.

    Raises:
        FileNotFoundError: if the folder is not an export, or a file of it is missing.
        ValueError: if a file was changed, or the format is newer than this version knows.
    """
    folder = Path(folder)
    for name in (CARD, SUMS):
        _check_present(folder, name)
    card = read_json(folder / CARD)
    version = card.get("format_version") if isinstance(card, dict) else None
    if not isinstance(version, int) or version < 1:
        raise ValueError(
            f"{folder}/{CARD} must say format_version, an integer of at least 1. "
            f"Received: {version!r}"
        )
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{folder} has format {version}; this version of sparsevae reads up to "
            f"{FORMAT_VERSION}. Update sparsevae"
        )
    _check_seal(folder)
    _check_card(folder, card)
    return card


def _check_present(folder, name):
    if not (folder / name).is_file():
        missing = f"{name} is missing" if folder.exists() else "there is no such folder"
        raise FileNotFoundError(
            f"{folder} is not an exported model: {missing}. "
            "Exports are made by sparsevae.export.save or `sparsevae export`"
        )


def _check_seal(folder):
    expected = _read_sums(folder)
    for name in expected:
        _check_present(folder, name)
    if changed := [name for name in expected if not _is_sealed(folder / name, expected[name])]:
        raise ValueError(
            f"{folder} is damaged: {', '.join(changed)} changed after the export. "
            "Export the model again, or copy the folder anew"
        )


def _is_sealed(path, expected):
    if digest(path, "sha256") == expected:
        return True
    with_lf = path.read_bytes().replace(b"\r\n", b"\n") if path.suffix in _TEXT else b""
    return hashlib.sha256(with_lf).hexdigest() == expected


def _read_sums(folder):
    expected = {}
    for line in (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if not match:
            raise ValueError(f"{folder}/{SUMS} is damaged: {line[:80]!r} is not a checksum line")
        expected[match[2]] = match[1]
    if CARD not in expected:
        raise ValueError(f"{folder}/{SUMS} is damaged: it does not name {CARD}")
    return expected


def _check_card(folder, card):
    """What every reader relies on."""
    try:
        shape, codes = card["input"]["shape"], card["output"]["codes"]
        sizes = [*shape[1:], *codes[1:]]
        right = len(shape) == 4 and len(codes) == 2 and all(isinstance(n, int) for n in sizes)
    except (KeyError, TypeError, IndexError):
        right = False
    if not right:
        raise ValueError(
            f"{folder}/{CARD} must hold input.shape [null, height, width, channels] and "
            "output.codes [null, latent_dim]. Export the model again"
        )


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but `SHA256SUMS`, by path inside the folder, sorted."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            if path != folder / SUMS:
                found[path.relative_to(folder).as_posix()] = digest(path, "sha256")
    return dict(sorted(found.items()))
