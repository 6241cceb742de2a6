"""The scores that `evaluate` knows, each a function of one view of the codes."""

import dataclasses
from collections.abc import Callable
from functools import cached_property

import numpy as np

from sparsevae.metrics.encoding import Pairs, Sample, SharedValue, Votes
from sparsevae.metrics.information import bin_codes, mutual_information_matrix
from sparsevae.metrics.scores.beta_vae import beta_vae_from_pairs
from sparsevae.metrics.scores.dci import DCI, dci
from sparsevae.metrics.scores.dci_es import dci_es
from sparsevae.metrics.scores.explicitness import explicitness
from sparsevae.metrics.scores.factor_vae import factor_vae_from_batches
from sparsevae.metrics.scores.infomec import InfoMEC, infomec
from sparsevae.metrics.scores.infomec_published import infomec_published
from sparsevae.metrics.scores.information_gaps import dcimig, jemmig, mig_sup
from sparsevae.metrics.scores.irs import irs
from sparsevae.metrics.scores.med import med
from sparsevae.metrics.scores.modularity import modularity
from sparsevae.metrics.scores.mutual_information_gap import mig
from sparsevae.metrics.scores.sap import sap, sap_matrix
from sparsevae.metrics.scores.unified import unified_scores
from sparsevae.metrics.scores.unsupervised import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)
from sparsevae.metrics.validation import varying_factors

N_BINS = 20


@dataclasses.dataclass(frozen=True)
class Draw:
    """Images drawn for the scores; votes and pairs only where a score asks for them."""

    train: Sample
    test: Sample
    train_votes: Votes | None = None
    test_votes: Votes | None = None
    train_pairs: Pairs | None = None
    test_pairs: Pairs | None = None

    def images(self) -> list[np.ndarray]:
        """Numbers of all images drawn, in arrays of several shapes."""
        numbers = [self.train.images, self.test.images]
        for votes in filter(None, (self.train_votes, self.test_votes)):
            numbers.append(votes.images)
        for pairs in filter(None, (self.train_pairs, self.test_pairs)):
            numbers += [pairs.first, pairs.second]
        return numbers

    def resampled(self, rng: np.random.Generator) -> "Draw":
        """A bootstrap sample of each part."""
        parts = (getattr(self, field.name) for field in dataclasses.fields(self))
        return Draw(*(rows and rows.resampled(rng) for rows in parts))


class View:
    """Codes and factors of one draw as the scores take them; what two scores share is kept.

    Args:
        table: Float array `(n_images, latent_dim)`, codes by image number.
        factors: Integer array `(n_images, n_factors)`.
        draw: The images to look at.
        seed: Of the scores that draw random numbers themselves.
    """

    def __init__(self, table: np.ndarray, factors: np.ndarray, draw: Draw, seed: int):
        self.table, self.factors, self.draw, self.seed = table, factors, draw, seed
        self.train = table[draw.train.images], factors[draw.train.images]
        self.split = *self.train, table[draw.test.images], factors[draw.test.images]
        self._dci = {}

    def dci(self, estimator: str) -> DCI:
        """DCI by `estimator`, computed once."""
        if estimator not in self._dci:
            self._dci[estimator] = dci(*self.split, estimator=estimator, seed=self.seed)
        return self._dci[estimator]

    @cached_property
    def information(self) -> np.ndarray:
        """Mutual information `(latent_dim, n_factors)` of binned codes with factors, in nats."""
        codes, factors = self.train
        return mutual_information_matrix(bin_codes(codes, N_BINS), factors, N_BINS)


def _dci(view: View, estimator: str) -> dict[str, float]:
    result = view.dci(estimator)
    return {
        "_disentanglement": result.disentanglement,
        "_completeness": result.completeness,
        "_informativeness": result.informativeness,
    }


def _dci_es(view: View) -> dict[str, float]:
    result = dci_es(*view.split, seed=view.seed)
    return {"_explicitness": result.explicitness, "_size": result.size}


def _infomec(result: InfoMEC) -> dict[str, float]:
    return {"_m": result.info_m, "_e": result.info_e, "_c": result.info_c}


def _unified(view: View, matrices: dict[str, np.ndarray]) -> dict[str, float]:
    varied = varying_factors(view.train[1])
    scores = {}
    for kind, matrix in matrices.items():
        unified = unified_scores(matrix[:, varied], view.train[1][:, varied])
        scores |= {f"{kind}_{field}": getattr(unified, field) for field in _FIELDS}
    return scores


def _factor_vae(view: View) -> dict[str, float]:
    train, test = view.draw.train_votes, view.draw.test_votes
    result = factor_vae_from_batches(
        view.train[0], view.table[train.images], train.factor, view.table[test.images], test.factor
    )
    return {"": result.eval_accuracy}


def _beta_vae(view: View) -> dict[str, float]:
    table, train, test = view.table, view.draw.train_pairs, view.draw.test_pairs
    result = beta_vae_from_pairs(
        table[train.first],
        table[train.second],
        train.factor,
        table[test.first],
        table[test.second],
        test.factor,
    )
    return {"": result.eval_accuracy}


@dataclasses.dataclass(frozen=True)
class Score:
    """All that is known of a score.

    Attributes:
        compute: From a view to values by suffix.
        values: Suffixes of the values; a value is called by the score and the suffix.
        higher_is_better: Whether a better code has more of it.
        needs: What is drawn for it beside images: "factors", also "votes" or "pairs"; "" for
            nothing.
        slow: Whether it takes minutes, so that it must be asked for by name.
    """

    compute: Callable[[View], dict[str, float]]
    values: tuple[str, ...] = ("",)
    higher_is_better: bool = True
    needs: str = "factors"
    slow: bool = False


def _of_train(score: Callable[..., float], **settings: str | bool) -> Score:
    """A score of one value, of the codes and factors for training."""
    return Score(lambda view: {"": score(*view.train)}, **settings)


def _of_codes(score: Callable[[np.ndarray], float]) -> Score:
    """A score of one value, of codes alone; 0 is best."""
    return Score(lambda view: {"": score(view.train[0])}, higher_is_better=False, needs="")


_MEC = ("_m", "_e", "_c")
_DCI = ("_disentanglement", "_completeness", "_informativeness")
_FIELDS = ("disentanglement", "completeness", "mig", "sap", "modularity", "area_precision")
_UNIFIED = tuple(f"_{field}" for field in _FIELDS)

# A new score is one row here: `evaluate` then reports it for all latents, for the active ones and
# for a perfect code; searches take its values as objectives.
SCORES: dict[str, Score] = {
    "beta_vae": Score(_beta_vae, needs="pairs"),
    "factor_vae": Score(_factor_vae, needs="votes"),
    "mig": _of_train(mig),
    "mig_sup": _of_train(mig_sup),
    "jemmig": _of_train(jemmig),
    "dcimig": _of_train(dcimig),
    "modularity": _of_train(modularity),
    "explicitness": Score(lambda view: {"": explicitness(*view.split).score_test}),
    "sap": Score(lambda view: {"": sap(*view.split)}),
    "dci": Score(lambda view: _dci(view, "gbt"), _DCI, slow=True),
    "dci_fast": Score(lambda view: _dci(view, "gbt_fast"), _DCI),
    "dci_es": Score(_dci_es, ("_explicitness", "_size")),
    "infomec": Score(lambda view: _infomec(infomec(*view.split)), _MEC),
    "infomec_published": Score(
        lambda view: _infomec(infomec_published(*view.train, seed=view.seed)), _MEC
    ),
    "irs": Score(lambda view: {"": irs(*view.train).score}),
    "med": _of_train(med),
    "unified": Score(
        lambda view: _unified(
            view, {"_information": view.information, "_svm": sap_matrix(*view.split)}
        ),
        tuple(f"_{kind}{field}" for kind in ("information", "svm") for field in _UNIFIED),
    ),
    "unified_dci": Score(
        lambda view: _unified(view, {"": view.dci("gbt").importance}), _UNIFIED, slow=True
    ),
    "unified_dci_fast": Score(
        lambda view: _unified(view, {"": view.dci("gbt_fast").importance}), _UNIFIED
    ),
    "gaussian_total_correlation": _of_codes(gaussian_total_correlation),
    "gaussian_wasserstein_correlation": Score(
        lambda view: {
            "": gaussian_wasserstein_correlation(view.train[0]),
            "_norm": gaussian_wasserstein_correlation(view.train[0], normalized=True),
        },
        ("", "_norm"),
        higher_is_better=False,
        needs="",
    ),
    "mutual_information_score": _of_codes(mutual_information_score),
}
SLOW = tuple(name for name, score in SCORES.items() if score.slow)
UNSUPERVISED = tuple(name for name, score in SCORES.items() if not score.needs)
# The score that a value belongs to, by the value's name, over all latents and over active ones.
SCORE_OF_VALUE = {
    f"{name}{suffix}{view}": name
    for name, score in SCORES.items()
    for suffix in score.values
    for view in ("", "_active")
}


def draw_images(
    factors: np.ndarray, names: list[str], n_samples: int, rng: np.random.Generator
) -> Draw:
    """Draws what the scores `names` look at.

    Args:
        factors: Integer array `(n_images, n_factors)` of the whole data set; no columns if factors
            are not known, and no votes or pairs then.
        names: Keys of `SCORES`.
        n_samples: Training samples, votes and pairs; half as many for testing.
        rng: The draw advances it in the same way whatever the names.

    Returns:
        Image numbers.
    """
    # One generator a part, so that a score does not depend on which others were asked for.
    streams = rng.spawn(6)
    counts = (n_samples, n_samples // 2) * 3
    shared = SharedValue(factors) if factors.shape[1] else None
    samplers = (
        *2 * (lambda n, rng: Sample(rng.integers(len(factors), size=n)),),
        *2 * (shared and shared.votes,),
        *2 * (shared and shared.pairs,),
    )
    needs = {SCORES[name].needs for name in names}
    wanted = 2 * [True] + 2 * ["votes" in needs] + 2 * ["pairs" in needs]
    parts = zip(samplers, counts, streams, wanted, strict=True)
    return Draw(*(draw(n, stream) if needed else None for draw, n, stream, needed in parts))
