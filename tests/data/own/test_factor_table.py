"""Factors of a user's images from tables."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sparsevae.data import DataFileError, FactorSpace, GroundTruthData, load
from sparsevae.data.array import GridArray, LabelledArray
from sparsevae.data.own.loading import from_array
from sparsevae.data.own.table import with_factors

IMAGES = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)
SPACE = FactorSpace(("x", "angle"), (3, 4))
LABELS = SPACE.factors(np.arange(12))
GRID = {"x": LABELS[:, 0] * 10 - 5, "angle": LABELS[:, 1] / 4}


def shown(data, factors):
    """Number of the image that shows these factors."""
    return data.observe(np.array([factors]))[0, 0, 0, 0]


# Kinds of tables


def written(tmp_path, suffix, table=GRID):
    frame, path = pd.DataFrame(table), tmp_path / f"factors{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame", "dict", "array"])
def test_every_kind_of_table_gives_the_same_factors(tmp_path, kind):
    tables = {
        "csv": lambda: str(written(tmp_path, ".csv")),
        "parquet": lambda: written(tmp_path, ".parquet"),
        "frame": lambda: pd.DataFrame(GRID, index=np.arange(12)[::-1]),
        "dict": lambda: {name: list(column) for name, column in GRID.items()},
        "array": lambda: LABELS,
    }
    data = from_array(IMAGES, tables[kind]())
    assert isinstance(data, GridArray) and data.factor_sizes == (3, 4)
    np.testing.assert_array_equal(data.factors(np.arange(12)), LABELS)
    if kind == "array":
        assert data.factor_names == ("factor_0", "factor_1")
        assert data.factor_space.values == ((0, 1, 2), (0, 1, 2, 3))
    else:
        assert data.factor_names == ("x", "angle")
        assert data.factor_space.values == ((-5, 5, 15), (0, 0.25, 0.5, 0.75))


def test_words_and_booleans_are_factors_too():
    table = {"kind": ["cube", "ball", "cube", "ball"], "lit": [True, True, False, False]}
    data = from_array(IMAGES[:4], table)
    assert data.factor_space.values == ((0, 1), (0, 1))
    assert [shown(data, f) for f in ([0, 0], [0, 1], [1, 0], [1, 1])] == [3, 1, 2, 0]


# Kinds of sets


def test_a_full_grid_in_any_order_becomes_a_grid():
    order = np.random.default_rng(0).permutation(12)
    data = from_array(IMAGES[order], {name: column[order] for name, column in GRID.items()})
    assert isinstance(data, GroundTruthData)
    np.testing.assert_array_equal(data.images(np.arange(12)), IMAGES)
    np.testing.assert_array_equal(data.factors(np.arange(12)), LABELS)
    np.testing.assert_array_equal(data.observe(LABELS[[7, 3]]), IMAGES[[7, 3]])


@pytest.mark.parametrize(
    "rows", [range(11), [*range(11), 0], [*range(12), 5]], ids=["lacks one", "double", "one more"]
)
def test_anything_else_keeps_its_order_and_has_no_grid(rows):
    rows = list(rows)
    data = from_array(IMAGES[rows], {name: column[rows] for name, column in GRID.items()})
    assert isinstance(data, LabelledArray) and not hasattr(data, "index")
    np.testing.assert_array_equal(data.images(np.arange(len(rows))), IMAGES[rows])
    np.testing.assert_array_equal(data.factors(np.arange(len(rows))), LABELS[rows])


def test_values_that_no_image_has_leave_no_gap():
    data = from_array(IMAGES[2:4], np.array([[7], [3]]))
    assert data.factor_space.values == ((3, 7),)
    np.testing.assert_array_equal(data.images([0, 1]), IMAGES[[3, 2]])


# Files named by a column


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photos"
    (place / "sub").mkdir(parents=True)
    for image, name in zip(IMAGES, names(), strict=True):
        Image.fromarray(image[..., 0]).save(place / name)
    return place


def names():
    return sorted(f"{'sub/' if k % 3 == 0 else ''}{k:02d}.png" for k in range(12))


def test_a_column_of_file_names_puts_rows_in_order(folder, tmp_path):
    order = np.random.default_rng(0).permutation(12)
    table = pd.DataFrame({"x": GRID["x"], "file": names(), "angle": GRID["angle"]}).iloc[order]
    for factors in (table, written(tmp_path, ".csv", table), written(tmp_path, ".parquet", table)):
        data = load(folder, factors=factors)
        assert data.factor_names == ("x", "angle") and data.source == "file"
        np.testing.assert_array_equal(data.images(np.arange(12)), IMAGES)
        np.testing.assert_array_equal(data.factors(np.arange(12)), LABELS)


def test_without_such_a_column_rows_are_in_the_order_of_the_names(folder):
    data = load(folder, factors=GRID)
    np.testing.assert_array_equal(data.observe(LABELS[[5]]), IMAGES[[5]])


@pytest.mark.parametrize(
    ("files", "match"),
    [
        (
            [*names()[:11], "12.png"],
            r"one file in each row of its column 'file'.*'12\.png', which names none",
        ),
        ([*names()[:11], names()[0]], r"'file' names files twice.*'01\.png'"),
        (names()[:11], r"'file' lacks files.*'sub/09\.png', 1 in all"),
    ],
)
def test_rows_and_files_must_match(folder, files, match):
    with pytest.raises(ValueError, match=match):
        load(folder, factors={"file": files, "x": GRID["x"][: len(files)]})


def test_two_columns_of_file_names_are_refused(folder):
    with pytest.raises(ValueError, match=r"one column that names files.*\['left', 'right'\]"):
        load(folder, factors={"left": names(), "right": names()})


# What is refused


@pytest.mark.parametrize(
    ("table", "error", "match"),
    [
        (3, TypeError, "`factors` must be the path .*Received: a int"),
        (LABELS[0], ValueError, r"array of integers.*shape \(2,\)"),
        (LABELS.astype(float), ValueError, "array of integers.*float64"),
        (LABELS[:11], ValueError, "one row for each of the 12 images. Received: 11 rows"),
        ({}, ValueError, "`factors` must have"),
        ({"x": [1, 2], "y": [1]}, ValueError, r"one length.*'x': \(2,\)"),
        ({"x": LABELS}, ValueError, r"columns \(n_images,\)"),
        ({"": GRID["x"]}, ValueError, "name every column"),
        (pd.DataFrame({("x", "y"): [1] * 12}), ValueError, r"names of 2 levels, as \('x', 'y'\)"),
        ({"x": [1.0] * 5 + [np.nan] * 7}, ValueError, "none for x in row 5"),
        ({"x": ["a"] * 11 + [None]}, ValueError, "none for x in row 11"),
        ({"x": [np.inf] + [1.0] * 11}, ValueError, "infinite value for x"),
        ({"x": ["a", 1] * 6}, TypeError, "numbers, booleans or words.*object for x"),
        ({"x": pd.date_range("2020", periods=12)}, TypeError, "numbers, booleans or words.*x"),
        ({"x": [1j] * 12}, TypeError, "numbers, booleans or words.*complex128 for x"),
    ],
    ids=str,
)
def test_bad_tables_are_refused(table, error, match):
    with pytest.raises(error, match=match):
        from_array(IMAGES, table)


def test_measured_columns_are_refused_and_steps_of_a_grid_are_not():
    rng = np.random.default_rng(0)
    images = np.zeros((1_200, 1, 1, 1), np.uint8)
    table = {"kind": rng.integers(3, size=1_200), "position": rng.random(1_200)}
    message = "position has 1,200 distinct values in 1,200 rows.*bins"
    with pytest.raises(ValueError, match=message):
        from_array(images, table)
    with pytest.raises(ValueError, match="position has 900 distinct values"):
        from_array(images[:900], {name: column[:900] for name, column in table.items()})
    with pytest.raises(ValueError, match="number has 1,200 distinct"):
        from_array(images, {"number": np.arange(1_200)})
    steps = {
        "kind": np.arange(1_200) % 3,
        "position": np.linspace(0, 1, 400)[np.arange(1_200) // 3],
    }
    assert from_array(images, steps).factor_sizes == (3, 400)
    few = {"angle": np.linspace(0, 1, 12), "kind": np.arange(12) % 5}
    assert from_array(IMAGES, few).factor_sizes == (12, 5)


def test_a_saved_index_is_refused(tmp_path):
    pd.DataFrame(GRID).to_csv(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"name every column .*index=False.*'Unnamed: 0'"):
        from_array(IMAGES, tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content", "error", "match"),
    [
        ("absent.csv", None, FileNotFoundError, "`factors`: there is no file .*absent.csv"),
        ("a.xlsx", b"PK", ValueError, "`factors` must be a .csv, .tsv or .parquet file.*a.xlsx"),
        ("a.csv", b"", DataFileError, "a.csv is damaged"),
        ("a.csv", b"\xff\xfe\x00", DataFileError, "a.csv is damaged"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n", DataFileError, "a.csv is damaged"),
        ("a.parquet", b"PAR1", DataFileError, "a.parquet is damaged"),
        ("a.parquet", b"<html>", DataFileError, "a.parquet is damaged"),
    ],
)
def test_bad_table_files_are_named(tmp_path, name, content, error, match):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=match) as caught:
        from_array(IMAGES, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_other_numbers_of_rows_in_memory_and_on_disk_are_refused():
    with pytest.raises(ValueError, match=r"12 images\. Received: 1 rows"):
        with_factors("mine", "file", IMAGES, {"x": [1]})
