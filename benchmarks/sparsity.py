"""What controls cost in a training step, and how exactly they end at the density asked for.

`python benchmarks/sparsity.py` writes `benchmarks/results/sparsity.json` and prints it. Steps are
those of the dSprites `conv_vae` on TensorFlow, and of its networks as a plain Keras autoencoder
on TensorFlow and JAX, which gets a process of its own; all interleaved, CPU time (user + system,
all threads). Densities are of short runs of a VAE on dSprites and a classifier on digits; bounds
of the loss under `Distortion` of longer ones.
"""

import dataclasses
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import keras
import numpy as np
import result
import tensorflow as tf
import tyro
from sklearn.datasets import load_digits
from training import measure, spread

import sparsevae as sv

N_EVALUATED = 400  # batches
LONG = 10**6  # steps: a control in the midst of its work
BUSY = {
    "Strength": lambda: sv.sparsity.Strength(100.0, ramp=(0, LONG)),
    "TargetDensity": lambda: sv.sparsity.TargetDensity(0.1, ramp=(0, LONG), freeze=2 * LONG),
    "Distortion": lambda: sv.sparsity.Distortion(100.0, ramp=(0, LONG), freeze=2 * LONG),
    "MagnitudePruning": lambda: sv.sparsity.MagnitudePruning(0.1, 0, LONG),
    "TopK": lambda: sv.sparsity.TopK(0.1, 0, LONG),
    "RigL": lambda: sv.sparsity.RigL(0.1, 0, LONG),
    "SET": lambda: sv.sparsity.SET(0.1, 0, LONG),
}
EXACT = ("TargetDensity", "MagnitudePruning", "TopK", "RigL", "SET")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    parts: tuple[str, ...] = ("steps", "jax steps", "densities", "bounds")
    controls: tuple[str, ...] = tuple(BUSY)
    batch_size: int = 64
    image_size: int = 64
    """Of the images in a timed step."""
    n_steps: int = 40
    """Steps in one timed piece."""
    n_rounds: int = 7
    """Timed pieces of each configuration, interleaved."""
    targets: tuple[float, ...] = (0.5, 0.2, 0.1, 0.05, 0.02)
    n_seeds: int = 3
    n_density_steps: int = 300
    """Steps of a run whose density is looked at."""
    losses_more: tuple[float, ...] = (0.02, 0.05, 0.1)
    """Bounds of the loss above a dense run's: shares of it on dSprites, nats on digits."""
    n_bound_steps: int = 4_000
    """Steps of a run whose loss is bounded."""
    n_threads: int = 1
    out: Path = Path("benchmarks/results/sparsity.json")


# Steps


def autoencoder(image_size: int) -> keras.Model:
    """The networks of `conv_vae` one after the other, without noise."""
    layers = keras.layers
    options = {"strides": 2, "padding": "same", "activation": "relu"}
    x = images = keras.Input((image_size, image_size, 1))
    for filters, size in ((32, 4), (32, 4), (64, 2), (64, 2)):
        x = layers.Conv2D(filters, size, **options)(x)
    corner = x.shape[1:]
    x = layers.Dense(256, activation="relu")(layers.Flatten()(x))
    x = layers.Dense(256, activation="relu")(layers.Dense(10)(x))
    x = layers.Reshape(corner)(layers.Dense(math.prod(corner), activation="relu")(x))
    for filters in (64, 32, 32):
        x = layers.Conv2DTranspose(filters, 4, **options)(x)
    return keras.Model(images, layers.Conv2DTranspose(1, 4, strides=2, padding="same")(x))


def configurations(arguments):
    """Gate and control by name: dense, each gate by itself, and each control."""
    controls = {name: BUSY[name]() for name in arguments.controls}
    bases = {of_gate(control): control.default_gate() for control in controls.values()}
    found = {"dense": (None, None)} | {name: (gate, None) for name, gate in bases.items()}
    return found | {name: (control.default_gate(), control) for name, control in controls.items()}


def of_gate(control) -> str:
    """The configuration with the gate of a control and without a control."""
    gate = control.default_gate()
    return f"gated: {gate if isinstance(gate, str) else type(gate).__name__}"


def vae(gate, control, arguments):
    """The compiled VAE."""
    shape = (arguments.image_size, arguments.image_size, 1)
    model = sv.models.conv_vae(shape, gate=gate, control=control)
    model.compile(keras.optimizers.Adam(1e-4))
    return model


def plain(gate, control, arguments):
    """The compiled autoencoder."""
    model = autoencoder(arguments.image_size)
    if gate is not None:
        model = sv.sparsify(model, gate=gate, control=control)
    model.compile(keras.optimizers.Adam(1e-4), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def step_times(make, arguments, pairs):
    """Times by name of configuration of the model that `make` gives."""
    shape = (arguments.batch_size, arguments.image_size, arguments.image_size, 1)
    images = tf.cast(np.random.default_rng(0).random(shape) > 0.9, tf.float32)
    options = tf.data.Options()
    options.autotune.enabled = False  # the autotuner sleeps for seconds on a new iterator
    batch = (images, images) if pairs else images
    batches = tf.data.Dataset.from_tensors(batch).repeat().with_options(options)

    def piece(gate, control):
        model = make(gate, control, arguments)
        fitting = {"steps_per_epoch": arguments.n_steps, "verbose": 0, "shuffle": False}
        return lambda: model.fit(batches, **fitting)

    found = configurations(arguments)
    return measure({name: piece(*pair) for name, pair in found.items()}, arguments)


def ratios(times, arguments):
    """CPU time of each gate beside dense, and of each control beside its gate, pair by pair."""
    bases = {name: "dense" for name in times if name.startswith("gated: ")}
    bases |= {name: of_gate(BUSY[name]()) for name in arguments.controls}
    return {
        f"{name} / {base}": [
            a / b for a, b in zip(times[name]["cpu_ms"], times[base]["cpu_ms"], strict=True)
        ]
        for name, base in bases.items()
    }


def on_jax(arguments):
    """What a process of the JAX backend measures of the autoencoder."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "jax.json"
        sizes = ("batch_size", "image_size", "n_steps", "n_rounds", "n_threads")
        options = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in sizes]
        command = [sys.executable, __file__, *options, f"--out={out}", "--parts", "steps"]
        command += ["--controls", *arguments.controls]
        subprocess.run(command, env={**os.environ, "KERAS_BACKEND": "jax"}, check=True)
        return json.loads(out.read_text())["times"]


# Densities


def dsprites_run(control, seed, n_steps, arguments):
    """A VAE trained on dSprites at 32 pixels, and the loss of its last 100 steps."""
    gate = control and control.default_gate()
    model = sv.models.conv_vae((32, 32, 1), gate=gate, control=control, seed=seed)
    model.compile(keras.optimizers.Adam(1e-3))
    return trained(model, dsprites_batches(seed, arguments), n_steps)


def dsprites_batches(seed, arguments):
    """Batches without an end."""
    data = sv.data.load("dsprites", image_size=32)
    return data.as_tf_dataset(arguments.batch_size, seed=seed)


def digits_run(control, seed, n_steps, arguments):
    """A dense classifier trained on digits, and the loss of its last 100 steps."""
    keras.utils.set_random_seed(seed)
    h = inputs = keras.Input((64,))
    for units in (256, 128):
        h = keras.layers.Dense(units, activation="relu")(h)
    model = keras.Model(inputs, keras.layers.Dense(10)(h))
    model = sv.sparsify(model, control=control) if control else model
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return trained(model, digits_batches(seed, arguments), n_steps)


def digits_batches(seed, arguments):
    """Batches without an end."""
    x, y = load_digits(return_X_y=True)
    batches = tf.data.Dataset.from_tensor_slices((x / 16, y)).shuffle(len(x), seed=seed)
    return batches.batch(arguments.batch_size).repeat()


def trained(model, batches, n_steps):
    """The model, and its mean loss over the last 100 of the steps, of training data."""
    model.fit(batches, steps_per_epoch=n_steps - 100, verbose=0)
    loss = model.fit(batches.skip(n_steps - 100), steps_per_epoch=100, verbose=0).history["loss"]
    return model, loss[0]


def densities(arguments):
    """A row for each data set, control, target and seed."""
    rows = []
    for data, run in (("dsprites", dsprites_run), ("digits", digits_run)):
        for name in (name for name in EXACT if name in arguments.controls):
            for target in arguments.targets:
                for seed in range(arguments.n_seeds):
                    control = getattr(sv.sparsity, name).over(target, arguments.n_density_steps)
                    model, _ = run(control, seed, arguments.n_density_steps, arguments)
                    found = model.gate_logs()["density"]
                    row = {"data": data, "control": name, "target": target, "seed": seed}
                    rows.append({**row, "density": found, "error": abs(found - target)})
            keras.backend.clear_session()
    return rows


def bounds(arguments):
    """A row for each data set, bound and seed; bounds are shares of a dense run's loss and more."""
    rows = []
    n_steps = arguments.n_bound_steps
    runs = ("dsprites", dsprites_run, dsprites_batches), ("digits", digits_run, digits_batches)
    for data, run, batches_of in runs:
        for seed in range(arguments.n_seeds):
            _, dense = run(None, seed, n_steps, arguments)
            for more in arguments.losses_more:
                bound = dense + (more * dense if data == "dsprites" else more)
                control = sv.sparsity.Distortion.over(bound, n_steps)
                model, _ = run(control, seed, n_steps, arguments)
                row = {"data": data, "seed": seed, "dense": dense, "bound": bound}
                row["loss"] = float(model.control.loss.value)  # smoothed, without the price
                batches = batches_of(seed, arguments).take(N_EVALUATED)
                row["used"] = model.evaluate(batches, verbose=0, return_dict=True)["loss"]
                rows.append({**row, "density": model.gate_logs()["density"]})
            keras.backend.clear_session()
    return rows


# All


def main():
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.n_threads)
    times = {}
    if "steps" in arguments.parts:
        backend = keras.backend.backend()
        if backend == "tensorflow":
            times["VAE, tensorflow"] = step_times(vae, arguments, pairs=False)
        times[f"autoencoder, {backend}"] = step_times(plain, arguments, pairs=True)
    if "jax steps" in arguments.parts:
        times |= on_jax(arguments)
    rows = densities(arguments) if "densities" in arguments.parts else []
    bounded = bounds(arguments) if "bounds" in arguments.parts else []
    beside = {model: ratios(found, arguments) for model, found in times.items()}
    if keras.backend.backend() == "tensorflow":
        report(times, beside, rows, bounded)
    packages = ("keras", "tensorflow", "jax", "numpy")
    result.write(arguments, packages, times=times, ratios=beside, densities=rows, bounds=bounded)


def report(times, beside, rows, bounded):
    """Prints the tables."""
    for model, found in times.items():
        print(f"{model + ': min, median, max':48} CPU ms/step              wall ms/step")
        for name, kinds in found.items():
            print(f"  {name:44} {spread(kinds['cpu_ms'])}  {spread(kinds['wall_ms'])}")
        for name, values in beside[model].items():
            print(f"  {name:44} {spread(values)}  CPU time, pair by pair")
    for data in dict.fromkeys(row["data"] for row in rows):
        for control in dict.fromkeys(row["control"] for row in rows):
            errors = [r["error"] for r in rows if (r["data"], r["control"]) == (data, control)]
            n, most = len(errors), max(errors)
            print(f"|density - target|, {data}, {control}: {n} runs, at most {most:.5f}", end="")
            print(f", median {statistics.median(errors):.5f}")
    for row in bounded:
        print("{data:9} seed {seed}: dense {dense:.4f}, bound {bound:.4f}, ".format(**row), end="")
        print("loss {loss:.4f}, as used {used:.4f}, density {density:.4f}".format(**row))


if __name__ == "__main__":
    main()
