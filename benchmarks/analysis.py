"""Time of the analyses of one model: `python benchmarks/analysis.py`.

A `conv_vae` of dSprites with a twentieth of its links, as `scripts/analyze.py` looks at it: the
factor Jacobian, the layer profile, wiring and the decoder's derivatives, each `--n-rounds` times
in turn; wall and CPU seconds as min, median, max.
"""

import dataclasses
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import result
import tensorflow as tf
import tyro

import sparsevae as sv
from sparsevae.study.one.analyses import analyzed
from sparsevae.study.settings import ANALYSES


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    analyses: tuple[str, ...] = ANALYSES
    image_sizes: tuple[int, ...] = (32, 64)
    density: float = 0.05
    n_rounds: int = 5
    n_threads: int = 2
    out: Path = Path("benchmarks/results/analysis.json")


def measure(arguments: Arguments) -> list[dict]:
    """A row for each size and analysis."""
    rows = []
    for size in arguments.image_sizes:
        data = sv.data.load("dsprites", image_size=size)
        vae = sv.models.conv_vae(data.image_shape, gate="pruned")
        sv.sparsity.at_start.random(vae, arguments.density)
        found = {name: {"wall": [], "cpu": []} for name in arguments.analyses}
        for _ in range(arguments.n_rounds):
            for name in arguments.analyses:
                wall, cpu = time.perf_counter(), time.process_time()
                analyzed(vae, data, [name])
                found[name]["wall"].append(time.perf_counter() - wall)
                found[name]["cpu"].append(time.process_time() - cpu)
        rows += [{"image_size": size, "analysis": name, **times} for name, times in found.items()]
    return rows


def main() -> None:
    """Measures, prints, writes."""
    arguments = tyro.cli(Arguments, description=__doc__)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.n_threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.n_threads)
    rows = measure(arguments)
    for row in rows:
        shown = []
        for clock in ("wall", "cpu"):
            values = row[clock]
            low, middle, high = min(values), statistics.median(values), max(values)
            shown.append(f"{clock} {low:6.2f} {middle:6.2f} {high:6.2f} s")
        print(f"{row['image_size']:3} {row['analysis']:16} {'   '.join(shown)}")
    result.write(arguments, ("keras", "tensorflow", "numpy", "scipy"), analyses=rows)


if __name__ == "__main__":
    main()
