"""Downstream tasks on labelled images that do not fill the grid of their factors once."""

import json

import numpy as np
import pandas as pd
import pytest

from sparsevae import data as data_sets
from sparsevae.study.one import downstream
from sparsevae.study.one.samples import Samples

QUICK = {"predictors": ["gbt_fast"]}


def labelled(n, **columns):
    """Images whose first pixels are their number (two bytes) and their factors."""
    table = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    images = np.zeros((n, 4, 4, 1), np.uint8)
    images[:, 3, 3] = 255
    flat = images.reshape(n, -1)
    flat[:, 0], flat[:, 1] = np.arange(n) // 256, np.arange(n) % 256
    flat[:, 2 : 2 + table.shape[1]] = table
    return data_sets.from_array(images, table, name="mine")


def read_factors(images, n_factors):
    """A perfect code, with a latent that is always 0."""
    return images.reshape(len(images), -1)[:, 2 : 3 + n_factors].astype(float)


@pytest.fixture
def tasks(monkeypatch):
    """Runs tasks with the perfect code of a set."""

    def run(data, *arguments, encode=None, **options):
        def perfect(images):
            return read_factors(images, len(data.factor_names))

        monkeypatch.setattr(downstream, "encoder_and_data", lambda _: (encode or perfect, data))
        return downstream.downstream_tasks("x", *arguments, **QUICK | options)

    return run


def three_by_four(n=60):
    """Several images for each of 12 combinations."""
    k = np.arange(n)
    return labelled(n, shape=k % 3, color=k // 3 % 4)


def test_a_perfect_code(tasks):
    table = tasks(three_by_four(), n_shifts=2)
    assert table["task"].value_counts().to_dict() == {"labels": 2, "reduced": 4, "strong": 4}
    of = dict(iter(table.groupby("task")))
    assert (of["labels"]["n_labels"] == 10).all() and (of["labels"]["n_test"] == 50).all()
    same = of["reduced"]["factor"] == of["reduced"]["other"]
    assert (of["reduced"][same]["test_accuracy"] < 0.6).all()  # its only latent is gone


def test_no_image_is_both_learned_from_and_tested_on():
    samples = Samples(lambda x: x.reshape(len(x), -1)[:, :2], three_by_four(), 25, 35, seed=3)
    train, test = ({tuple(code) for code in part.codes} for part in (samples.train, samples.test))
    assert (len(train), len(test)) == (25, 35) and not train & test


@pytest.mark.parametrize("seed", range(3))
def test_shifts_choose_rows_of_the_whole_set(seed):
    data = three_by_four()
    samples = Samples(lambda x: x.reshape(len(x), -1)[:, :2], data, 18, 30, seed)
    assert {k: v.tolist() for k, v in samples.shift_values(0).items()} == {1: [0, 1, 2, 3]}
    train, test = samples.shifted(1, 2, np.random.default_rng(seed))
    assert len(train.codes) == 15 and len(test.codes) == 30  # all 15; as many as wanted
    assert (train.factors[:, 1] == 2).all() and (test.factors[:, 1] != 2).all()
    for part in (train, test):
        numbers = part.codes.astype(int) @ [256, 1]
        assert len(np.unique(numbers)) == len(numbers)
        np.testing.assert_array_equal(part.factors, data.factors(numbers))


def test_what_is_left_out_is_said(tasks):
    table = tasks(three_by_four(), n_shifts=1)
    sizes, fairness = table.attrs["left_out"]
    assert sizes == "100, 1,000, 10,000 labels: mine has 60 images, 50 of them for testing"
    assert fairness.startswith("fairness: it needs the same image under every value of a factor")
    assert downstream.downstream_summary(table).endswith(
        f"left out   {sizes}\nleft out   {fairness}"
    )


def test_all_sizes_of_a_large_set_and_as_many_tests_as_by_default(tasks):
    k = np.arange(16_000)
    data = labelled(len(k), side=k % 2)
    table = tasks(data, ["labels"], encode=lambda x: np.zeros((len(x), 2)))
    assert table["n_labels"].tolist() == [10, 100, 1_000, 10_000]
    assert (table["n_test"] == 5_000).all() and table.attrs["left_out"] == []


@pytest.mark.parametrize(
    ("n", "options", "n_labels", "n_test"),
    [
        (12, {"sizes": (10,)}, [10], 2),
        (12, {}, [10], 2),
        (11, {}, [10], 1),
        (11, {"sizes": (2, 10)}, [2, 10], 1),
        (150, {}, [10, 100], 50),
        (150, {"n_test": 60}, [10], 60),
        (150, {"n_test": 7, "sizes": (143,)}, [143], 7),
        (3, {"sizes": (2,)}, [2], 1),
    ],
)
def test_counts_that_fit(tasks, n, options, n_labels, n_test):
    table = tasks(labelled(n, side=np.arange(n) % 2 * 3), ["labels"], **options)
    assert table["n_labels"].tolist() == n_labels and (table["n_test"] == n_test).all()
    assert table["test_accuracy"].notna().all()


@pytest.mark.parametrize(
    ("n", "arguments", "options", "message"),
    [
        (12, (), {"sizes": (10, 12)}, r"`sizes` must be at most 11 for mine, .* 12 images.*12\]"),
        (12, (), {"sizes": (10,), "n_test": 5}, "`sizes` must be at most 7 for mine.*5 must be"),
        (9, (), {}, r"`sizes` must be at most 8 for mine.*Received: sizes=\[10, 100"),
        (12, (), {"n_test": 5}, "`sizes` must be at most 7 for mine"),
        (12, (), {"n_test": 11}, "`n_test` must be at most 10 for mine, which has 12 images"),
        (12, (), {"n_test": 5_000}, "`n_test` must be at most 10.*Received: n_test=5000"),
        (2, (), {}, "at least 3 images, 2 to learn from.*Received: mine, 2 images"),
        (
            *(30, (["labels", "fairness"],), {}),
            "`tasks` must be among 'labels', 'reduced' for mine: fairness needs the same image "
            "under every value of a factor.*Received: 'fairness'",
        ),
        (30, (downstream.TASKS,), {}, "`tasks` must be among .*: strong needs another factor"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tasks, n, arguments, options, message):
    data = labelled(n, side=np.arange(n) // 2 * 0)
    with pytest.raises(ValueError, match=message) as caught:
        tasks(data, *arguments, encode=_no_more_than_one_image, **options)
    assert "\n" not in str(caught.value)


def _no_more_than_one_image(images):
    assert len(images) == 1  # refused before the images are encoded
    return np.zeros((1, 2))


def test_factors_that_cannot_be_shifted(tasks):
    """One factor varies: of it there is no shift, of the constant one there is."""
    k = np.arange(40)
    table = tasks(labelled(40, kind=k % 4, place=np.zeros(40)), n_shifts=2)
    strong = table[table["task"] == "strong"]
    assert strong["factor"].tolist() == ["place"] * 2 and set(strong["other"]) == {"kind"}
    assert "strong of kind: no other factor can be shifted" in table.attrs["left_out"]
    assert (table[table["factor"] == "place"]["test_accuracy"] == 1).all()


def test_three_images_a_class(tasks):
    """Few rows a shift: the numbers of images say so."""
    k = np.arange(30)
    data = labelled(30, kind=k // 3, view=k % 3, frame=k)
    table = tasks(data, ["strong"], sizes=[20], n_shifts=3)
    assert set(table["other"]) == {"kind", "view"}  # a frame is there once
    n_labels = table["other"].map({"kind": 3, "view": 10})
    np.testing.assert_array_equal(table["n_labels"], n_labels)
    assert (table["n_test"] == 10).all()


def test_one_factor_of_a_full_grid(tasks):
    """It has no other factor to shift or to be fair about; labels are as of any grid."""
    data = labelled(12, kind=np.arange(12))
    assert hasattr(data, "index")
    table = tasks(data, sizes=[40], n_test=30)
    assert set(table["task"]) == {"labels", "reduced"} and (table["n_test"] == 30).all()
    assert [words.split(":")[0] for words in table.attrs["left_out"]] == ["strong", "fairness"]
    for task in ("strong", "fairness"):
        with pytest.raises(ValueError, match=f"must be among 'labels', 'reduced'.*{task} needs"):
            tasks(data, [task], sizes=[40], n_test=30)


def test_a_code_of_one_latent_has_none_to_lose(tasks):
    def encode(images):
        return read_factors(images, 0)

    table = tasks(three_by_four(), n_shifts=1, encode=encode)
    assert set(table["task"]) == {"labels", "strong"}
    assert "reduced: it needs two latents, and the code has one" in table.attrs["left_out"]
    with pytest.raises(ValueError, match="reduced needs two latents"):
        tasks(three_by_four(), ["reduced"], encode=encode)


def test_same_seed_same_table(tasks):
    first, second, other = (
        tasks(three_by_four(), ["labels", "strong"], seed=seed, n_shifts=1) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)


def test_a_set_without_factors_is_refused(tasks):
    plain = data_sets.from_array(np.full((20, 4, 4), 9, np.uint8), name="mine")
    with pytest.raises(ValueError, match="mine has no factors"):
        tasks(plain, encode=_no_more_than_one_image)


def test_counts_are_whole_numbers_on_disk(tasks, tmp_path):
    downstream.write_downstream(tasks(three_by_four(), ["labels"]), tmp_path / "t.parquet")
    assert {repr(row["n_test"]) for row in json.loads((tmp_path / "t.json").read_text())} == {"50"}
