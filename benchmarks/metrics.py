"""CPU time of the scores on given codes, beside the plain way of computing them.

Sizes are those of disentanglement_lib: 10,000 training and 5,000 test points, 15,000 votes of 64
images, 10 latents, the factors of dSprites. Its code needs TensorFlow 1, so four scores are
measured against the same algorithm written out here with scikit-learn, interleaved with ours. DCI
has 113 classes, so the plain way takes minutes: it is measured on the factors named by
`--dci-factors`, ours on the same ones. `python benchmarks/metrics.py` prints the table and writes
benchmarks/results/metrics.json. One thread unless OMP_NUM_THREADS says otherwise.
"""

import dataclasses
import os
import statistics
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tyro
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC

from sparsevae import metrics, records
from sparsevae.metrics import registry
from sparsevae.metrics.encoding import BATCH
from sparsevae.metrics.information import entropies

SIZES = (3, 6, 40, 32, 32)
LATENT_DIM = 10


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    n_rounds: int = 7
    """Timed pairs of each score, interleaved."""
    n_samples: int = 10_000
    """Training points and votes; half as many for testing."""
    dci_factors: tuple[int, ...] = (0, 1)
    """Factors for the comparison of exact trees: 3 and 6 values."""
    dci_rounds: int = 5
    out: Path = Path("benchmarks/results/metrics.json")


def make_view(n_samples: int) -> registry.View:
    """All factors of dSprites under a random nonlinear code with noise, and a draw of images."""
    rng = np.random.default_rng(0)
    factors = np.stack(np.unravel_index(np.arange(np.prod(SIZES)), SIZES), axis=1)
    mixed = (factors / SIZES - 0.5) @ rng.normal(size=(len(SIZES), LATENT_DIM))
    codes = np.tanh(2 * mixed) + 0.3 * rng.normal(size=mixed.shape)
    names = [name for name, score in registry.SCORES.items() if score.needs in ("votes", "pairs")]
    draw = registry.draw_images(factors, names, n_samples, rng)
    return registry.View(codes.astype(np.float32), factors, draw, seed=0)


def plain_mig(view: registry.View) -> float:
    """Each latent against each factor, by scikit-learn."""
    codes, factors = view.train
    information = np.zeros((codes.shape[1], factors.shape[1]))
    for i, code in enumerate(codes.T):
        bins = np.digitize(code, np.histogram(code, 20)[1][:-1])
        for k, factor in enumerate(factors.T):
            information[i, k] = mutual_info_score(factor, bins)
    ranked = np.sort(information, axis=0)
    return float(np.mean((ranked[-1] - ranked[-2]) / entropies(factors)))


def plain_sap(view: registry.View) -> float:
    """One linear support vector machine for each latent and factor."""
    codes, factors, test_codes, test_factors = view.split
    accuracy = np.zeros((codes.shape[1], factors.shape[1]))
    for i in range(codes.shape[1]):
        for k in range(factors.shape[1]):
            svm = LinearSVC(C=0.01, class_weight="balanced", dual=False)
            svm.fit(codes[:, i : i + 1], factors[:, k])
            accuracy[i, k] = np.mean(svm.predict(test_codes[:, i : i + 1]) == test_factors[:, k])
    ranked = np.sort(accuracy, axis=0)
    return float(np.mean(ranked[-1] - ranked[-2]))


def plain_factor_vae(codes, train_batches, train_factor, test_batches, test_factor) -> float:
    """One vote at a time."""
    variances = np.var(codes, axis=0, ddof=1)

    def count(batches, factors):
        table = np.zeros((len(SIZES), LATENT_DIM))
        for batch, factor in zip(batches, factors, strict=True):
            table[factor, np.argmin(np.var(batch, axis=0, ddof=1) / variances)] += 1
        return table

    winners = count(train_batches, train_factor).argmax(axis=0)
    test = count(test_batches, test_factor)
    return float(test[winners, np.arange(LATENT_DIM)].sum() / test.sum())


def plain_dci(codes, factors, test_codes, test_factors) -> float:
    """scikit-learn's boosted trees, one factor after the other."""
    importance = np.zeros((codes.shape[1], factors.shape[1]))
    for k in range(factors.shape[1]):
        trees = GradientBoostingClassifier(random_state=0).fit(codes, factors[:, k])
        trees.predict(test_codes), trees.predict(codes)
        importance[:, k] = trees.feature_importances_
    return metrics.dci_from_importance(importance).completeness


def compare(plain, ours, n_rounds: int) -> dict:
    """Values and CPU seconds of both, interleaved; the ratio is that of each pair."""
    times = {"plain": [], "ours": []}
    values = {}
    for _ in range(n_rounds):
        for name, function in (("plain", plain), ("ours", ours)):
            start = time.process_time()
            values[name] = function()
            times[name].append(time.process_time() - start)
    ratios = [a / b for a, b in zip(times["plain"], times["ours"], strict=True)]
    return {
        "value": values,
        "cpu_seconds": {name: spread(seconds) for name, seconds in times.items()},
        "times_faster": spread(ratios),
    }


def spread(numbers: list[float]) -> dict:
    """Smallest, middle, largest."""
    return {"min": min(numbers), "median": statistics.median(numbers), "max": max(numbers)}


def main() -> None:
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    warnings.simplefilter("ignore")
    view = make_view(arguments.n_samples)
    result = {"n_samples": arguments.n_samples, "batch": BATCH, "compared": {}, "cpu_seconds": {}}

    def of_view(name):
        score = registry.SCORES[name].compute
        return lambda: score(registry.View(view.table, view.factors, view.draw, 0))[""]

    votes = view.draw.train_votes, view.draw.test_votes
    batches = [part for v in votes for part in (view.table[v.images], v.factor)]
    few = [a[:, list(arguments.dci_factors)] if i % 2 else a for i, a in enumerate(view.split)]
    pairs = {
        "mig": (lambda: plain_mig(view), of_view("mig"), arguments.n_rounds),
        "sap": (lambda: plain_sap(view), of_view("sap"), arguments.n_rounds),
        "factor_vae": (
            lambda: plain_factor_vae(view.train[0], *batches),
            lambda: metrics.factor_vae_from_batches(view.train[0], *batches).eval_accuracy,
            arguments.n_rounds,
        ),
        "dci": (
            lambda: plain_dci(*few),
            lambda: metrics.dci(*few).completeness,
            arguments.dci_rounds,
        ),
        "dci_fast": (
            lambda: plain_dci(*few),
            lambda: metrics.dci(*few, estimator="gbt_fast").completeness,
            arguments.dci_rounds,
        ),
    }
    for name, (plain, ours, n_rounds) in pairs.items():
        found = result["compared"][name] = compare(plain, ours, n_rounds)
        seconds, ratio = found["cpu_seconds"], found["times_faster"]
        print(
            f"{name:12} plain {seconds['plain']['median']:9.4f} s, ours "
            f"{seconds['ours']['median']:8.4f} s, {ratio['min']:.1f} {ratio['median']:.1f} "
            f"{ratio['max']:.1f} times faster; values {found['value']}"
        )
    for name, score in registry.SCORES.items():
        fresh = registry.View(view.table, view.factors, view.draw, 0)
        start, wall = time.process_time(), time.perf_counter()
        score.compute(fresh)
        found = {"cpu": time.process_time() - start, "wall": time.perf_counter() - wall}
        result["cpu_seconds"][name] = found
        print(f"{name:34} {found['cpu']:9.3f} CPU s, {found['wall']:9.3f} s")
    records.write_json(arguments.out, result)


if __name__ == "__main__":
    main()
