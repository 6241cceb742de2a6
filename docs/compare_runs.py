"""Table and histories of several runs: `python docs/compare_runs.py docs/images/NAME.png RUN ...`.

The first run is the one that the others are compared with.
"""

import sys
from pathlib import Path

import pandas as pd

from sparsevae import plots, records


def main(picture: str, *folders: str) -> None:
    """Prints a Markdown table and writes the histories as one picture."""
    found = {Path(folder).name: records.read_record(folder) for folder in folders}
    base = next(iter(found.values()))["elbo"]
    print("| run | strength | ELBO | of the first's | KL | active latents | links open | MIG |")
    print("|---|---|---|---|---|---|---|---|")
    for name, record in found.items():
        strength = record["settings"]["strength"] if "density" in record else "–"
        print(
            f"| {name} | {strength} | {record['elbo']:.2f} | {record['elbo'] / base - 1:+.1%} "
            f"| {record['kl']:.2f} | {record['active_latents']:.0f} "
            f"| {record.get('density', 1.0):.3f} | {record['scores']['mig']:.3f} |"
        )
    histories = {Path(f).name: pd.read_csv(Path(f) / "history.csv") for f in folders}
    plots.history(histories).savefig(picture)


if __name__ == "__main__":
    main(*sys.argv[1:])
