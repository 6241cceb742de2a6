"""Any table beside a folder: the right label for each picture, or one line that says why not.

The default run draws few; `-m slow` draws thousands.
"""

import csv
import re
import unicodedata

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from any_folder import PLACE, STEM, File, fuzz, loaded, persons, place, write
from hypothesis import assume, event
from hypothesis import strategies as st

CHANGES = {
    "in full": str,
    "upper case": str.upper,
    "without ending": lambda name: name.rpartition(".")[0],
    "folder before": lambda name: f"x/{name}",
    "no folders": lambda name: name.rpartition("/")[2],
    "backslashes": lambda name: name.replace("/", "\\"),
    "spaces": lambda name: f" {name} ",
    "other form": lambda name: unicodedata.normalize("NFD", name),
    "cut": lambda name: name[:-1],
    "another": lambda name: name.replace("1", "2"),
}
VALUES = {
    "integers": [3, 1, 2],
    "floats": [0.5, -1.25, 1e5],
    "booleans": [True, False, True],
    "words": ["red", "blue", "a b"],
    "missing words": ["red", "NA", "None"],
    "constant": [7, 7, 7],
    "large": [2**53, 2**53 + 1, 2**53 + 2],
    "huge": [2**64, 1, 2],
    "dates": ["2020-01-01", "2021-01-01", "2020-01-02"],
    "numbers as words": ["1_0", "0x10", "5"],
}
HARMS = [
    "none",
    "none",
    "none",
    "row twice",
    "row less",
    "empty cell",
    "blank lines",
    "two columns",
]
TABLES = {
    "paths": st.lists(
        st.tuples(PLACE, STEM, st.sampled_from([".png", ".PNG", ".bmp"])).map("".join),
        min_size=1,
        max_size=8,
        unique=True,
    ),
    "change": st.sampled_from([*["in full"] * 5, *["without ending"] * 3, *CHANGES]),
    "values": st.sampled_from(list(VALUES)),
    "column": st.sampled_from(["file", "file", "id", "v2", "Shape", None]),
    "kind": st.sampled_from(
        ["csv", "csv", "tsv", "csv", "parquet", "parquet index", "frame", "frame index", "dict"]
    ),
    "separator": st.sampled_from(",;\t|"),
    "encoding": st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]),
    "end": st.sampled_from(["\n", "\r\n", "\r"]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    "harm": st.sampled_from(HARMS),
    "seed": st.integers(0, 99),
}


def every_label_is_right_or_the_table_refused(paths, change, values, column, kind, seed, **text):
    files = [File(path, "PNG") for path in paths]
    files = [file for file in files if not file.hidden and "x.png" not in file.path]
    assume(files)
    raw = [VALUES[values][k * 7 % 3] for k in range(len(files))]
    with place() as root:
        write(root / "photos", files)
        frame = table(files, raw, CHANGES[change], column, seed)
        frame = harmed(frame, text["harm"])
        try:
            factors = stored(frame, root / "f", kind, column, **text)
        except (
            UnicodeError,
            pa.ArrowException,
            csv.Error,
            ValueError,
            OverflowError,
        ):  # it cannot be written so
            return
        data, said = loaded(root / "photos", factors=factors)
    must = is_plain(paths, change, values, column, kind, **text)
    if data is None:
        event("refused")
        assert not must, said
        assert "factors" in said or f"{root}/f." in said, said
        return
    event("loaded")
    assert text["harm"] in ("none", "blank lines")
    who = persons(data)
    assert sorted(who) == list(range(len(files)))
    ranks = {value: k for k, value in enumerate(sorted(set(raw)))}
    at = data.factor_names.index("v")
    labels = data.factors(np.arange(len(data)))[:, at]
    assert labels.tolist() == [ranks[raw[k]] for k in who]
    if not isinstance(raw[0], str):
        assert list(data.factor_space.values[at]) == [float(value) for value in sorted(set(raw))]
    if must:
        assert data.factor_names == ("v",)


def table(files, raw, change, column, seed):
    """A row a file, shuffled; or in their order, if no column says whose they are."""
    if column is None:
        order = sorted(range(len(files)), key=lambda k: files[k].path)
        return pd.DataFrame({"v": [raw[k] for k in order]}, dtype=object)
    order = np.random.default_rng(seed).permutation(len(files))
    names = [change(files[k].path) for k in order]
    columns = {column: names, "v": [raw[k] for k in order]}
    columns = {name: columns[name] for name in sorted(columns, reverse=seed % 2)}
    return pd.DataFrame(columns, dtype=object)


def harmed(frame, harm):
    if harm == "row twice":
        return pd.concat([frame, frame[:1]])
    if harm == "row less":
        return frame[1:]
    if harm == "empty cell":
        frame.iloc[0, 0] = None
    if harm == "two columns":
        frame = pd.concat([frame, frame[["v"]]], axis=1)
    return frame


def stored(frame, path, kind, column, *, separator, encoding, end, quoting, harm):
    """What `load` takes as factors: a path, or an object."""
    if kind == "dict" and frame.columns.is_unique:
        return {name: list(frame[name]) for name in frame}
    frame = frame.infer_objects()
    if kind.endswith("index") and column:
        frame = frame.set_index(column)
    if kind.startswith("parquet"):
        frame.to_parquet(path.with_suffix(".parquet"))
        return path.with_suffix(".parquet")
    if kind not in ("csv", "tsv"):
        return frame
    path = path.with_suffix(f".{kind}")
    separator = "\t" if kind == "tsv" else separator
    text = frame.to_csv(index=False, sep=separator, quoting=quoting, lineterminator=end)
    if harm == "blank lines":
        text = f"{text}{end}{end}"
    path.write_bytes(text.encode(encoding, "surrogateescape" if encoding == "utf-8" else "strict"))
    return path


def is_plain(paths, change, values, column, kind, *, encoding, harm, **_):
    """Whether nothing is the matter with a table, so that it must be read."""
    tame = all(re.fullmatch(r"([a-z]+/)*[a-z]+[_0-9]*\.png", path) for path in paths)
    return (
        tame
        and change == "in full"
        and column == "file"
        and len(paths) > 1
        and values in ("integers", "floats", "booleans", "constant")
        and (encoding.startswith("utf-8") or kind not in ("csv", "tsv"))
        and harm in ("none", "blank lines")
    )


@fuzz(60, TABLES)
def test_tables(**drawn):
    every_label_is_right_or_the_table_refused(**drawn)


@pytest.mark.slow
@fuzz(3000, TABLES)
def test_many_tables(**drawn):
    every_label_is_right_or_the_table_refused(**drawn)
