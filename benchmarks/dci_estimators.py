"""Does DCI with fast trees order codes as DCI with exact trees does?

Codes of varied quality on the factors of dSprites: perfect, noisy, turned, mixed by networks, with
copies and dead latents, with too few latents. `python benchmarks/dci_estimators.py` prints both
results for each code, rank correlations and shifts, and writes them after every code to
benchmarks/results/dci_estimators.json; started again, it goes on where it stopped.
"""

import dataclasses
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import tyro
from scipy.stats import spearmanr

from sparsevae import metrics, records

SIZES = (3, 6, 40, 32, 32)
SCORES = ("disentanglement", "completeness", "informativeness")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    n_samples: int = 4_000
    """Training samples; half as many for testing."""
    out: Path = Path("benchmarks/results/dci_estimators.json")


def turned(z: np.ndarray, angle: float) -> np.ndarray:
    """Neighboring latents turned into each other by an angle in radians."""
    turn = np.eye(z.shape[1])
    for i in range(z.shape[1] - 1):
        step = np.eye(z.shape[1])
        step[i : i + 2, i : i + 2] = [
            [np.cos(angle), -np.sin(angle)],
            [np.sin(angle), np.cos(angle)],
        ]
        turn = turn @ step
    return z @ turn


def network(z: np.ndarray, latent_dim: int, gain: float, rng: np.random.Generator) -> np.ndarray:
    """Two random tanh layers."""
    hidden = np.tanh(gain * z @ rng.normal(size=(z.shape[1], 20)))
    return np.tanh(hidden @ rng.normal(size=(20, latent_dim)) / 4)


def codes() -> dict:
    """Name to function of standardized factors `(n, 5)` and a generator."""
    made = {}
    for noise in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6):
        made[f"noise {noise}"] = lambda z, rng, s=noise: z + s * rng.normal(size=z.shape)
    for angle in (0.05, 0.1, 0.2, 0.3, 0.5, 0.785):
        made[f"turned {angle}"] = lambda z, rng, a=angle: (
            turned(z, a) + 0.05 * rng.normal(size=z.shape)
        )
    for latent_dim in (3, 5, 10):
        for gain in (0.3, 1.0, 3.0):
            made[f"network {latent_dim} {gain}"] = lambda z, rng, d=latent_dim, g=gain: (
                network(z, d, g, rng) + 0.05 * rng.normal(size=(len(z), d))
            )
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        made[f"mixed {share}"] = lambda z, rng, s=share: (
            (1 - s) * z + s * network(z, 5, 1.0, rng) + 0.1 * rng.normal(size=z.shape)
        )
    for noise in (0.1, 0.5):
        made[f"copies {noise}"] = lambda z, rng, s=noise: np.hstack(
            [z, z + s * rng.normal(size=z.shape)]
        )
        made[f"dead latents {noise}"] = lambda z, rng, s=noise: np.hstack(
            [z + s * rng.normal(size=z.shape), np.zeros((len(z), 5))]
        )
        made[f"noise latents {noise}"] = lambda z, rng, s=noise: np.hstack(
            [z + s * rng.normal(size=z.shape), rng.normal(size=z.shape)]
        )
    made["two factors in each"] = lambda z, rng: z + 0.7 * np.roll(z, 1, axis=1)
    made["bent"] = lambda z, rng: np.hstack([np.sin(2 * z), np.cos(2 * z)])
    made["positions only"] = lambda z, rng: z[:, 3:] + 0.05 * rng.normal(size=(len(z), 2))
    return made


def measure(make, n: int) -> dict:
    """Both DCIs of one code: scores and CPU seconds."""
    rng = np.random.default_rng(0)
    factors = rng.integers(SIZES, size=(n + n // 2, len(SIZES)))
    z = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    code = make(z, rng)
    split = code[:n], factors[:n], code[n:], factors[n:]
    row = {}
    for estimator in ("gbt", "gbt_fast"):
        start = time.process_time()
        found = metrics.dci(*split, estimator=estimator)
        row[estimator] = {name: getattr(found, name) for name in SCORES}
        row[estimator]["cpu_seconds"] = time.process_time() - start
    return row


def main() -> None:
    """Compares, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    result = {"n_samples": arguments.n_samples, "codes": {}}
    if arguments.out.exists():
        result = records.read_json(arguments.out)
        if result["n_samples"] != arguments.n_samples:
            raise SystemExit(f"{arguments.out} holds {result['n_samples']} samples; move it away")
    for name, make in codes().items():
        if name not in result["codes"]:
            result["codes"][name] = measure(make, arguments.n_samples)
            records.write_json(arguments.out, result)
        exact, fast = (result["codes"][name][e] for e in ("gbt", "gbt_fast"))
        shown = "  ".join(f"{exact[s]:.3f} {fast[s]:.3f}" for s in (*SCORES, "cpu_seconds"))
        print(f"{name:22} {shown}", flush=True)
    result["summary"] = {}
    for score in SCORES:
        exact, fast = (
            np.array([row[e][score] for row in result["codes"].values()])
            for e in ("gbt", "gbt_fast")
        )
        result["summary"][score] = {
            "rank_correlation": float(spearmanr(exact, fast).statistic),
            "largest_shift": float(np.abs(fast - exact).max()),
            "mean_shift": float(np.mean(fast - exact)),
        }
        print(score, result["summary"][score])
    records.write_json(arguments.out, result)


if __name__ == "__main__":
    main()
