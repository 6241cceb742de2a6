"""Time of a training step: dense and gated conv VAE, interleaved in one process.

`python benchmarks/training.py --out benchmarks/results/training.json` writes what it measured and
prints it. CPU time (user + system, all threads) is the figure to compare on a shared machine.
PyTorch's eager step on the same network joins in where torch is installed. `objectives.py` beside
this file measures the step of each objective.
"""

import dataclasses
import os
import statistics
import time
from importlib import util
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import result
import tensorflow as tf
import tyro

import sparsevae as sv

IMAGE_SHAPE = (64, 64, 1)
MULTIPLICATIONS = 13.9e6  # of one image's forward pass


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    gates: tuple[str, ...] = ("none", "hard_concrete")
    """Gates, `none` for stock layers."""
    phases: tuple[str, ...] = ("open", "learning", "frozen")
    """Phases of the gates' control to measure each gate in."""
    precisions: tuple[str, ...] = ("float32", "mixed_bfloat16")
    jit: tuple[bool, ...] = (False,)
    """Values of jit_compile."""
    executions: tuple[int, ...] = (1,)
    """Values of steps_per_execution."""
    batch_size: int = 64
    n_steps: int = 40
    """Steps in one timed piece."""
    n_rounds: int = 7
    """Timed pieces of each configuration, interleaved."""
    n_threads: int = 2
    torch: bool = True
    """Measure PyTorch too, where it is installed."""
    out: Path = Path("benchmarks/results/training.json")


PHASES = {  # ramp and freeze of a control that stays in the phase
    "open": {"ramp": (10**8, 10**8)},
    "learning": {"ramp": (0, 10**6)},
    "frozen": {"ramp": (0, 0), "freeze": 0},
}


def keras_step(gate, phase, precision, jit, executions, arguments, images):
    """A function that trains n_steps steps; gates stay in one phase."""
    keras.config.set_dtype_policy(precision)
    gated = None if gate == "none" else gate
    control = None if gated is None else sv.sparsity.Strength(100.0, **PHASES[phase])
    vae = sv.models.conv_vae(IMAGE_SHAPE, gate=gated, control=control)
    vae.compile(keras.optimizers.Adam(1e-4), jit_compile=jit, steps_per_execution=executions)
    batches = tf.data.Dataset.from_tensors(images).repeat()
    options = tf.data.Options()
    options.autotune.enabled = False  # the autotuner sleeps for seconds on a new iterator
    batches = batches.with_options(options)
    return lambda: vae.fit(batches, steps_per_epoch=arguments.n_steps, verbose=0)


def torch_step(precision, arguments, images):
    """PyTorch's eager Adam step on the same network."""
    import torch
    from torch import nn

    torch.set_num_threads(arguments.n_threads)

    def conv(n_in, n_out, size):
        return [nn.Conv2d(n_in, n_out, size, 2, padding=size // 2 - 1), nn.ReLU()]

    def deconv(n_in, n_out):
        return [nn.ConvTranspose2d(n_in, n_out, 4, 2, padding=1), nn.ReLU()]

    encoder = nn.Sequential(
        *conv(1, 32, 4), *conv(32, 32, 4), *conv(32, 64, 2), *conv(64, 64, 2),
        nn.Flatten(), nn.Linear(1024, 256), nn.ReLU(), nn.Linear(256, 20),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU(), nn.Unflatten(1, (64, 4, 4)),
        *deconv(64, 64), *deconv(64, 32), *deconv(32, 32), *deconv(32, 1)[:1],
    )  # fmt: skip
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-4)
    x = torch.tensor(images.numpy()).permute(0, 3, 1, 2).contiguous()
    cast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed_bfloat16")

    def steps():
        for _ in range(arguments.n_steps):
            optimizer.zero_grad()
            with cast:
                mean, log_var = encoder(x).float().chunk(2, dim=1)
                z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)
                logits = decoder(z).float()
            fit = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            kl = 0.5 * (mean**2 + log_var.exp() - log_var - 1).sum()
            ((fit + kl) / len(x)).backward()
            optimizer.step()

    return steps


def matmul_peak(precision):
    """GFLOP/s of a large matrix product."""
    dtype = tf.bfloat16 if "bfloat16" in precision else tf.float32
    a = tf.cast(tf.random.normal((2048, 2048)), dtype)
    product = tf.function(lambda a: tf.matmul(a, a))
    product(a)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        product(a)
        seconds.append(time.perf_counter() - start)
    return 2 * 2048**3 / min(seconds) / 1e9


def measure(pieces, arguments):
    """CPU and wall ms per step of each configuration, by round."""
    times = {name: {"cpu_ms": [], "wall_ms": []} for name in pieces}
    for piece in pieces.values():
        piece()  # compiles
    for _ in range(arguments.n_rounds):
        for name, piece in pieces.items():
            cpu, wall = time.process_time(), time.perf_counter()
            piece()
            times[name]["cpu_ms"].append((time.process_time() - cpu) / arguments.n_steps * 1e3)
            times[name]["wall_ms"].append((time.perf_counter() - wall) / arguments.n_steps * 1e3)
    return times


def spread(values):
    """Minimum, median and maximum as text."""
    return f"{min(values):7.2f} {statistics.median(values):7.2f} {max(values):7.2f}"


def main():
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.n_threads)
    images = tf.constant(
        np.random.default_rng(0).random((arguments.batch_size, *IMAGE_SHAPE)) > 0.9
    )
    images = tf.cast(images, tf.float32)
    pieces = {}
    for precision in arguments.precisions:
        for jit in arguments.jit:
            for executions in arguments.executions:
                run = (precision, jit, executions, arguments, images)
                for gate in arguments.gates:
                    for phase in ("dense",) if gate == "none" else arguments.phases:
                        name = f"{gate}/{phase} {precision} jit={jit} executions={executions}"
                        pieces[name] = keras_step(gate, phase, *run)
        if arguments.torch and util.find_spec("torch"):
            pieces[f"torch {precision}"] = torch_step(precision, arguments, images)
    times = measure(pieces, arguments)
    peaks = {precision: matmul_peak(precision) for precision in arguments.precisions}
    report(times, peaks, arguments)


def report(times, peaks, arguments):
    """Prints the tables and writes the file."""
    print(f"{'min, median, max':56} CPU ms/step              wall ms/step")
    for name, found in times.items():
        print(f"{name:52} {spread(found['cpu_ms'])}  {spread(found['wall_ms'])}")
    ratios = {}
    for name, found in times.items():
        gate, _, rest = name.partition(" ")
        base = times.get(f"none/dense {rest}")
        if base and gate not in ("none/dense", "torch"):
            pairs = zip(found["cpu_ms"], base["cpu_ms"], strict=True)
            ratios[f"{name} / dense"] = [a / b for a, b in pairs]
    for name, values in ratios.items():
        print(f"{name:52} {spread(values)}  CPU time, pair by pair")
    flops = 6 * MULTIPLICATIONS * arguments.batch_size
    for precision, peak in peaks.items():
        walls = [
            min(t["wall_ms"]) for n, t in times.items() if n.startswith(f"none/dense {precision}")
        ]
        share = flops / (min(walls) / 1e3) / 1e9 / peak if walls else float("nan")
        print(f"matmul peak {precision}: {peak:.0f} GFLOP/s; dense step reaches {share:.0%} of it")
    packages = ("keras", "tensorflow", "numpy")
    result.write(arguments, packages, times=times, ratios=ratios, matmul_gflops=peaks)


if __name__ == "__main__":
    main()
