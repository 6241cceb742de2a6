"""How much faster a compacted encoder and decoder are, in five runtimes.

`python benchmarks/compact.py` makes models of dSprites' `conv_vae` with shares of their links:
`hand-cut`, with all hidden widths times the root of the share; `channel gates`, trained to that
share of channels; `link gates`, trained to that share of links. Each is compacted and written for
each runtime into `--folder`, where the next call finds it. Then all are timed, interleaved; the
table and `benchmarks/results/compact.json` have ratios to the dense network of each round.
`--parts models` only makes them, `--parts resnet` times `compact` itself on a ResNet50.
"""

import dataclasses
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import result
import tensorflow as tf
import tyro
from runtimes import CALLS, FILES

import sparsevae as sv
from sparsevae import records

WAYS = ("hand-cut", "channel gates", "link gates")
NETWORKS = ("encoder", "decoder")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    parts: tuple[str, ...] = ("speed", "resnet")
    ways: tuple[str, ...] = WAYS
    shares: tuple[float, ...] = (0.5, 0.25, 0.1, 0.05)
    """Of the links that are left."""
    multiples: tuple[int, ...] = (1, 8)
    """Values of `multiple_of`."""
    runtimes: tuple[str, ...] = tuple(FILES)
    batch_sizes: tuple[int, ...] = (1, 256)
    n_steps: int = 1_000
    """Training steps of models with gates."""
    n_rounds: int = 9
    """Timed pieces of each network, interleaved."""
    seconds: float = 0.05
    """Least length of a timed piece."""
    n_threads: int = 2
    folder: Path = Path("runs/benchmark_compact")
    out: Path = Path("benchmarks/results/compact.json")


# Models


def hand_cut(share: float, arguments: Arguments) -> sv.SparseVAE:
    """Untrained, with the first channels of each hidden layer; latents and image are whole."""
    vae = sv.models.conv_vae((64, 64, 1), gate="pruned", granularity="channels")
    for layer in vae.gated_layers[:-1]:
        n = layer.gate.mask_shape[-1]
        if n == vae.latent_dim:
            continue
        width = min(n, 64) if layer.name == "decoder_dense_2" else n  # 64 channels of 4 x 4
        kept = np.arange(n) % width < max(1, round(width * math.sqrt(share)))
        layer.gate.open.assign(np.reshape(kept, layer.gate.mask_shape))
    return vae


def trained(share: float, granularity: str, arguments: Arguments) -> sv.SparseVAE:
    """With gates that learn which of their kind stay.

    Channels have their target in each layer, as hand-cut ones do: over the whole model gates close
    dense layers first, which hold the parameters, and the time is spent in convolutions.
    """
    channels = granularity == "channels"
    control = sv.sparsity.TargetDensity.over(
        math.sqrt(share) if channels else share,
        arguments.n_steps,
        scope="layer" if channels else "model",
        granularity=granularity,
    )
    gate = sv.gates.Binary(estimator="threshold")
    data = sv.data.load("dsprites")
    vae = sv.models.conv_vae((64, 64, 1), gate=gate, granularity=granularity, control=control)
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.fit(data.as_tf_dataset(64), steps_per_epoch=arguments.n_steps, verbose=2)
    return vae


MAKERS: dict[str, Callable[[float, Arguments], sv.SparseVAE]] = {
    "hand-cut": hand_cut,
    "channel gates": lambda share, arguments: trained(share, "channels", arguments),
    "link gates": lambda share, arguments: trained(share, "links", arguments),
}


def models(arguments: Arguments) -> list[str]:
    """Makes what is not there yet; names of all, the dense one first."""
    write("dense", lambda: sv.models.conv_vae((64, 64, 1)), arguments)
    names = ["dense"]
    for way in arguments.ways:
        for share in arguments.shares:
            gated = made_once(way, share, arguments)
            for multiple in arguments.multiples:
                name = f"{way}, {share:g}" + (f", multiples of {multiple}" * (multiple > 1))
                write(name, lambda n=multiple, path=gated: sv.compact(loaded(path), n), arguments)
                names.append(name)
    return names


def made_once(way: str, share: float, arguments: Arguments) -> Path:
    """The file of a gated model."""
    folder = arguments.folder / f"gated {way} {share:g}"
    if not folder.exists():
        with records.atomic_folder(folder) as temporary:
            MAKERS[way](share, arguments).save(temporary / "model.keras")
    return folder / "model.keras"


def loaded(path: Path) -> keras.Model:
    """A model of this benchmark."""
    return keras.saving.load_model(path)


def write(name: str, make: Callable[[], sv.SparseVAE], arguments: Arguments) -> None:
    """Both networks for each runtime, unless they are there."""
    if (arguments.folder / name).exists():
        return
    print(f"writing {name}", flush=True)
    with records.atomic_folder(arguments.folder / name) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae = make()
        for part in NETWORKS:
            network = getattr(vae, part)
            network(np.zeros((1, *network.inputs[0].shape[1:]), "float32"))  # for Keras's ONNX
            (temporary / part).mkdir()
            network.save(temporary / part / FILES["keras"])
            for runtime in FILES.keys() - {"keras"}:
                path = temporary / part / FILES[runtime]
                network.export(str(path), format=runtime, verbose=False)


# Speed


def speed(arguments: Arguments) -> list[dict]:
    """A row for each model, network, runtime and batch: times, and ratios round by round."""
    names = models(arguments)
    rows = []
    for part in NETWORKS:
        sizes = {name: sizes_of(arguments.folder / name / part) for name in names}
        for runtime in arguments.runtimes:
            paths = {name: arguments.folder / name / part / FILES[runtime] for name in names}
            calls = {name: CALLS[runtime](p, arguments.n_threads) for name, p in paths.items()}
            for size in arguments.batch_sizes:
                times = interleaved(calls, batch_for(part, size), arguments)
                for name, found in times.items():
                    beside = [a / b for a, b in zip(times["dense"], found, strict=True)]
                    row = {"network": part, "runtime": runtime, "batch": size, "model": name}
                    rows.append({**row, **sizes[name], "ms": found, "speed_up": beside})
            print(f"timed {part} in {runtime}", flush=True)
    return rows


def sizes_of(folder: Path) -> dict[str, float]:
    """FLOPs and parameters of a network."""
    network = loaded(folder / FILES["keras"])
    flops = float(sv.sparsity.report(network).table.flops.sum(skipna=False))
    return {"flops": flops, "parameters": network.count_params()}


def batch_for(part: str, size: int) -> np.ndarray:
    """Images with some white, or codes."""
    rng = np.random.default_rng(0)
    if part == "decoder":
        return rng.standard_normal((size, 10), np.float32)
    return (rng.random((size, 64, 64, 1)) > 0.9).astype("float32")


def interleaved(calls: dict, batch: np.ndarray, arguments: Arguments) -> dict[str, list[float]]:
    """Milliseconds a call of each, by round."""
    repeats = {}
    for name, call in calls.items():
        call(batch)  # compiles
        repeats[name] = max(1, round(arguments.seconds * 1e3 / milliseconds(call, batch, 2)))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(arguments.n_rounds):
        for name, call in calls.items():
            times[name].append(milliseconds(call, batch, repeats[name]))
    return times


def milliseconds(call: Callable, batch: np.ndarray, n: int) -> float:
    """Mean time of n calls."""
    begin = time.perf_counter()
    for _ in range(n):
        call(batch)
    return (time.perf_counter() - begin) * 1e3 / n


def report(rows: list[dict], arguments: Arguments) -> None:
    """Prints a table for each network and batch: median speed-up in each runtime."""
    for part in NETWORKS:
        for size in arguments.batch_sizes:
            here = [row for row in rows if (row["network"], row["batch"]) == (part, size)]
            print(f"\n{part}, batch {size}")
            head = "".join(f"{name:>16}" for name in arguments.runtimes)
            print(f"{'':40}{'FLOPs':>8}{'params':>8}{head}")
            dense = next(row for row in here if row["model"] == "dense")
            for name in dict.fromkeys(row["model"] for row in here):
                found = {row["runtime"]: row for row in here if row["model"] == name}
                sizes = next(iter(found.values()))
                cells = [dense[key] / sizes[key] for key in ("flops", "parameters")]
                line = "".join(f"{cell:8.1f}" for cell in cells)
                for runtime in arguments.runtimes:
                    row = found[runtime]
                    ms, ratio = (statistics.median(row[key]) for key in ("ms", "speed_up"))
                    line += f"{ms:9.3f} {ratio:5.2f}x"
                print(f"{name:40}{line}")


# compact itself


def resnet() -> dict[str, float]:
    """Seconds that `compact` takes for a ResNet50 with half of its channels, and parameters."""
    model = keras.applications.ResNet50(weights=None)
    control = sv.sparsity.FixedMask(granularity="channels")
    sparse = sv.sparsify(model, where=lambda layer: layer.name != "predictions", control=control)
    sv.sparsity.at_start.random(sparse, 0.5)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        small = sv.compact(sparse)
        seconds.append(time.perf_counter() - begin)
    found = {"parameters": model.count_params(), "parameters_after": small.count_params()}
    return {"seconds": seconds, **found}


def main() -> None:
    """Makes models, measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.n_threads)
    if "models" in arguments.parts:
        models(arguments)
    rows = speed(arguments) if "speed" in arguments.parts else []
    if rows:
        report(rows, arguments)
    whole = resnet() if "resnet" in arguments.parts else {}
    print(whole)
    packages = ("keras", "tensorflow", "onnxruntime", "ai-edge-litert", "openvino", "numpy")
    result.write(arguments, packages, speed=rows, resnet=whole)


if __name__ == "__main__":
    main()
