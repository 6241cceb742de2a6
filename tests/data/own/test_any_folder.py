"""Any folder, any table, any array: the right picture with the right label, or one line that says why.

The default run draws few; `-m slow` draws thousands.
"""

import contextlib
import csv
import logging
import os
import re
import sys
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from any_folder import GREY, PLACE, STEM, File, drawing, folders, seen, write
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from sparsevae.commands import console
from sparsevae.data import DataFileError, load

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def fuzz(n, strategies):
    """A property of `n` examples; thousands of them find what is rare."""
    check = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    options = {"deadline": None, "suppress_health_check": check, "phases": phases}
    return lambda test: settings(max_examples=n, **options)(given(**strategies)(test))


@contextlib.contextmanager
def place():
    """A folder for one example, with a cache of its own."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEVAE_CACHE", str(Path(name, "cache")))
        yield Path(name)


def loaded(*arguments, **keywords):
    """The set and what was warned of; or None and the one line that refuses it. Twice the same."""
    first, second = (_once(*arguments, **keywords) for _ in range(2))
    assert first[1] == second[1]
    if first[0] is None:
        return first
    numbers = np.arange(len(first[0]))
    np.testing.assert_array_equal(first[0].images(numbers), second[0].images(numbers))
    if hasattr(first[0], "factors"):
        np.testing.assert_array_equal(first[0].factors(numbers), second[0].factors(numbers))
    return first


def _once(*arguments, **keywords):
    warned = []
    handler = logging.Handler()
    handler.emit = lambda record: warned.append(record.getMessage())
    logging.getLogger("sparsevae").addHandler(handler)
    try:
        return load(*arguments, **keywords), warned
    except (DataFileError, FileNotFoundError, TypeError, ValueError) as error:
        message = str(error)
        assert len(message.splitlines()) == 1 and len(message) < 900
        return None, message
    finally:
        logging.getLogger("sparsevae").removeHandler(handler)


def persons(data):
    """Who is on each image, by number."""
    return [seen(image) for image in data.images(np.arange(len(data)))]


# Folders

FOLDERS = {
    "files": folders(),
    "image_size": st.sampled_from([None, None, 16, 32]),
    "called": st.sampled_from(["photos", "a b", "é", "e\u0301", "x.npy", "\udce9", "a\nb", "y."]),
    "junk": st.lists(
        st.sampled_from(
            ["c.gif", "d.HEIC", "b/c.gif", ".DS_Store", "Thumbs.db", "a.txt", ".j.gif", "f.csv"]
        ),
        unique=True,
    ),
    "links": st.lists(
        st.tuples(
            st.sampled_from(["l.png", "m.png", "m", "b/up", ".n.png", "z"]),
            st.sampled_from(["gone.png", ".", "..", "first", "a", "b"]),
        ),
        max_size=2,
        unique_by=lambda link: link[0],
    ),
}


def every_picture_is_right_or_the_folder_refused(files, image_size, called, junk, links):
    with place() as root:
        folder = root / "in" / called
        folder.mkdir(parents=True)
        write(folder, files)
        for name in junk:
            with contextlib.suppress(OSError):  # a file may be where its folder should be
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).touch(exist_ok=False)
        for name, target in links:
            with contextlib.suppress(OSError):
                to = folder / (files[0].path if files and target == "first" else target)
                (folder / name).symlink_to(to)
        data, said = loaded(folder, image_size=image_size)
        pictures, n_other, broken = expected(folder, files)
        if broken or data is None:
            assert data is None
            event("refused")
            if any(oneline(path) in said for path in broken):
                return
            assert not broken
            reasons(said, pictures, image_size)
            return
        event("loaded")
        assert not [file for _, _, file in pictures if file.whole is False]
        assert persons(data) == [who for _, who, _ in pictures]
        assert (data.image_shape[2] == 1) == all(file.mode in GREY for _, _, file in pictures)
        assert (
            sum(int(n.replace(",", "")) for n in re.findall(r"([\d,]+) are skip", str(said)))
            == n_other
        )


def expected(folder, files):
    """Path, person and `File` of each picture, in order; how many others must be told of; links
    that lead nowhere."""
    by_place = {os.path.realpath(folder / f.path): (k, f) for k, f in enumerate(files)}
    pictures, others, broken, done = [], 0, [], set()

    def look(inside):
        nonlocal others
        real = os.path.realpath(folder / inside)
        if real in done:
            return
        done.add(real)
        names = sorted(os.listdir(folder / inside))
        for name in names:
            path = f"{inside}/{name}" if inside else name
            if name[0] == "." or (folder / path).is_dir():
                continue
            if os.path.realpath(folder / path) in by_place:
                who, file = by_place[os.path.realpath(folder / path)]
                pictures.append((path, who, file))
            others += name.lower().endswith((".gif", ".heic"))
            if not (folder / path).exists():
                broken.append(path)
        for name in names:
            path = f"{inside}/{name}" if inside else name
            if name[0] != "." and (folder / path).is_dir():
                look(path)

    look("")
    # What is linked without the ending of a picture is none.
    known = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".webp", ".pgm", ".ppm")
    pictures = [p for p in pictures if p[0].lower().endswith(known)]
    return sorted(pictures), others, broken


def oneline(path):
    """A path as messages show it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)


def reasons(said, pictures, image_size):
    """Asserts that there is a reason to refuse these pictures, and that it is named."""
    if not pictures:
        assert "holds no images" in said
        return
    bad = [path for path, _, file in pictures if file.whole is not True]
    sizes = {file.size for _, _, file in pictures}
    if image_size is None and len(sizes) > 1 and "`image_size` must be given" in said:
        return
    assert any(oneline(path) in said for path in bad), said


@fuzz(60, FOLDERS)
def test_folders(files, image_size, called, junk, links):
    every_picture_is_right_or_the_folder_refused(files, image_size, called, junk, links)


@pytest.mark.slow
@fuzz(3000, FOLDERS)
def test_many_folders(files, image_size, called, junk, links):
    every_picture_is_right_or_the_folder_refused(files, image_size, called, junk, links)


# Tables beside a folder

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


# Arrays

LAYOUTS = {
    "grey": lambda pixels: pixels,
    "one channel": lambda pixels: pixels[..., None],
    "colour": lambda pixels: np.stack([pixels] * 3, axis=-1),
    "channels first": lambda pixels: np.stack([pixels] * 3, axis=1),
    "four channels": lambda pixels: np.stack([pixels] * 4, axis=-1),
    "one image": lambda pixels: pixels[0],
    "no image": lambda pixels: pixels[:0],
}
DTYPES = {  # of pixels that are True and False
    "bytes": lambda pixels: np.where(pixels, 240, 10).astype(np.uint8),
    "booleans": lambda pixels: pixels,
    "floats": lambda pixels: pixels.astype(np.float32) * 0.9,
    "halves": lambda pixels: pixels.astype(np.float16),
    "big-endian": lambda pixels: pixels.astype(">f8"),
    "bytes 0 and 1": lambda pixels: pixels.astype(np.uint8),
    "floats to 255": lambda pixels: pixels * 255.0,
    "NaN": lambda pixels: np.where(pixels, np.nan, 0.5),
    "16 bits": lambda pixels: pixels.astype(np.uint16) * 65535,
    "integers": lambda pixels: pixels * 255,
    "complex": lambda pixels: pixels * 1j,
    "objects": lambda pixels: pixels.astype(object),
    "words": lambda pixels: pixels.astype(str),
}
DAMAGES = {
    "none": lambda content: content,
    "cut": lambda content: content[:-30],
    "cut in its header": lambda content: content[:50],
    "empty": lambda content: b"",
    "text": lambda content: b"<html>not found</html>",
    "longer": lambda content: content + b"0",
}
ARRAYS = {
    "n": st.integers(1, 9),
    "layout": st.sampled_from([*["grey", "one channel", "colour"] * 3, *LAYOUTS]),
    "dtype": st.sampled_from([*list(DTYPES)[:5] * 3, *DTYPES]),
    "fortran": st.sampled_from([False, False, False, True]),
    "suffix": st.sampled_from([".npy", ".npz", "compressed.npz", "two.npz"]),
    "damage": st.sampled_from(["none"] * 5 + list(DAMAGES)),
    "image_size": st.sampled_from([None, 8, 16]),
}


def every_array_is_right_or_refused(n, layout, dtype, fortran, suffix, damage, image_size):
    pixels = np.stack([drawing(who, (16, 16)) for who in range(n)])
    images = np.asarray(LAYOUTS[layout](DTYPES[dtype](pixels)), order="F" if fortran else "C")
    with place() as root:
        path = root / f"mine{suffix}"
        if suffix == ".npy":
            np.save(path, images)
        else:
            others = {"labels": np.arange(n), "odd": np.array({}, dtype=object)}
            others |= {"again": images} if suffix == "two.npz" else {}
            write = np.savez_compressed if suffix == "compressed.npz" else np.savez
            write(path, pictures=images, **others)
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
        data, said = loaded(path, image_size=image_size)
        good = layout in list(LAYOUTS)[:3] and dtype in list(DTYPES)[:5] and suffix != "two.npz"
        fortran = fortran and not images.flags.c_contiguous
        if data is None:
            event("refused")
            assert path.name in said
            assert not good or fortran or damage != "none", said
            return
        event("loaded")
        assert good and not fortran and (damage == "none" or suffix != ".npy")
        assert persons(data) == list(range(n))


@fuzz(30, ARRAYS)
def test_arrays(**drawn):
    every_array_is_right_or_refused(**drawn)


@pytest.mark.slow
@fuzz(2000, ARRAYS)
def test_many_arrays(**drawn):
    every_array_is_right_or_refused(**drawn)


# From the command line

TRAIN = ("train", "--name", "a", "--n-steps", "1", "--data", "./x")
BAD = {
    "cut": File("cut.png", "cut"),
    "sizes": File("large.png", size=(32, 32)),
    "text": File("text.png", "text"),
}


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("cut", ("data", "describe", "./x"), ["x/cut.png is damaged"]),
        ("sizes", ("data", "describe", "./x"), ["`image_size` must be given", "large.png"]),
        ("text", TRAIN, ["x/text.png is damaged"]),
        ("sizes", (*TRAIN, "--factors", "f.csv", "--image-size", "16"), ["`factors`", "'z.png'"]),
    ],
)
def test_commands_end_in_one_line(tmp_path, monkeypatch, capsys, kind, arguments, words):
    write(tmp_path / "x", [File("a.png"), BAD[kind]])
    (tmp_path / "f.csv").write_text("file,v\na.png,1\nz.png,2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["sparsevae", *arguments])
    with pytest.raises(SystemExit) as stop:
        console.main()
    said = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert stop.value.code == 1 and len(said) == 1 and said[0].startswith("Error: ")
    assert all(word in said[0] for word in words)
