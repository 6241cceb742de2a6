"""What every score promises, from one list; each is called as `evaluate` calls it."""

from dataclasses import dataclass

import numpy as np
import pytest

from sparsevae import metrics
from sparsevae.metrics import registry

SIZES = (3, 4, 5)
N_IMAGES = 900


@dataclass(frozen=True)
class Claims:
    """What the docstring of a value says: ranges for codes of known quality, and invariances.

    `perfect`: each latent is one factor; `noise`: codes ignore the factors; `copies`: each factor
    twice; `turned`: two factors turned by 45 degrees. `order`, `sign`, `scale`: unchanged when
    latents are permuted, negated, doubled one by one; `dead`: when constant latents join.
    """

    perfect: tuple[float, float]
    noise: tuple[float, float]
    copies: tuple[float, float]
    turned: tuple[float, float]
    least: float = 0.0
    most: float = 1.0
    order: bool = True
    sign: bool = True
    scale: bool = True
    dead: bool = True


HIGH, LOW, MIDDLE, ANY = (0.9, 1.0), (0.0, 0.1), (0.2, 0.7), (-np.inf, np.inf)
INFINITE = float("inf")

CLAIMS = {
    "beta_vae": Claims(HIGH, (0.2, 0.45), HIGH, (0.5, 0.9), scale=False),
    "factor_vae": Claims(HIGH, (0.2, 0.45), HIGH, (0.5, 0.9)),
    "mig": Claims(HIGH, LOW, LOW, MIDDLE),
    "mig_sup": Claims(HIGH, LOW, HIGH, MIDDLE, dead=False),
    "jemmig": Claims(HIGH, (0, 0.2), (0.5, 0.8), MIDDLE),
    "dcimig": Claims(HIGH, LOW, HIGH, MIDDLE),
    "modularity": Claims(HIGH, (0.2, 0.7), HIGH, (0.6, 0.9), dead=False),
    "explicitness": Claims(HIGH, (0.4, 0.6), HIGH, HIGH),
    "sap": Claims((0.25, 0.45), LOW, LOW, LOW, scale=False),
    "dci_disentanglement": Claims(HIGH, LOW, HIGH, MIDDLE),
    "dci_completeness": Claims(HIGH, LOW, (0.55, 0.7), MIDDLE, dead=False),
    "dci_informativeness": Claims(HIGH, (0.2, 0.7), HIGH, HIGH),
    "dci_es_explicitness": Claims(HIGH, (-1.0, 0.6), HIGH, HIGH, least=-1.0),
    "dci_es_size": Claims((1, 1), (1, 1), (0.5, 0.5), (1, 1), most=INFINITE, dead=False),
    "infomec_m": Claims(HIGH, (0, 0.2), HIGH, MIDDLE, scale=False),
    "infomec_e": Claims((0.8, 1), LOW, (0.8, 1), (0.8, 1)),
    "infomec_c": Claims(HIGH, (0, 0.2), (0.3, 0.5), MIDDLE, scale=False),
    "infomec_published_m": Claims(HIGH, ANY, HIGH, MIDDLE, scale=False),
    "infomec_published_e": Claims(HIGH, LOW, HIGH, HIGH, least=-0.1),
    "infomec_published_c": Claims(HIGH, ANY, (0.3, 0.5), MIDDLE, scale=False),
    "irs": Claims(HIGH, (0.1, 0.5), HIGH, (0.5, 0.8), scale=False),
    "med": Claims((0.8, 1), LOW, (0.8, 1), MIDDLE),
    "gaussian_total_correlation": Claims(LOW, LOW, (30, 70), LOW, most=INFINITE),
    "gaussian_wasserstein_correlation": Claims(LOW, LOW, (3, 4), LOW, most=INFINITE, scale=False),
    "gaussian_wasserstein_correlation_norm": Claims(LOW, LOW, (0.4, 0.7), LOW, 0, 2, scale=False),
    "mutual_information_score": Claims((0, 0.1), (0, 0.5), (0.2, 0.4), ANY, 0, 3, dead=False),
}
for fast in ("disentanglement", "completeness", "informativeness"):
    CLAIMS[f"dci_fast_{fast}"] = CLAIMS[f"dci_{fast}"]
for kind in ("information", "svm", "dci", "dci_fast"):
    free = {"scale": kind != "svm", "most": INFINITE}
    CLAIMS |= {
        f"unified_{kind}_{field}": Claims(ANY, ANY, ANY, ANY, dead=dead, **free)
        for field, dead in (
            ("disentanglement", True),
            ("completeness", False),
            ("mig", True),
            ("sap", True),
            ("modularity", False),
            ("area_precision", False),
        )
    }


def draw_factors(rng):
    columns = [rng.permutation(np.arange(N_IMAGES) % size) for size in SIZES]
    return np.stack(columns, axis=1)


FACTORS = draw_factors(np.random.default_rng(0))
PERFECT = (FACTORS - FACTORS.mean(axis=0)) / FACTORS.std(axis=0)
NOISE = np.random.default_rng(1).normal(size=PERFECT.shape)
TURN = np.array([[1, -1, 0], [1, 1, 0], [0, 0, 2**0.5]]) / 2**0.5
POLES = {
    "perfect": PERFECT,
    "noise": NOISE,
    "copies": np.hstack([PERFECT, PERFECT]),
    "turned": PERFECT @ TURN,
}
NOISY = PERFECT + 0.3 * NOISE + 0.2 * np.roll(PERFECT, 1, axis=1)
SLOW_TREES = [pytest.param(name, marks=pytest.mark.slow) for name in registry.SLOW]
SCORES = [*(set(registry.SCORES) - set(registry.SLOW)), *SLOW_TREES]
all_scores = pytest.mark.parametrize("name", sorted(SCORES, key=str))


def compute(name, codes, factors=FACTORS):
    draw = registry.draw_images(factors, [name], 300, np.random.default_rng(2))
    view = registry.View(codes, factors, draw, seed=0)
    found = registry.SCORES[name].compute(view)
    assert tuple(found) == registry.SCORES[name].values  # what searches and docs rely on
    return {f"{name}{end}": value for end, value in found.items()}


def same(name, claim, codes, changed, tolerance=1e-6):
    """The values that claim an invariance are equal for both codes."""
    before, after = compute(name, codes), compute(name, changed)
    for value in before:
        if getattr(CLAIMS[value], claim):
            assert after[value] == pytest.approx(before[value], abs=tolerance), value


@all_scores
def test_every_value_has_claims_and_is_a_finite_number_within_its_bounds(name):
    for pole, codes in {**POLES, "noisy": NOISY}.items():
        for value, number in compute(name, codes).items():
            claims = CLAIMS[value]
            assert claims.least - 1e-9 <= number <= claims.most + 1e-9, (value, pole)
            assert np.isfinite(number)


@all_scores
@pytest.mark.parametrize("pole", POLES)
def test_codes_of_known_quality(name, pole):
    for value, number in compute(name, POLES[pole]).items():
        low, high = getattr(CLAIMS[value], pole)
        assert low - 1e-9 <= number <= high + 1e-9, value


@all_scores
def test_order_of_latents(name):
    # Trees break ties at random, dci_es draws features by latent.
    loose = 0.02 if name.startswith(("dci", "unified_dci")) else 1e-6
    same(name, "order", NOISY, NOISY[:, [2, 0, 1]], loose)


@all_scores
def test_sign_of_latents(name):
    loose = 0.02 if name.startswith(("dci", "unified_dci")) else 1e-6
    same(name, "sign", NOISY, NOISY * [-1, 1, -1], loose)


@all_scores
def test_scale_of_latents(name):
    same(name, "scale", NOISY, NOISY * [2, 0.5, 4])


@all_scores
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_dead_latents(name, constant):
    dead = np.full((N_IMAGES, 2), constant)
    mixed = np.hstack([dead[:, :1], NOISY, dead[:, 1:]])
    same(name, "dead", NOISY, mixed, 1e-4)
    assert all(np.isfinite(v) for v in compute(name, dead).values())


@all_scores
def test_float32_codes(name):
    before, after = compute(name, NOISY), compute(name, NOISY.astype(np.float32))
    for value in before:
        assert after[value] == pytest.approx(before[value], abs=0.01), value


@all_scores
def test_one_valued_factors_are_left_out(name):
    with_constant = np.hstack([FACTORS[:, :1], np.full((N_IMAGES, 1), 3), FACTORS[:, 1:]])
    before, after = compute(name, NOISY), compute(name, NOISY, with_constant)
    loose = 0.05 if name in ("beta_vae", "factor_vae") else 0.02  # other draws, other ties
    for value in before:
        assert after[value] == pytest.approx(before[value], abs=loose), value


@all_scores
def test_fewer_latents_than_factors_and_a_single_one(name):
    for latent_dim in (2, 1):
        for value, number in compute(name, NOISY[:, :latent_dim]).items():
            assert np.isfinite(number), value
            assert CLAIMS[value].least - 1e-9 <= number <= CLAIMS[value].most + 1e-9, value


@pytest.mark.parametrize(("width", "info_m"), [(0.049, 1.0), (0.051, 2 / 3)])
def test_infomec_counts_latents_of_a_twentieth_of_the_widest(width, info_m):
    """Two perfect latents, and one that knows both factors alike: modularities 1, 1 and 0."""
    factors = np.array(list(np.ndindex(4, 4)) * 4)
    both = factors.sum(axis=1, keepdims=True) / 6
    codes = np.hstack([factors / 3, width * both])
    found = metrics.infomec(codes, factors, codes, factors)
    assert found.info_m == pytest.approx(info_m)


# Bad input: the same refusals for every function of codes and factors

PAIR = (
    metrics.infomec_published,
    metrics.mig,
    metrics.mig_sup,
    metrics.jemmig,
    metrics.dcimig,
    metrics.modularity,
    metrics.irs,
    metrics.med,
)
SPLIT = (metrics.explicitness, metrics.sap, metrics.dci, metrics.dci_es, metrics.infomec)
ALONE = (
    metrics.gaussian_total_correlation,
    metrics.gaussian_wasserstein_correlation,
    metrics.mutual_information_score,
)
CODES, LABELS = NOISY[:60], FACTORS[:60]


def call(score, codes, factors):
    if score in SPLIT:
        return score(codes, factors, codes, factors)
    return score(codes) if score in ALONE else score(codes, factors)


def spoiled(array, value):
    array = array.astype(float)
    array[7, 1] = value
    return array


@pytest.mark.parametrize("score", [*PAIR, *SPLIT, *ALONE], ids=lambda score: score.__name__)
@pytest.mark.parametrize(
    ("codes", "factors", "match"),
    [
        (CODES[:-1], LABELS, "same number of samples.*59.*60"),
        (spoiled(CODES, np.nan), LABELS, r"`codes` must be finite.*\[1\]"),
        (spoiled(CODES, np.inf), LABELS, r"`codes` must be finite.*\[1\]"),
        (CODES[:, 0], LABELS, "`codes` must be an array"),
        (CODES[:0], LABELS[:0], "`codes` must be an array"),
        (CODES[:, :0], LABELS, "`codes` must be an array"),
        (CODES[:1], LABELS[:1], "at least 2"),
        (CODES, LABELS - 1, "`factors` must be class indices.*-1"),
        (CODES, spoiled(LABELS, 0.5), "`factors` must be class indices.*0.5 in factor 1"),
        (CODES, LABELS[:, 0], "`factors` must be a non-empty array"),
        (CODES, LABELS[:, :0], "`factors` must be a non-empty array"),
    ],
)
def test_bad_input_is_refused_in_one_line(score, codes, factors, match):
    if score in ALONE and match.startswith(("same", "`factors`")):
        pytest.skip("takes no factors")
    with pytest.raises(ValueError, match=match) as caught:
        call(score, codes, factors)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("score", [*PAIR, *SPLIT, *ALONE], ids=lambda score: score.__name__)
def test_two_samples(score):
    result = call(score, np.array([[0.0, 1.0], [1.0, 1.5]]), np.array([[0, 1], [1, 1]]))
    values = [result] if isinstance(result, float) else list(vars(result).values())
    assert all(np.isfinite(value).all() for value in values)


@pytest.mark.parametrize("score", [*PAIR, *SPLIT], ids=lambda score: score.__name__)
def test_no_factor_varies(score):
    result = call(score, CODES, np.ones_like(LABELS))
    value = result if isinstance(result, float) else next(iter(vars(result).values()))
    assert value == 0.0


def test_every_public_score_is_tested_here_or_by_name():
    elsewhere = {
        *("active_latents", "evaluate", "udr", "sap_matrix", "dci_from_importance"),
        *("unified_scores", "precision_curve", "merge_thresholds"),
        *("factor_vae_from_batches", "factor_vae_score"),
        *("beta_vae_from_pairs", "beta_vae_score"),
        *("downstream", "unfairness", "without_best_latents"),
    }
    here = {score.__name__ for score in (*PAIR, *SPLIT, *ALONE)}
    assert here | elsewhere == set(metrics.__all__)
