"""Runs on one's own images, on variants, and on part of a set."""

import dataclasses
import json
import tomllib

import numpy as np
import pandas as pd
import pytest
import tiny
from PIL import Image

from sparsevae import data as data_sets
from sparsevae import export, metrics, records
from sparsevae.data import FactorDistribution, ImageData
from sparsevae.study import RunSettings, run
from sparsevae.study.one import training
from sparsevae.study.one.loading import load_data, training_distribution
from sparsevae.study.one.scoring import export_run, score
from sparsevae.study.one.summary import summary

DATA = tiny.Tiny()
UNSUPERVISED = {
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "gaussian_wasserstein_correlation_norm",
    "mutual_information_score",
}
CONDITIONS = {
    "correlated": {"row, column": 0.2},
    "confounder": {"size": 0.7},
    "withheld": ["row=2 column=0,4-5", "size=1 row=7"],
    "only": "column=0-6",
}


# Conditions in words


def test_conditions_are_those_of_the_distribution():
    distribution = training_distribution(RunSettings("a", **CONDITIONS), DATA)
    expected = FactorDistribution(
        DATA,
        correlated={("row", "column"): 0.2},
        confounder={"size": 0.7},
        withheld=[{"row": 2, "column": [0, 4, 5]}, {"size": 1, "row": 7}],
        only={"column": range(7)},
    )
    np.testing.assert_array_equal(distribution.probabilities(), expected.probabilities())


def test_without_conditions_there_is_no_distribution():
    assert training_distribution(RunSettings("a"), DATA) is None


def test_conditions_survive_json_and_can_be_written_in_toml():
    settings = RunSettings("a", **CONDITIONS)
    assert RunSettings(**json.loads(json.dumps(dataclasses.asdict(settings)))) == settings
    text = """
        only = "column=0-6"
        withheld = ["row=2 column=0,4-5", "size=1 row=7"]
        correlated = {"row, column" = 0.2}
        confounder = {size = 0.7}
    """
    assert RunSettings("a", **tomllib.loads(text)) == settings


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("correlated", {"row": 0.2}, "`correlated` must name two factors.*'row'"),
        ("correlated", {"row,column,size": 0.2}, "two factors"),
        ("correlated", {"row,": 0.2}, "two factors"),
        ("correlated", {"row,column": 0.0}, "`correlated` must be finite and above 0.*0.0"),
        ("confounder", {"row": float("nan")}, "`confounder` must be.*nan for row"),
        ("confounder", {"row": float("inf")}, "`confounder` must be.*inf"),
        ("withheld", ["row"], "`withheld` must be factors and their values.*'row' in 'row'"),
        ("withheld", ["row=1 row=2"], "each factor once"),
        ("withheld", ["row=-1"], "'row=-1'"),
        ("withheld", ["row=1.5"], "'row=1.5'"),
        ("withheld", ["row=1,"], "'row=1,'"),
        ("withheld", ["row = 1"], "'row'"),
        ("withheld", [""], "`withheld` must name factors. Received: ''"),
        ("only", "row:1", "`only` must be factors.*'row:1'"),
        ("only", " ", "`only` must name factors"),
        ("image_size", 0, "`image_size` must be an integer of at least 1"),
    ],
)
def test_badly_written_conditions_are_refused(field, value, match):
    with pytest.raises(ValueError, match=match):
        RunSettings("a", **{field: value})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"correlated": {"row,colum": 0.2}}, "Did you mean 'column'"),
        ({"withheld": ["row=8"]}, "`row` must lie in 0 ... 7.*8"),
        ({"only": "row=5-3"}, "at least one image"),
        ({"withheld": ["size=0-1"]}, "at least one image"),
    ],
)
def test_conditions_that_do_not_fit_the_set_leave_no_folder(settings, changes, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        run(dataclasses.replace(settings, **changes), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_set_without_factors_takes_no_conditions():
    plain = data_sets.from_array(DATA.images(np.arange(4)), name="mine")
    with pytest.raises(ValueError, match=r"`only` needs a set with factors, and mine has none"):
        training_distribution(RunSettings("a", only="row=1"), plain)


def test_conditions_from_the_command_line(script, tmp_path):
    """As far as the data, where a mistake shows that they arrived."""
    words = ["--withheld", "row=2 column=0,4-5", "row=9", "--correlated", "row,column", "0.2"]
    code, _, err = script("train.py", "--name", "a", "--data", "tiny", "--runs", tmp_path, *words)
    assert code == 1 and "`row` must lie in 0 ... 7. Received: 9" in err


# Runs


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """The tiny set as a folder of images, and a table of its factors in another order."""
    folder = tmp_path_factory.mktemp("own") / "photos"
    folder.mkdir()
    names = [f"{k:03d}.png" for k in range(len(DATA))]
    for name, image in zip(names, DATA.images(np.arange(len(DATA))), strict=True):
        Image.fromarray(image[..., 0]).save(folder / name)
    table = pd.DataFrame(DATA.factors(np.arange(len(DATA))), columns=DATA.factor_names)
    table.assign(file=names)[::-1].to_csv(folder / "factors.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def own(photos):
    """Settings of a quick run on the folder, and what each stream of batches was drawn from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSEVAE_CACHE", str(photos.parent / "cache"))
        patch.setattr(training, "N_TEST", 250)
        yield RunSettings(
            "own", data=str(photos), model="mlp", gate="none", latent_dim=3, n_steps=2, batch_size=8
        )


@pytest.fixture(scope="module")
def without_factors(own, photos):
    return photos.parent / "own", run(own, photos.parent)


def test_a_run_without_factors_has_the_scores_that_need_none(without_factors):
    folder, record = without_factors
    assert record["data_source"] == "file" and record["factor_names"] == []
    expected = {name + end for name in UNSUPERVISED for end in ("", "_active")}
    assert set(record["scores"]) == {*expected, "spread_latents"}
    assert np.isfinite(record["elbo"])
    assert (folder / "pictures" / "traversals.png").exists()
    text = summary(record, str(folder))
    assert "the set has no factors: scores that need them are left out" in text
    assert "mutual_information_score" in text and "         -" in text


def test_it_can_be_scored_again_and_exported(without_factors, own, tmp_path):
    folder, record = without_factors
    assert score(folder, ("all",)) == record["scores"]
    with pytest.raises(ValueError, match=r"photos, which has no factors. Received: mig"):
        score(folder, ("mig",))
    exported = export_run(folder, tmp_path / "own")
    images = data_sets.load(own.data).images([0, 1])
    assert export.load(exported).encode(images).shape == (2, 3)
    assert score(exported, ("mutual_information_score",)).keys() <= record["scores"].keys()


def test_a_run_with_factors_trains_on_part_and_is_scored_on_all(own, photos, monkeypatch):
    streams, as_tf_dataset = [], ImageData.as_tf_dataset

    def spy(self, *args, distribution=None, **kwargs):
        streams.append(distribution)
        return as_tf_dataset(self, *args, distribution=distribution, **kwargs)

    monkeypatch.setattr(ImageData, "as_tf_dataset", spy)
    settings = dataclasses.replace(
        own, name="part", factors=str(photos / "factors.csv"), withheld=["row=0-3"], metrics=["mig"]
    )
    record = run(settings, photos.parent)
    assert record["factor_names"] == ["row", "column", "size"]
    assert {"mig", "mig_ceiling"} <= set(record["scores"])
    assert "left out" not in summary(record, "")
    trained, tested = streams
    assert tested is None
    factors = DATA.factors(np.flatnonzero(trained.probabilities()))
    assert len(factors) == len(DATA) / 2 and (factors[:, 0] > 3).all()
    assert records.read_json(photos.parent / "part" / "settings.json")["settings"]["withheld"]
    assert score(photos.parent / "part", ("mig",)) == record["scores"]


def test_a_run_where_no_factor_varies_has_the_scores_that_need_none(own, photos, tmp_path):
    table = pd.read_csv(photos / "factors.csv").assign(row=3)[["file", "row"]]
    table.to_csv(tmp_path / "one.csv", index=False)
    settings = dataclasses.replace(own, name="one_value", factors=str(tmp_path / "one.csv"))
    record = run(settings, tmp_path)
    assert record["factor_names"] == ["row"]
    expected = {name + end for name in UNSUPERVISED for end in ("", "_active")}
    assert set(record["scores"]) == {*expected, "spread_latents"}
    text = summary(record, "")
    assert "the set has no factors of two values: scores that need them are left out" in text


def test_variants_and_image_sizes_reach_the_data(photos, own, tmp_path):
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(tmp_path / "wall.png")
    scream = RunSettings("a", data="scream_tiny", background=str(tmp_path / "wall.png"))
    data = load_data(scream)
    assert data.name == "scream_tiny" and data.factor_names == DATA.factor_names
    assert load_data(dataclasses.replace(own, image_size=8)).image_shape == (8, 8, 1)


def test_evaluation_needs_factors_only_where_a_score_does():
    plain = data_sets.from_array(DATA.images(np.arange(50)), name="mine")

    def encode(images):
        return images.reshape(len(images), -1)[:, 50:60].astype(float)

    scores = metrics.evaluate(encode, plain, n_samples=40, n_bootstrap=2)
    assert set(scores) >= UNSUPERVISED and "mutual_information_score_low" in scores
    assert not any(name.endswith("_ceiling") for name in scores)
    with_factors = metrics.evaluate(
        encode, DATA, metrics=UNSUPERVISED - {"gaussian_wasserstein_correlation_norm"}
    )
    assert with_factors["gaussian_total_correlation_ceiling"] >= 0
    message = r"`metrics` must be among .* for mine, which has no factors\. Received: mig, dci"
    with pytest.raises(ValueError, match=message):
        metrics.evaluate(encode, plain, metrics=(name for name in ("all", "mig", "dci")))


def test_conditions_are_empty_by_default():
    assert RunSettings("a").training_conditions() == {}
