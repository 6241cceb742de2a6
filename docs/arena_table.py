"""The table of docs/gates.md from the runs of studies/arena.toml.

`python docs/arena_table.py runs/arena` prints it: each method beside the dense runs of its seeds.
"""

import sys
from pathlib import Path

import pandas as pd

import sparsevae as sv

SHOWN = {
    "active": ("active_latents", 1),
    "effective density": ("effective_density", 4),
    "MIG": ("score_mig", 3),
    "DCI-D": ("score_dci_fast_disentanglement", 3),
}


def method(row: pd.Series) -> str:
    """What closed the links of a run."""
    if row.gate == "none":
        return "dense" if row.objective == "beta_vae" else row.objective.replace("_", " ")
    if row.gate == "l1_weights":
        return "L1 on weights"
    return row.gate.replace("_", " ") if row.gate != "pruned" else row.control.replace("_", " ")


def spread(values: pd.Series, digits: int) -> str:
    """Mean and standard deviation, which one run has not."""
    if values.isna().any() or not len(values):
        return ""
    text = f"{values.mean():.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return text if len(values) == 1 else f"{text} ± {values.std():.{digits}f}"


def rows(runs: pd.DataFrame):
    """Rows of one β, dense first, then by loss."""
    dense = runs[runs.method == "dense"].set_index("seed").elbo
    found = []
    for name, group in runs.groupby("method"):
        group = group.set_index("seed")
        lost = (dense - group.elbo) / dense.abs() * 100
        row = {"runs": len(group), "ELBO": spread(group.elbo, 2)}
        row |= {"% lost": "" if name == "dense" else spread(lost.dropna(), 1)}
        row |= {title: spread(group[column], digits) for title, (column, digits) in SHOWN.items()}
        found.append((name != "dense", lost.mean(), {"method": name, **row}))
    return [row for *_, row in sorted(found, key=lambda item: item[:2])]


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += [f"| {' | '.join(map(str, row))} |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def main() -> None:
    """Prints Markdown."""
    runs = sv.records.read_records(Path(sys.argv[1]))
    runs["method"] = runs.apply(method, axis=1)
    for beta, group in runs.groupby("beta"):
        table = pd.DataFrame(rows(group))
        print(f"\nβ = {beta:g}\n\n{markdown(table)}")


if __name__ == "__main__":
    main()
