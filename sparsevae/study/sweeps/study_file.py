"""Studies in TOML: read, checked field by field, refused by file and line."""

import json
import os
import re
import tomllib
import typing
from pathlib import Path
from typing import Any

import msgspec

from sparsevae.checks import check_choice
from sparsevae.study.settings import RunSettings
from sparsevae.study.sweeps.grid import Study, make_study

_TYPES = typing.get_type_hints(RunSettings)
FIELDS = tuple(name for name in _TYPES if name != "name")  # a cell's name follows from the grid
_SECTIONS = ("runs", "name", "fixed", "grid")


class StudyFileError(ValueError):
    """A study file that cannot be run; begins with `FILE:LINE:`."""


def read_study(path: str | Path) -> Study:
    """The study that a TOML file describes.

    `name` (by default the file's) and `runs` say where: `RUNS/NAME`. `[fixed]` gives fields of
    `RunSettings` that all runs share, `[grid]` a list of values for each field that varies; all
    combinations are run. Several `[[grid]]` are run one beside the other.

    Raises:
        StudyFileError: for a syntax error, an unknown field, a value of a wrong type or that the
            settings refuse, an empty grid, a cell that occurs twice, or a folder that cannot be
            written.
        FileNotFoundError: if there is no such file, or a folder in its place.
        OSError: if the file cannot be read.
    """
    path = Path(path)
    if path.is_dir() or not path.exists():
        what = "a folder" if path.is_dir() else "no file"
        raise FileNotFoundError(f"`path` must be a study file (TOML). Received: {path}, {what}")
    text = path.read_text(encoding="utf-8")
    lines = _Lines(path, text)
    content = _parse(text, lines)
    for key in content:
        if key in FIELDS:
            raise lines.error((key,), f"`{key}` must stand under [fixed] or [grid]")
        _check_name("section", key, _SECTIONS, lines, (key,))
    fixed = _fixed(content.get("fixed", {}), lines)
    grids = _grids(content, fixed, lines)
    folder = _folder(content, path, lines)
    try:
        return make_study(folder, fixed, grids)
    except (ValueError, TypeError) as error:
        raise lines.error(_to_blame(str(error), fixed, grids), str(error)) from None


class _Lines:
    """Where in the file a key stands; `tomllib` does not say."""

    _HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z_]\w*)(?:\s*\.\s*(\w+))?\s*\]{1,2}\s*(#.*)?")
    _KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*[.=]""")

    def __init__(self, path: Path, text: str):
        self.path = path
        self.of: dict[tuple, int] = {}
        section: tuple = ()
        n_grids = 0
        for number, line in enumerate(text.splitlines(), start=1):
            if header := self._HEADER.fullmatch(line):
                n_grids += line.lstrip().startswith("[[")
                section = (header[1],) if header[1] != "grid" else ("grid", max(n_grids - 1, 0))
                self.of.setdefault(section, number)
                if header[2]:
                    self.of.setdefault((*section, header[2]), number)
            elif key := self._KEY.match(line):
                self.of.setdefault((*section, key[1]), number)

    def line(self, place: tuple) -> int:
        """Line of a key, or of the nearest section around it."""
        while place and place not in self.of:
            place = place[:-1]
        return self.of.get(place, 1)

    def error(self, place: tuple, message: str) -> StudyFileError:
        return StudyFileError(f"{self.path}:{self.line(place)}: {message}")


def _parse(text, lines):
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (?:line (\d+), column \d+|end of document)\)", str(error))
        number = int(found[1]) if found and found[1] else max(len(text.splitlines()), 1)
        raise StudyFileError(f"{lines.path}:{number}: not valid TOML: {error}") from None


def _check_name(argument, value, choices, lines, place):
    try:
        check_choice(argument, value, choices)
    except ValueError as error:
        raise lines.error(place, str(error)) from None


def _typed(field, value, lines, place) -> Any:
    """The value in the field's type; whole numbers become floats where these are meant."""
    try:
        return msgspec.convert(value, _TYPES[field])
    except msgspec.ValidationError as error:
        raise lines.error(
            place, f"`{field}` has a value of a wrong type: {error}. Received: {value!r}"
        ) from None


def _fixed(table, lines):
    if not isinstance(table, dict):
        raise lines.error(("fixed",), "`fixed` must be a table, [fixed]")
    for field in table:
        _check_name("field", field, FIELDS, lines, ("fixed", field))
    return {k: _typed(k, value, lines, ("fixed", k)) for k, value in table.items()}


def _grids(content, fixed, lines):
    found = content.get("grid", [])
    tables = found if isinstance(found, list) else [found]
    if not tables or not all(isinstance(table, dict) and table for table in tables):
        raise lines.error(
            ("grid", 0), "the grid is empty. Give [grid] at least one field, such as seed = [0, 1]"
        )
    return [_grid(table, number, fixed, lines) for number, table in enumerate(tables)]


def _grid(table, number, fixed, lines):
    grid = {}
    for field, values in table.items():
        place = ("grid", number, field)
        _check_name("field", field, FIELDS, lines, place)
        if field in fixed:
            line = lines.line(("fixed", field))
            raise lines.error(place, f"`{field}` is fixed in line {line} and cannot vary too")
        if not isinstance(values, list) or not values:
            received = "an empty list" if values == [] else repr(values)
            raise lines.error(
                place, f"`{field}` must be a list of at least one value. Received: {received}"
            )
        grid[field] = [_typed(field, value, lines, place) for value in values]
        keys = [json.dumps(value, sort_keys=True) for value in grid[field]]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise lines.error(place, f"`{field}` lists {twice} twice, so cells would occur twice")
    return grid


def _folder(content, path, lines):
    for key in ("runs", "name"):
        if not isinstance(content.get(key, ""), str):
            raise lines.error((key,), f"`{key}` must be a string. Received: {content[key]!r}")
    name = content.get("name", path.stem)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise lines.error(
            ("name",),
            "`name` must begin with a letter or digit and hold only letters, digits, dots, dashes "
            f"and underscores. Received: {name!r}",
        )
    folder = Path(content.get("runs", "runs"), name)
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        problem = "is a file" if not there.is_dir() else "cannot be written"
        raise lines.error(("runs",), f"`runs` must be a folder to write to; {there} {problem}")
    return folder


def _to_blame(message, fixed, grids):
    """Place of the first field that an error names in backticks; else the last grid."""
    named = re.findall(r"`(\w+)`|\b(\w+)=", message)
    for field in (a or b for a, b in named):
        if field in fixed:
            return ("fixed", field)
        for number, grid in enumerate(grids):
            if field in grid:
                return ("grid", number, field)
    return ("grid", len(grids) - 1)
