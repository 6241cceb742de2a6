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
from sparsevae.metrics.scores.infomec import infomec
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


def _infomec(view: View) -> dict[str, float]:
    result = infomec(*view.split)
    return {"_m": result.info_m, "_e": result.info_e, "_c": result.info_c}


def _unified(view: View, matrices: dict[str, np.ndarray]) -> dict[str, float]:
    varied = varying_factors(view.train[1])
    fields = ("disentanglement", "completeness", "mig", "sap", "modularity", "area_precision")
    scores = {}
    for kind, matrix in matrices.items():
        unified = unified_scores(matrix[:, varied], view.train[1][:, varied])
        scores |= {f"{kind}_{field}": getattr(unified, field) for field in fields}
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


# A new score is one line here: `evaluate` then reports it for all latents, for the active ones
# and for a perfect code. A result is named by the score and the suffix.
SCORES: dict[str, Callable[[View], dict[str, float]]] = {
    "beta_vae": _beta_vae,
    "factor_vae": _factor_vae,
    "mig": lambda view: {"": mig(*view.train)},
    "mig_sup": lambda view: {"": mig_sup(*view.train)},
    "jemmig": lambda view: {"": jemmig(*view.train)},
    "dcimig": lambda view: {"": dcimig(*view.train)},
    "modularity": lambda view: {"": modularity(*view.train)},
    "explicitness": lambda view: {"": explicitness(*view.split).score_test},
    "sap": lambda view: {"": sap(*view.split)},
    "dci": lambda view: _dci(view, "gbt"),
    "dci_fast": lambda view: _dci(view, "gbt_fast"),
    "dci_es": _dci_es,
    "infomec": _infomec,
    "irs": lambda view: {"": irs(*view.train).score},
    "med": lambda view: {"": med(*view.train)},
    "unified": lambda view: _unified(
        view, {"_information": view.information, "_svm": sap_matrix(*view.split)}
    ),
    "unified_dci": lambda view: _unified(view, {"": view.dci("gbt").importance}),
    "unified_dci_fast": lambda view: _unified(view, {"": view.dci("gbt_fast").importance}),
    "gaussian_total_correlation": lambda view: {"": gaussian_total_correlation(view.train[0])},
    "gaussian_wasserstein_correlation": lambda view: {
        "": gaussian_wasserstein_correlation(view.train[0]),
        "_norm": gaussian_wasserstein_correlation(view.train[0], normalized=True),
    },
    "mutual_information_score": lambda view: {"": mutual_information_score(view.train[0])},
}
# With exact trees, a minute or two: computed when asked for by name.
SLOW = ("dci", "unified_dci")
UNSUPERVISED = (
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "mutual_information_score",
)
NEEDS_VOTES = ("factor_vae",)
NEEDS_PAIRS = ("beta_vae",)


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
    wanted = 2 * [True] + 2 * [any(n in names for n in NEEDS_VOTES)]
    wanted += 2 * [any(n in names for n in NEEDS_PAIRS)]
    parts = zip(samplers, counts, streams, wanted, strict=True)
    return Draw(*(draw(n, stream) if needed else None for draw, n, stream, needed in parts))
