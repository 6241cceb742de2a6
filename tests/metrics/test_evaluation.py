"""`evaluate`: one draw, encoded once, every score in one flat dict."""

import subprocess
import sys

import numpy as np
import pytest

from sparsevae.metrics import evaluate, mig
from sparsevae.metrics.evaluation import NAMES, SCORES


class GridData:
    """Images that show their factors: one pixel each. The first factor has one value."""

    factor_names = ("color", "shape", "x", "y")
    factor_sizes = (1, 3, 40, 32)

    def sample(self, n, rng):
        factors = np.stack([rng.integers(size, size=n) for size in self.factor_sizes], axis=1)
        return factors, factors.astype(np.uint8).reshape(n, 2, 2, 1)


def perfect(images):
    return images.reshape(len(images), 4).astype(np.float32)


DATA = GridData()


def test_perfect_encoder_reaches_the_ceiling():
    scores = evaluate(perfect, DATA, n_samples=2_000, batch_size=300)
    assert list(scores) == list(NAMES)
    assert all(type(value) is float for value in scores.values())
    assert scores["mig"] == scores["mig_active"] == pytest.approx(scores["mig_ceiling"], abs=1e-12)
    assert scores["active_latents"] == 3  # the single color is constant


def test_ceiling_on_the_factors_of_dsprites():
    class DSprites(GridData):
        factor_sizes = (3, 6, 40, 32, 32)

        def sample(self, n, rng):
            factors = np.stack([rng.integers(size, size=n) for size in self.factor_sizes], axis=1)
            return factors, factors.astype(np.uint8).reshape(n, 1, 5, 1)

    ceiling = evaluate(lambda x: x.reshape(len(x), 5), DSprites(), metrics=["mig_ceiling"])
    assert ceiling == {"mig_ceiling": pytest.approx(0.895, abs=0.003)}


def test_score_is_that_of_one_draw_encoded_in_batches():
    factors, images = DATA.sample(1_001, np.random.default_rng(3))
    sizes = []

    def encode(batch):
        sizes.append(len(batch))
        return perfect(batch) @ np.arange(8).reshape(4, 2)

    scores = evaluate(encode, DATA, metrics=["mig"], seed=3, n_samples=1_001, batch_size=500)
    assert scores == {"mig": mig(encode(images), factors[:, 1:])}
    assert sizes[:3] == [500, 500, 1]


def test_same_seed_same_scores():
    def score(seed):
        return evaluate(lambda x: perfect(x) ** 2, DATA, seed=seed, n_samples=500)

    assert score(0) == score(0) != score(1)


def test_dead_latents_count_for_nothing():
    def faint(images):
        return np.hstack([perfect(images)[:, 1:3], 1e-4 * perfect(images)[:, 1:3]])

    scores = evaluate(faint, DATA, n_samples=500)
    assert scores["active_latents"] == 2
    assert scores["mig"] == pytest.approx(0, abs=0.05) and scores["mig_active"] > 0.4


def test_encoder_with_no_active_latent_scores_zero():
    scores = evaluate(lambda images: np.ones((len(images), 3)), DATA, n_samples=500)
    assert (scores["mig"], scores["mig_active"], scores["active_latents"]) == (0, 0, 0)


def test_one_name_and_repeated_names():
    assert list(evaluate(perfect, DATA, metrics="mig", n_samples=500)) == ["mig"]
    wanted = ["active_latents", "mig", "mig"]
    assert list(evaluate(perfect, DATA, metrics=wanted, n_samples=500)) == ["active_latents", "mig"]


def test_every_score_has_its_three_names():
    assert {f"{name}{view}" for name in SCORES for view in ("", "_active", "_ceiling")} < set(NAMES)


@pytest.mark.parametrize(
    ("metrics", "match"),
    [(["mgi"], "mig_active.*Did you mean 'mig'.*'mgi'"), ([], "`metrics`"), ([1], "`metrics`")],
)
def test_unknown_name_is_refused_before_anything_is_drawn(metrics, match):
    with pytest.raises((ValueError, TypeError), match=match):
        evaluate(None, None, metrics=metrics)


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
        evaluate(encode, DATA, n_samples=250, batch_size=100)


def test_codes_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        evaluate(lambda x: np.full((len(x), 2), np.nan), DATA, n_samples=250)


@pytest.mark.parametrize("name", ["n_samples", "batch_size"])
def test_bad_counts_are_refused(name):
    with pytest.raises(ValueError, match=name):
        evaluate(perfect, DATA, **{name: 0})
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
