"""A study: many runs, one for each cell of a grid over the run settings."""

import collections
import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsevae.study.settings import RunSettings

_READABLE = 80  # characters of a folder name before the digest
_DIGEST = 5  # bytes


@dataclasses.dataclass(frozen=True)
class Study:
    """Runs that belong together, each in a folder of its own under `folder`.

    Attributes:
        folder: Folder of the study.
        cells: Settings of each run, in the order in which they are to run.
        varied: Names of the fields that differ between cells.
    """

    folder: Path
    cells: tuple[RunSettings, ...]
    varied: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.folder.name


def make_study(
    folder: str | Path, fixed: Mapping[str, Any], grids: Sequence[Mapping[str, Sequence]]
) -> Study:
    """The study of all combinations of each grid.

    A cell's folder is named by its varied fields and by a digest of all its settings that differ
    from the defaults. A folder of the same digest is taken over, whatever its readable part, so
    cells are not run again when a grid grows by a field.

    Args:
        folder: Folder of the study, such as `runs/NAME`; it need not exist.
        fixed: Fields of `RunSettings` that all cells share. Unless given, `n_threads` is 1: one
            process per core is the fastest way to train many models.
        grids: One or more dicts from field to its values; every field at least one value.

    Raises:
        ValueError: if a cell occurs twice, a field has no values, or settings are not valid.
        TypeError: if a field is unknown.
    """
    folder = Path(folder)
    fixed = {"n_threads": 1, **fixed}
    cells: dict[str, dict] = {}
    for grid in grids:
        for values in itertools.product(*grid.values()):
            chosen = dict(zip(grid, values, strict=True))
            digest = _digest(RunSettings("cell", **{**fixed, **chosen}))
            if digest in cells:
                raise ValueError(f"A cell must not occur twice. Received: {chosen} once more")
            cells[digest] = chosen
    if not cells:
        raise ValueError("`grids` must hold at least one cell. Received: none")
    varied = tuple(dict.fromkeys(field for grid in grids for field in grid))
    there = _existing(folder)
    names = {d: there.get(d, f"{_readable(chosen)}_{d}") for d, chosen in cells.items()}
    settings = [RunSettings(**{**fixed, **cells[d], "name": names[d]}) for d in cells]
    return Study(folder, tuple(balanced(settings, varied)), varied)


def balanced(cells: Sequence[RunSettings], varied: Sequence[str]) -> list[RunSettings]:
    """Cells in an order of which every beginning says something about the whole grid.

    All cells of the first seed come before those of the second. Within a seed each next cell is
    the one whose values, then whose pairs of values, have been used least so far.
    """
    by_seed: dict[int, list[RunSettings]] = collections.defaultdict(list)
    for cell in cells:
        by_seed[cell.seed].append(cell)
    return [cell for group in by_seed.values() for cell in _spread(group, varied)]


def _spread(cells, varied):
    fields = dict.fromkeys((*varied, "seed"))
    codes = np.stack([_codes([getattr(c, field) for c in cells]) for field in fields], axis=1)
    pairs = [
        codes[:, i] * (codes[:, j].max() + 1) + codes[:, j]
        for i, j in itertools.combinations(range(codes.shape[1]), 2)
    ]
    columns = (list(codes.T), pairs)
    used = [[np.zeros(column.max() + 1) for column in part] for part in columns]
    left = np.arange(len(cells))
    order = []
    while len(left):
        costs = [
            sum(
                (counts[column[left]] for counts, column in zip(tables, part, strict=True)),
                start=np.zeros(len(left)),
            )
            for tables, part in zip(used, columns, strict=True)
        ]
        best = left[np.lexsort((left, costs[1], costs[0]))[0]]
        for tables, part in zip(used, columns, strict=True):
            for counts, column in zip(tables, part, strict=True):
                counts[column[best]] += 1
        order.append(cells[best])
        left = left[left != best]
    return order


def _codes(values):
    """Each value as the number of its first occurrence."""
    keys = [json.dumps(value, sort_keys=True) for value in values]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys])


def _digest(settings):
    """Short hash of what differs from the defaults: fields that later join leave it as it is."""
    default = dataclasses.asdict(RunSettings("cell"))
    changed = {k: v for k, v in dataclasses.asdict(settings).items() if v != default[k]}
    changed.pop("name", None)
    text = json.dumps(changed, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST).hexdigest()


def _readable(chosen):
    parts = []
    for field, value in chosen.items():
        if isinstance(value, (list, dict)):
            continue  # in the digest only
        text = f"{value:g}" if isinstance(value, float) else str(value)
        parts.append(f"{field}-{re.sub('[^A-Za-z0-9.+-]', '-', text).replace('+', '')}")
    return "_".join(parts)[:_READABLE].strip("._-") or "cell"


def _existing(folder):
    """Names of run folders by the digest that they end with."""
    if not folder.is_dir():
        return {}
    pattern = re.compile(rf"[^.].*_([0-9a-f]{{{2 * _DIGEST}}})")
    found = ((pattern.fullmatch(path.name), path) for path in sorted(folder.iterdir()))
    return {match[1]: path.name for match, path in found if match and path.is_dir()}
