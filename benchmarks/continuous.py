"""Which continuous mask: the product form of `gates.Continuous`, or L1 by proximal steps?

Both train the same small VAE on four factors, each a bump in its own strip of 24 pixels, at
several strengths and seeds. `python benchmarks/continuous.py` prints density (exact zeros counted
closed), test ELBO and active latents, and writes benchmarks/results/continuous.json.
"""

import dataclasses
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import tyro
from keras import ops

import sparsevae as sv
from sparsevae import records

IMAGE_SHAPE = (4, 24, 1)
N_STEPS, OPEN, FULL, FREEZE = 6_000, 1_000, 2_000, 5_000
STRENGTHS = {"product": (100.0, 200.0, 400.0), "proximal": (50.0, 100.0, 200.0)}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    n_seeds: int = 3
    out: Path = Path("benchmarks/results/continuous.json")


class L1Mask(sv.gates.Continuous):
    """A mask in [0, 1] that the optimizer shrinks; no price in the loss, no threshold."""

    def __init__(self, **kwargs):
        super().__init__(**{"threshold": 0.0, **kwargs})

    def cost(self, kernel_energy):
        return ops.zeros(self.mask_shape)


class ProximalAdam(keras.optimizers.Adam):
    """Adam, then `M <- max(M - rate_ij * price, 0)` with Adam's own step size of each entry."""

    control = None  # the control whose price is taken
    n_layers = 1

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate)
        velocity = self._velocities[self._get_variable_index(variable)]
        step = ops.cast(self.iterations + 1, "float32")
        root = ops.sqrt(velocity / (1 - ops.power(self.beta_2, step)))
        price = ProximalAdam.control.strength_at(self.iterations + OPEN)
        price /= ProximalAdam.n_layers * int(np.prod(variable.shape))
        shrunk = variable - learning_rate * price / (root + self.epsilon)
        self.assign(variable, ops.maximum(shrunk, 0.0))


def strips(n: int, rng: np.random.Generator) -> np.ndarray:
    """Binary images `(n, 4, 24, 1)`: in each row a bump at a place of its own."""
    centre = rng.uniform(2, 22, size=(n, 4, 1))
    chance = 0.95 * np.exp(-0.5 * ((np.arange(24) - centre) / 2) ** 2)
    return (rng.random(chance.shape) < chance)[..., None].astype(np.float32)


def network(method, seed):
    """Encoder and decoder 96-48-48-8 | 8-48-48-96 in ReLU, a mask on every kernel unless dense."""
    seeds = iter(range(100 * seed, 100 * seed + 100))

    def dense(units, activation=None):
        options = {"kernel_initializer": keras.initializers.GlorotUniform(next(seeds))}
        if method is None:
            return keras.layers.Dense(units, activation, **options)
        gate = sv.gates.Continuous() if method == "product" else L1Mask()
        return sv.layers.GatedDense(units, activation, gate=gate, **options)

    images = keras.Input(IMAGE_SHAPE)
    x = dense(48, "relu")(dense(48, "relu")(keras.layers.Flatten()(images)))
    encoder = keras.Model(images, [dense(8)(x), dense(8)(x)])
    z = keras.Input((8,))
    x = dense(96)(dense(48, "relu")(dense(48, "relu")(z)))
    return encoder, keras.Model(z, keras.layers.Reshape(IMAGE_SHAPE)(x))


def make(method: str | None, strength: float, seed: int) -> sv.SparseVAE:
    """The compiled VAE of one run; method None is dense."""
    control = sv.sparsity.Strength(strength, (OPEN, FULL), FREEZE) if method else None
    vae = sv.SparseVAE(*network(method, seed), control=control, seed=seed)
    vae.compile(keras.optimizers.Adam(1e-3))
    if method == "proximal":  # weight decay keeps kernels from growing as the mask shrinks
        ProximalAdam.control, ProximalAdam.n_layers = control, len(vae.gated_layers)
        base = keras.optimizers.AdamW(1e-3, weight_decay=1e-3)
        group = sv.training.Group("gates", optimizer=ProximalAdam(1e-3))
        vae.compile(sv.training.GroupedOptimizer(base, [group]))
    return vae


def measure(method, strength, seed) -> dict:
    """Density, test ELBO and active latents of one run."""
    images = strips(20_000, np.random.default_rng(0))
    batches = tf.data.Dataset.from_tensor_slices(images).cache().shuffle(20_000, seed=seed)
    options = tf.data.Options()
    options.autotune.enabled = False
    batches = batches.repeat().batch(128, drop_remainder=True).with_options(options)
    vae = make(method, strength, seed)
    vae.fit(batches, steps_per_epoch=N_STEPS, epochs=1, verbose=0)
    test = strips(10_000, np.random.default_rng(1))
    result = vae.evaluate(test, batch_size=1_000, verbose=0, return_dict=True)
    density = vae.gate_logs().get("density", 1.0)
    row = {"density": density, "elbo": result["elbo"], "active": result["active_latents"]}
    return {"method": method or "dense", "strength": strength, "seed": seed, **row}


def main() -> None:
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    cases = [(None, 0.0)] + [(m, s) for m, all_s in STRENGTHS.items() for s in all_s]
    rows = []
    print("method    strength  seed  density    ELBO  active")
    for method, strength in cases:
        for seed in range(arguments.n_seeds):
            rows.append(row := measure(method, strength, seed))
            print(
                f"{row['method']:9} {strength:7.0f}  {seed:4}  {row['density']:7.3f} "
                f"{row['elbo']:7.2f}  {row['active']:6.0f}",
                flush=True,
            )
    records.write_json(arguments.out, {"rows": rows, "n_steps": N_STEPS})


if __name__ == "__main__":
    main()
