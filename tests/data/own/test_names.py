"""Which row of a table belongs to which picture: right, or refused in one line, never wrong."""

import os
import string

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from sparsevae.data import DataFileError, load

VALUES = np.arange(24) * 7 % 4


def photos(folder, names, values=VALUES):
    """A folder of pictures whose pixels tell the value in the table."""
    for name, value in zip(names, values, strict=False):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((2, 2), 10 * value, np.uint8)).save(path)
    return folder


def assert_right(data, names=("v",)):
    assert data.factor_names == names
    numbers = np.arange(len(data))
    shown = data.images(numbers)[:, 0, 0, 0] // 10
    values = np.array(data.factor_space.values[0])[data.factors(numbers)[:, 0]]
    np.testing.assert_array_equal(values, shown)


NAMES = [f"img_{k}.png" for k in range(24)]
WRITTEN = {
    "in full": lambda k: f"img_{k}.png",
    "without ending": lambda k: f"img_{k}",
    "another ending": lambda k: f"img_{k}.JPG",
    "folder before": lambda k: f"photos/img_{k}.png",
    "dot before": lambda k: f"./img_{k}.png",
    "backslashes": lambda k: rf"C:\me\photos\img_{k}.png",
    "absolute": lambda k: f"/home/me/img_{k}.png",
    "another case": lambda k: f"IMG_{k}.PNG",
    "spaces": lambda k: f"  img_{k}.png ",
    "numbers called id": lambda k: k,
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_names_that_mean_one_picture_find_it(tmp_path, how, separator):
    folder = photos(tmp_path / "photos", NAMES)
    order = np.random.default_rng(0).permutation(24)
    table = pd.DataFrame({"v": VALUES[order], "id": [WRITTEN[how](k) for k in order]})
    table.to_csv(tmp_path / "f.csv", index=False, sep=separator)
    assert_right(load(folder, factors=tmp_path / "f.csv"))


def test_names_need_not_say_in_which_folder_a_picture_lies(tmp_path):
    names = [f"{'ab'[k % 2]}/{k:02}.png" for k in range(24)]
    folder = photos(tmp_path / "photos", names)
    assert_right(load(folder, factors={"v": VALUES, "file": [name[2:] for name in names]}))


NUMBERS = [["01", "1", "2"], ["1e5", "2e5"], ["0.10", "0.2"], ["True", "False"], ["NA", "b"]]
NUMBERS += [["-1", "1"], ["1", "nan"], ["1", "2.5"]]


@pytest.mark.parametrize("stems", NUMBERS, ids=str)
@pytest.mark.parametrize("in_other_order", [False, True])
def test_names_that_readers_of_tables_take_for_something_else(tmp_path, stems, in_other_order):
    folder = photos(tmp_path / "photos", [f"{stem}.png" for stem in stems])
    rows = [f"{value},{stem}" for value, stem in zip(VALUES, stems, strict=False)]
    rows = rows[::-1] if in_other_order else rows
    (tmp_path / "f.csv").write_text("\n".join(["v,file", *rows]))
    assert_right(load(folder, factors=tmp_path / "f.csv"))


@pytest.mark.parametrize("numbers", [[0.2, 0.1], [True, False], [2e5, 1e5]], ids=str)
def test_numbers_and_booleans_may_be_names_of_files(tmp_path, numbers):
    folder = photos(tmp_path / "photos", [f"{number}.png" for number in numbers])
    for table in ({"v": VALUES[:2], "file": numbers}, {"v": VALUES[1::-1], "file": numbers[::-1]}):
        assert_right(load(folder, factors=table))
    with pytest.raises(ValueError, match="column 'size' with the numbers in the names of the"):
        load(folder, factors={"v": VALUES[:2], "size": numbers})


@pytest.mark.parametrize("index", ["file", None])
@pytest.mark.parametrize("as_parquet", [False, True])
def test_an_index_of_names_is_a_column(tmp_path, index, as_parquet):
    names = [f"{k:02}.png" for k in range(24)]
    folder = photos(tmp_path / "photos", names)
    order = np.random.default_rng(0).permutation(24)
    rows = pd.Index([names[k] for k in order], name=index)
    table = pd.DataFrame({"v": VALUES[order]}, index=rows)
    if as_parquet:
        table.to_parquet(tmp_path / "f.parquet")
        table = tmp_path / "f.parquet"
    assert_right(load(folder, factors=table))


TWO_FOLDERS = [f"{'ab'[k % 2]}/{k // 2}.png" for k in range(24)]


@pytest.mark.parametrize(
    ("names", "table", "match"),
    [
        (NAMES, {"v": VALUES}, r"order is not beyond doubt.*file 2 may be 'img_10.png' or 'img_2"),
        (NAMES, {"v": VALUES, "file": [*NAMES[:-1], "img_023.png"]}, "'img_023.png', which names"),
        (NAMES, {"v": VALUES, "file": [*NAMES[:-1], "img_2.png"]}, "names files twice.*'img_2.png"),
        (TWO_FOLDERS, {"v": VALUES, "file": [n[2:] for n in TWO_FOLDERS]}, "'0.png', which means "),
        (  # the table of another part of the set
            [f"train/{k}.png" for k in range(24)],
            {"v": VALUES, "file": [f"test/{k}.png" for k in range(24)]},
            r"'test/0.png', which names none",
        ),
        (
            [f"{k:02}.png" for k in range(24)],
            {"v": VALUES, "angle": np.arange(24)[::-1]},
            "column 'angle' with the numbers in the names of the files, in another order",
        ),
        (
            ["a.png", "A.png", "b.png"],
            {"v": VALUES[:3], "file": ["A.PNG", "a.png", "b.png"]},
            r"'A.PNG', which means 'A.png' or 'a.png'",
        ),
        (["a.png", "b.png"], {"v": VALUES[:2], "word": ["red", "green"]}, "'red', which names no"),
        (["a.png"], {"v": VALUES[:1], "file": ["z.png"]}, "'z.png', which names none"),
        (["a.png"], {"v": VALUES[:1], "file": ["\udce9.png"]}, r"`factors` must .*'\\udce9.png'"),
        (["a.png", "a.jpg"], {"v": VALUES[:2], "file": ["a", "a.jpg"]}, "'a', which means 'a.jpg'"),
    ],
)
def test_what_may_mean_another_picture_is_refused(tmp_path, names, table, match):
    folder = photos(tmp_path / "photos", names)
    with pytest.raises(ValueError, match=match) as caught:
        load(folder, factors=table)
    assert "\n" not in str(caught.value)


def test_without_names_rows_are_in_an_order_beyond_doubt(tmp_path):
    names = [f"img_{k:02}.png" for k in range(24)]
    folder = photos(tmp_path / "photos", names)
    assert_right(load(folder, factors={"v": VALUES}))
    # Numbers that are the files' own, in their order, may be a factor.
    assert_right(load(folder, factors={"v": VALUES, "angle": range(24)}), ("v", "angle"))
    assert_right(load(folder, factors={"v": VALUES, "id": range(24)}))


def test_words_of_a_factor_may_be_names_of_pictures(tmp_path):
    names = ["square.png", "x1.png", "x2.png", "x3.png", "x4.png"]
    folder = photos(tmp_path / "photos", names, [0, 1, 0, 1, 0])
    data = load(folder, factors={"shape": ["oval", "square", "oval", "square", "oval"]})
    assert_right(data, ("shape",))


def test_a_column_of_names_is_refused_for_images_without_names(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((24, 2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"no file names.*'file' with another word in each row"):
        load(tmp_path / "a.npy", factors={"v": VALUES, "file": NAMES})


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("v,file,v\n1,a.png,2\n", "two columns 'v'"),
        ("v,file\n1,a.png,7\n", "damaged"),
        ("v;w,file\n1;2,3\n", "may separate the columns"),
        ("v,\n1,a.png\n", "must name every column"),
        ("v\0,\0w\0\n\x001\0,\x001\0", "f.csv is not text in UTF-8"),
    ],
)
def test_tables_that_may_be_read_in_two_ways_are_refused(tmp_path, content, match):
    folder = photos(tmp_path / "photos", ["a.png"])
    (tmp_path / "f.csv").write_text(content)
    with pytest.raises((ValueError, DataFileError), match=match):
        load(folder, factors=tmp_path / "f.csv")


def test_blank_lines_do_not_count(tmp_path):
    folder = photos(tmp_path / "photos", ["a.png", "b.png"], [2, 1])
    (tmp_path / "f.csv").write_text("\n\nv;file\n\n1;b.png\n\n2;a.png\n\n")
    assert_right(load(folder, factors=tmp_path / "f.csv"))


def test_decimal_commas_where_columns_have_another_separator(tmp_path):
    folder = photos(tmp_path / "photos", ["a.png", "b.png"])
    (tmp_path / "f.csv").write_text("size;file\n0,5;b.png\n1;a.png\n")
    data = load(folder, factors=tmp_path / "f.csv")
    assert data.factor_space.values == ((0.5, 1.0),)
    shown = data.observe(np.array([[0], [1]]))[:, 0, 0, 0]
    np.testing.assert_array_equal(shown, 10 * VALUES[[1, 0]])  # 0.5 is of b.png


# Anything at all

WORDS = st.text(alphabet=string.ascii_letters + string.digits + "_- .äß漢é", min_size=1, max_size=6)
FILES = st.lists(
    st.tuples(
        st.sampled_from(["", "a/", "b/c/"]), WORDS, st.sampled_from([".png", ".PNG", ".bmp"])
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda parts: (parts[0] + parts[1] + parts[2]).casefold(),
)
CHANGES = st.sampled_from(
    [
        str,
        str.upper,
        lambda name: name.rpartition(".")[0],
        lambda name: f"x/{name}",
        lambda name: name.rpartition("/")[2],
        lambda name: name.replace("/", "\\"),
        lambda name: f"{name} ",
        lambda name: name[:-1],
        lambda name: name.replace("1", "2"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    files=FILES,
    change=CHANGES,
    seed=st.integers(0, 99),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    column=st.sampled_from(["file", "id", "v2", "shape"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_never_a_wrong_label_and_never_a_traceback(
    tmp_path_factory, files, change, seed, separator, encoding, column, end
):
    names = ["".join(parts) for parts in files if parts[1].strip(" .") and parts[1][0] != "."]
    assume(names)
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, len(names))
    photos(folder / "photos", names, values)
    order = rng.permutation(len(names))
    table = pd.DataFrame(
        {"v": values[order], column: [change(names[k]) for k in order]}, columns=["v", column]
    )
    try:
        text = table.to_csv(index=False, sep=separator, lineterminator=end)
        (folder / "f.csv").write_bytes(text.encode(encoding))
    except UnicodeEncodeError:
        return
    os.environ["SPARSEVAE_DATA_DIR"] = str(folder / "cache")
    try:
        data = load(folder / "photos", factors=folder / "f.csv")
    except (ValueError, DataFileError) as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return
    numbers = np.arange(len(data))
    shown = data.images(numbers)[:, 0, 0, 0] // 10
    place = data.factor_names.index("v")
    found = np.array(data.factor_space.values[place])[data.factors(numbers)[:, place]]
    np.testing.assert_array_equal(found, shown)
    assert (
        column not in data.factor_names
        or pd.read_csv(folder / "f.csv", sep=separator, encoding=encoding)[column].dtype.kind
        in "iuf"
        or len(names) == 1
    )
