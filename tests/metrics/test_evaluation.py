"""`evaluate`: one draw, encoded once, every score in one flat dict."""

import subprocess
import sys

import numpy as np
import pytest

from sparsevae.metrics import evaluate, evaluation
from sparsevae.metrics.evaluation import score_names
from sparsevae.metrics.registry import SCORES, SLOW, UNSUPERVISED

QUICK = ("mig", "sap", "factor_vae", "beta_vae")


class GridData:
    """Images that show their factors: one pixel each. The first factor has one value."""

    factor_names = ("color", "shape", "x", "y")
    factor_sizes = (1, 3, 40, 32)

    def __len__(self):
        return int(np.prod(self.factor_sizes))

    def factors(self, indices):
        return np.stack(np.unravel_index(indices, self.factor_sizes), axis=1)

    def images(self, indices):
        return self.factors(indices).astype(np.uint8).reshape(len(indices), 2, 2, 1)


def perfect(images):
    return images.reshape(len(images), 4).astype(np.float32)


DATA = GridData()


def test_perfect_encoder_reaches_the_ceiling():
    scores = evaluate(perfect, DATA, metrics=QUICK, n_samples=2_000, batch_size=300)
    expected = [f"{name}{view}" for name in QUICK for view in ("", "_active", "_ceiling")]
    assert list(scores) == [*expected, "spread_latents"]
    assert all(type(value) is float for value in scores.values())
    for name in ("mig", "sap"):
        assert scores[name] == scores[f"{name}_active"]
        assert scores[name] == pytest.approx(scores[f"{name}_ceiling"], abs=1e-6)
    assert scores["factor_vae"] == scores["beta_vae"] == 1.0
    assert scores["spread_latents"] == 3  # the single color is constant


def test_all_scores_are_finite_floats_of_every_view():
    def encode(images):
        return perfect(images)[:, 1:] @ np.arange(1.0, 13).reshape(3, 4) / 10

    scores = evaluate(encode, DATA, n_samples=300)
    assert all(np.isfinite(value) and type(value) is float for value in scores.values())
    for name in set(SCORES) - set(SLOW):
        values = [key for key in scores if key.startswith(name)]
        assert {key for key in values if key.endswith("_ceiling")}, name
        assert {key for key in values if key.endswith("_active")}, name
    assert not any(key.startswith(("dci_disentanglement", "unified_importance")) for key in scores)


def test_ceiling_on_the_factors_of_dsprites():
    class DSprites(GridData):
        factor_sizes = (3, 6, 40, 32, 32)

        def images(self, indices):
            return self.factors(indices).astype(np.uint8).reshape(len(indices), 1, 5, 1)

    ceiling = evaluate(lambda x: x.reshape(len(x), 5), DSprites(), metrics=["mig", "sap"])
    assert ceiling["mig_ceiling"] == pytest.approx(0.895, abs=0.003)
    assert ceiling["sap_ceiling"] == pytest.approx(0.24, abs=0.01)


def test_no_image_is_encoded_twice_and_none_without_need():
    encoded = []

    def encode(batch):
        encoded.append(batch.reshape(len(batch), 4))
        return perfect(batch)

    evaluate(encode, DATA, metrics=["mig", "factor_vae"], n_samples=100, batch_size=77)
    assert {len(batch) for batch in encoded[:-1]} == {77}
    encoded = np.concatenate(encoded)
    assert len(encoded) == len(np.unique(encoded, axis=0)) <= len(DATA)
    encoded = []
    evaluate(encode, DATA, metrics=["mig"], n_samples=100)
    assert sum(map(len, encoded)) <= 150


def test_a_score_does_not_depend_on_the_others_asked_for():
    def scores(*names):
        return evaluate(lambda x: perfect(x) ** 2, DATA, metrics=names, n_samples=200)

    both = scores("factor_vae", "mig")
    assert both == {**scores("mig"), **scores("factor_vae")}


def test_same_seed_same_scores():
    def score(seed):
        return evaluate(lambda x: perfect(x) ** 2, DATA, metrics=QUICK, seed=seed, n_samples=200)

    assert score(0) == score(0) != score(1)


def test_dead_latents_count_for_nothing():
    def faint(images):
        return np.hstack([perfect(images)[:, 1:3], 1e-4 * perfect(images)[:, 1:3]])

    scores = evaluate(faint, DATA, metrics="mig", n_samples=500)
    assert scores["spread_latents"] == 2
    assert scores["mig"] == pytest.approx(0, abs=0.05) and scores["mig_active"] > 0.4


def test_encoder_with_no_active_latent_scores_zero():
    scores = evaluate(lambda x: np.full((len(x), 3), 0.1), DATA, n_samples=100)
    assert scores["spread_latents"] == 0
    for name in ("mig", "factor_vae", "dci_fast_disentanglement", "gaussian_total_correlation"):
        assert scores[name] == scores[f"{name}_active"] == 0


def test_intervals_hold_the_score_and_shrink_with_samples():
    def encode(images):
        return perfect(images)[:, 1:] + np.sin(7.0 * perfect(images)[:, [2, 3, 1]])

    def width(n_samples):
        scores = evaluate(
            encode, DATA, metrics=["mig", "factor_vae"], n_samples=n_samples, n_bootstrap=30
        )
        for name in ("mig", "mig_active", "factor_vae"):
            assert scores[f"{name}_low"] <= scores[name] <= scores[f"{name}_high"]
        assert "mig_ceiling_low" not in scores
        return scores["mig_high"] - scores["mig_low"]

    assert width(4_000) < 0.6 * width(400)


def test_interval_covers_what_other_draws_give():
    def score(seed, **options):
        return evaluate(
            lambda x: perfect(x)[:, 1:] + perfect(x)[:, [2, 3, 1]] / 2,
            DATA,
            metrics="mig",
            seed=seed,
            n_samples=8_000,
            **options,
        )

    scores = score(0, n_bootstrap=100)
    half = (scores["mig_high"] - scores["mig_low"]) / 2
    others = np.array([score(seed)["mig"] for seed in range(1, 60)])
    # The spread of the score over draws, by draws and by bootstrap: within a factor of 1.5.
    assert 1 / 1.5 < half / (1.96 * others.std()) < 1.5


def test_interval_is_1_96_sample_deviations_either_way():
    found = evaluation._with_intervals({"mig": 3.0}, [{"mig": 1.0}, {"mig": 3.0}])  # sqrt 2
    half = 1.96 * 2**0.5
    assert found == pytest.approx({"mig": 3.0, "mig_low": 3 - half, "mig_high": 3 + half})


def test_names_are_spelled_out_once():
    assert score_names("mig") == ["mig"]
    assert score_names(["sap", "mig", "sap"]) == ["sap", "mig"]
    assert score_names("all") == [name for name in SCORES if name not in SLOW]
    assert set(score_names(["all", "dci"])) == {*score_names("all"), "dci"}


@pytest.mark.parametrize(
    ("names", "match"),
    [(["mgi"], "mig_sup.*Did you mean 'mig'.*'mgi'"), ([], "`metrics`"), ([1], "`metrics`")],
)
def test_unknown_name_is_refused_before_anything_is_drawn(names, match):
    with pytest.raises((ValueError, TypeError), match=match):
        evaluate(None, None, metrics=names)


class Constant(GridData):
    """Sixty images whose one factor has one value."""

    name = "constant"
    factor_names = ("color",)

    def __len__(self):
        return 60

    def factors(self, indices):
        return np.full((len(indices), 1), 3)

    def images(self, indices):
        return DATA.images(indices)


def test_where_no_factor_varies_all_means_what_needs_none():
    scores = evaluate(perfect, Constant(), n_samples=50, n_bootstrap=2)

    class Plain:
        images = Constant().images
        __len__ = Constant.__len__

    assert scores == evaluate(perfect, Plain(), n_samples=50, n_bootstrap=2)
    names = {name for name in SCORES if any(key.startswith(name) for key in scores)}
    assert names == set(UNSUPERVISED)
    assert list(evaluate(perfect, Constant(), metrics="mutual_information_score")) == [
        *("mutual_information_score", "mutual_information_score_active", "spread_latents")
    ]


@pytest.mark.parametrize("names", ["mig", ["factor_vae"], ["all", "beta_vae"]])
def test_where_no_factor_varies_what_needs_one_is_refused(names):
    asked = names if isinstance(names, str) else names[-1]
    match = f"`metrics` must be among .*, whose factors have one value each. Received: {asked}"
    with pytest.raises(ValueError, match=match) as caught:
        evaluate(None, Constant(), metrics=names)
    assert "\n" not in str(caught.value) and "constant" in str(caught.value)


@pytest.mark.parametrize(
    "encode",
    [
        lambda x: np.ones(len(x)),
        lambda x: np.ones((len(x) + 1, 2)),
        lambda x: np.ones((len(x), 2 + len(x) % 100)),
        lambda x: np.ones((len(x), 2, 1)),
    ],
)
def test_codes_of_a_wrong_shape_are_refused(encode):
    with pytest.raises(ValueError, match="`encode` must return"):
        evaluate(encode, DATA, metrics="mig", n_samples=250, batch_size=100)


def test_codes_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        evaluate(lambda x: np.full((len(x), 2), np.nan), DATA, metrics="mig", n_samples=250)


@pytest.mark.parametrize(("name", "bad"), [("n_samples", 3), ("batch_size", 0), ("n_bootstrap", 1)])
def test_bad_counts_are_refused(name, bad):
    with pytest.raises(ValueError, match=name):
        evaluate(perfect, DATA, **{name: bad})
    with pytest.raises(TypeError, match=name):
        evaluate(perfect, DATA, **{name: 2.5})


def test_import_loads_nothing_heavy():
    code = (
        "import sys, sparsevae.metrics as m; import numpy as np; "
        "f = np.arange(12).reshape(-1, 1) % 3; m.mig(f, f); "
        "print([x for x in ('sklearn', 'pandas', 'keras', 'tensorflow') if x in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
