"""The table of docs/compaction.md: trained VAEs before and after `sv.compact`.

`python docs/compaction_table.py runs/A runs/B` prints it. ELBOs are of the same 10,000 images of
each run's data, codes of 1,000; times are of `predict_on_batch`, so they need a quiet machine.
"""

import sys
from pathlib import Path

import numpy as np

import sparsevae as sv
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.scoring import load_run
from sparsevae.study.settings import RunSettings

HEAD = ("", "parameters", "FLOPs", "ms, batch 1", "ms, batch 256", "ELBO", "largest difference")


def elbo(vae: sv.SparseVAE, data: sv.data.ImageData) -> float:
    """In nats per image."""
    vae.compile("adam")
    batches = data.as_tf_dataset(250, seed=2**20)
    return vae.evaluate(batches, steps=40, verbose=0, return_dict=True)["elbo"]


def rows(folder: Path):
    """Cells of both networks of a run."""
    vae, record = load_run(folder)
    data = load_data(RunSettings(**record["settings"]), record["data_source"])
    small = sv.compact(vae)
    elbos = f"{elbo(vae, data):.4f} → {elbo(small, data):.4f}"
    images = data.images(np.random.default_rng(0).integers(0, len(data), 1000))
    codes = np.abs(vae.codes(images) - small.codes(images)).max()
    name = f"{folder.name}, density {record.get('density', 1):.3g}"
    yield f"**{name}**", "", "", "", "", elbos, f"codes {codes:.1e}"
    for part in ("encoder", "decoder"):
        found = sv.sparsity.compare(getattr(vae, part), getattr(small, part))
        cells = []
        for row, digits in (
            ("parameters", 0),
            ("flops", 0),
            ("ms, batch 1", 2),
            ("ms, batch 256", 1),
        ):
            before, after, ratio = found.totals.loc[row]
            cells.append(f"{before:,.{digits}f} → {after:,.{digits}f} ({ratio:.1f}×)")
        yield part, *cells, "", f"{found.largest_difference:.1e}"


def main() -> None:
    """Prints Markdown."""
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    for folder in map(Path, sys.argv[1:]):
        for row in rows(folder):
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
