"""Time of a training step of each objective, beside beta-VAE on the same network.

`python benchmarks/objectives.py` writes `benchmarks/results/objectives.json` and prints it. All
objectives of a size are interleaved in one process, CPU time (user + system, all threads), pair by
pair with beta-VAE; and what the multiplications of a step say beside it. The network is `conv_vae`
but for the objective that needs another one. A pair of images counts as two.
"""

import dataclasses
import os
import statistics
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import result
import tensorflow as tf
import tyro
from training import measure, spread

import sparsevae as sv

BASE = "beta_vae"
SPARSE_DECODING = ("spike_and_slab",)  # objectives of that network
PAIRS = ("ada_gvae", "ada_mlvae")
FACTOR_SIZES = (3, 6, 40, 32, 32)  # of dSprites


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    objectives: tuple[str, ...] = sv.objectives.list()
    """Objectives; beta_vae is measured too."""
    sizes: tuple[int, ...] = (32, 64)
    """Pixels of an image's side."""
    batch_size: int = 64
    n_steps: int = 40
    """Steps in one timed piece."""
    n_rounds: int = 9
    """Timed pieces of each objective, interleaved."""
    n_threads: int = 2
    out: Path = Path("benchmarks/results/objectives.json")


def model(name, size, sparse_decoding):
    """A compiled VAE with an objective of its defaults."""
    options = {"factor_sizes": FACTOR_SIZES} if name == "semi_supervised" else {}
    builder = sv.models.sparse_decoding_vae if sparse_decoding else sv.models.conv_vae
    objective = sv.objectives.get(name, **options)
    vae = builder((size, size, 1), objective=objective, n_data=737_280)
    vae.compile(keras.optimizers.Adam(1e-4))
    return vae


def batch(vae, name, size, batch_size):
    """What the objective uses of one batch of random images, labels for half of them."""
    n = batch_size // 2 if name in PAIRS else batch_size
    rng = np.random.default_rng(0)
    images, partner = (rng.random((2, n, size, size, 1)) > 0.9).astype("float32")
    labels = np.stack([rng.integers(0, k, n) for k in FACTOR_SIZES], axis=1).astype("float32")
    labels[n // 2 :] = -1
    fields = {"images": images, "partner": partner, "labels": labels}
    return {field: value for field, value in fields.items() if field in {"images", *vae.uses}}


def step(vae, fields, n_steps):
    """A function that trains so many steps, without what a call of `fit` costs."""
    batches = iter(tf.data.Dataset.from_tensors(fields).repeat())
    vae.make_train_function()

    def steps():
        for _ in range(n_steps):
            vae.train_function(batches)

    return steps


def multiplications(vae):
    """Those by kernels in a step, for one image."""
    encoder, decoder = (_forward(network) for network in vae.networks)
    total = 3 * (encoder + decoder)  # forward, gradients of inputs, gradients of kernels
    objective = vae.objective
    if isinstance(objective, sv.objectives.FactorVAE):
        # z and permuted z by the discriminator's loss; z by the VAE's, without its kernels
        total += (2 * 3 + 2) * _forward(objective.discriminator)
    if isinstance(objective, sv.objectives.SparseJacobian):
        # along each latent the image and its derivative, and their gradients
        total += 2 * 3 * min(objective.n_latents, vae.latent_dim) * decoder
    return total


def _forward(network):
    return int(sv.sparsity.report(network).table.flops.sum())


def measured(size, arguments):
    """Rows of one size: dicts with times, ratios beside beta-VAE by round, and of FLOPs."""
    ways = [(BASE, False), *((BASE, True) for n in arguments.objectives if n in SPARSE_DECODING)]
    ways += [(n, n in SPARSE_DECODING) for n in arguments.objectives if n != BASE]
    vaes = {way: model(way[0], size, way[1]) for way in ways}
    pieces = {
        way: step(vae, batch(vae, way[0], size, arguments.batch_size), arguments.n_steps)
        for way, vae in vaes.items()
    }
    times = measure(pieces, arguments)
    counts = {way: multiplications(vae) for way, vae in vaes.items()}
    rows = []
    for way, found in times.items():
        base = BASE, way[1]
        pairs = zip(found["cpu_ms"], times[base]["cpu_ms"], strict=True)
        rows.append(
            {
                "objective": way[0],
                "network": "sparse_decoding_vae" if way[1] else "conv_vae",
                "size": size,
                **found,
                "ratios": [a / b for a, b in pairs],
                "multiplications": counts[way],
                "ratio_of_multiplications": counts[way] / counts[base],
            }
        )
    return rows


def main():
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.n_threads)
    rows = [row for size in arguments.sizes for row in measured(size, arguments)]
    print(
        f"{'min, median, max':42} CPU ms/step               beside beta-VAE     FLOPs  CPU / FLOPs"
    )
    for row in rows:
        name = f"{row['objective']} {row['network']} {row['size']}"
        flops = row["ratio_of_multiplications"]
        share = statistics.median(row["ratios"]) / flops
        print(f"{name:42}{spread(row['cpu_ms'])}  {spread(row['ratios'])}{flops:8.2f}{share:8.2f}")
    result.write(arguments, ("keras", "tensorflow", "numpy"), rows=rows)


if __name__ == "__main__":
    main()
