"""Images a second that data sets deliver, beside what the fastest training step takes.

`python benchmarks/data.py --out benchmarks/results/data.json` writes what it measured and prints
it. All pieces are interleaved. Each set is read in order, at random and through `as_tf_dataset`;
the step is the dense `conv_vae` in bfloat16, fed with one constant batch or by a pipeline.
"""

import dataclasses
import functools
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import result
import tyro

from sparsevae import data
from sparsevae.data.array import GridArray, MappedArray
from sparsevae.data.render.dsprites import render_packed


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    batch_sizes: tuple[int, ...] = (64, 1024)
    n_images: int = 8_192
    """Images in one timed piece, rounded up to whole batches."""
    n_steps: int = 20
    """Training steps in one timed piece."""
    n_rounds: int = 5
    """Timed pieces of each kind, interleaved."""
    out: Path = Path("benchmarks/results/data.json")


def packed_dsprites():
    """dSprites as read from its file: one bit a pixel, in memory."""
    rendered = data.DSprites()
    rows = [
        render_packed(rendered.factors(np.arange(start, start + 4096)))
        for start in range(0, len(rendered), 4096)
    ]
    space, shape = rendered.factor_space, rendered.image_shape
    return data.PackedData("dsprites", "file", space, shape, np.concatenate(rows))


def mapped_shapes3d():
    """Shapes3D in a mapped file of 5.9 GB, of zeros that take no room: the disk is left out."""
    rendered = data.Shapes3D()
    path = Path(tempfile.gettempdir()) / f"sparsevae-benchmark-{os.getpid()}.bin"
    shape = (len(rendered), *rendered.image_shape)
    with open(path, "wb") as file:
        file.truncate(int(np.prod(shape, dtype=np.int64)))
    rows = MappedArray(path, shape)
    path.unlink()  # the map keeps it
    return GridArray("shapes3d", "file", rendered.factor_space, rows)


SETS = {
    "toy": data.Toy,
    "mechanisms": data.BlockMechanisms,
    "dsprites": data.DSprites,
    "dsprites 32": functools.partial(data.DSprites, 32),
    "dsprites 128": functools.partial(data.DSprites, 128),
    "dsprites packed": packed_dsprites,
    "shapes3d": data.Shapes3D,
    "shapes3d 32": functools.partial(data.Shapes3D, 32),
    "shapes3d 128": functools.partial(data.Shapes3D, 128),
    "shapes3d mapped": mapped_shapes3d,
}
FED = ("dsprites", "shapes3d")  # sets that a training step is measured with


def resident(name):
    """MB that building a set and reading 10,000 random images adds to a process, at its peak."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    images = SETS[name]()
    rng = np.random.default_rng(0)
    for _ in range(100):
        images.images(images.draw(100, rng))
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / scale


def reading(images, batch_size, n_batches, in_order):
    """A function that reads n_batches from a set."""
    rng = np.random.default_rng(0)

    def read():
        for k in range(n_batches):
            if in_order:
                indices = np.arange(k * batch_size, (k + 1) * batch_size) % len(images)
            else:
                indices = images.draw(batch_size, rng)
            images.images(indices)

    return read


def streaming(images, batch_size, n_batches):
    """A function that takes n_batches from the pipeline of a set, started anew each time."""
    # Finite, so that nothing is prefetched while others are timed.
    batches = images.as_tf_dataset(batch_size).take(n_batches)

    def take():
        for _ in batches:
            pass

    return take


def training(images, n_steps, fed):
    """A function that trains n_steps steps at batch 64, fed by the set or with one batch of it."""
    import keras
    import tensorflow as tf

    import sparsevae as sv

    keras.config.set_dtype_policy("mixed_bfloat16")
    vae = sv.models.conv_vae(images.image_shape)
    vae.compile(keras.optimizers.Adam(1e-4), jit_compile=False)
    batches = images.as_tf_dataset()
    if not fed:
        options = tf.data.Options()
        options.autotune.enabled = False  # the autotuner sleeps for seconds on a new iterator
        batches = tf.data.Dataset.from_tensors(next(iter(batches))).repeat().with_options(options)
    return lambda: vae.fit(batches, steps_per_epoch=n_steps, verbose=0)


def pieces(arguments):
    """What to time: name -> function, number of images it delivers."""
    found = {}
    for name, make in SETS.items():
        images = make()
        for size in arguments.batch_sizes:
            n = -(-arguments.n_images // size)
            for way, piece in (
                ("in order", reading(images, size, n, in_order=True)),
                ("at random", reading(images, size, n, in_order=False)),
                ("pipeline", streaming(images, size, n)),
            ):
                found[f"{name}, {way}, batch {size}"] = piece, n * size
        if name in FED:
            for fed in (False, True):
                step = training(images, arguments.n_steps, fed)
                way = "fed" if fed else "constant batch"
                found[f"{name}, training step, {way}"] = step, 64 * arguments.n_steps
    return found


def measure(timed, n_rounds):
    """Images a second by the clock and a CPU second (all threads), by round."""
    rates = {name: {"per_s": [], "per_cpu_s": []} for name in timed}
    for piece, _ in timed.values():
        piece()  # compiles, and renders the tables
    for _ in range(n_rounds):
        for name, (piece, n_images) in timed.items():
            cpu, wall = time.process_time(), time.perf_counter()
            piece()
            rates[name]["per_cpu_s"].append(n_images / (time.process_time() - cpu))
            rates[name]["per_s"].append(n_images / (time.perf_counter() - wall))
    return rates


def main():
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        memory = {name: pool.apply(resident, (name,)) for name in SETS}
    rates = measure(pieces(arguments), arguments.n_rounds)
    print(f"{'images/s: min, median, max':44} by the clock                a CPU second")
    for name, found in rates.items():
        columns = [f"{f(v):10,.0f}" for v in found.values() for f in (min, statistics.median, max)]
        print(f"{name:44}{''.join(columns)}")
    for name, size in memory.items():
        print(f"{name:44}{size:10,.0f} MB resident")
    result.write(
        arguments,
        ("keras", "tensorflow", "numpy"),
        load=os.getloadavg(),
        images_per_s=rates,
        resident_mb=memory,
    )


if __name__ == "__main__":
    main()
