"""Inside dense and sparse models of a study: `python docs/inside_table.py runs/NAME`.

Prints Markdown: ELBO, MIG, axis-alignment gain and the rotation index of some layers of each
method, and differences from the dense runs of the same seeds, with 95 % intervals and corrected
p-values. Runs whose record has no analyses are analyzed first (half a minute each), into their
`analysis.json`.
"""

import sys
from pathlib import Path

import pandas as pd
from arena_table import markdown, method
from tqdm import tqdm

import sparsevae as sv
from sparsevae.study.one.analyses import FILE_NAME, analyze

LAYERS = ("encoder_dense_5", "encoder_z_mean", "decoder_dense_1", "decoder_dense_2")
LAYERS += ("decoder_deconv_3", "decoder_deconv_4")
VALUES = {"elbo": "ELBO", "mig": "MIG", "gain": "gain"} | {
    layer: f"rotation, {layer.partition('_')[2]}" for layer in LAYERS
}


def numbers(folder: Path) -> dict:
    """Numbers of the analyses of one run."""
    record = sv.records.read_record(folder)
    if "analyses" in record:
        return record["analyses"]
    if not (folder / FILE_NAME).exists():
        analyze(folder, ["factor_jacobian", "layer_profile"])
    content = sv.records.read_json(folder / FILE_NAME)
    return {name: one["numbers"] for name, one in content["analyses"].items()}


def row(folder: Path) -> dict:
    """What the table shows of one run."""
    record = sv.records.read_record(folder)
    settings, found = pd.Series(record["settings"]), numbers(folder)
    rotation = found["layer_profile"]["rotation"]
    return {
        **{"seed": settings.seed, "beta": settings.beta, "method": method(settings)},
        **{"elbo": record["elbo"], "mig": record["scores"]["mig_active"]},
        **{"gain": found["factor_jacobian"]["gain_active"]},
        **{layer: rotation[layer] for layer in LAYERS},
    }


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds."""
    rows = []
    for name, group in runs.groupby("method", sort=False):
        cells = [f"{group[v].mean():.3f} ± {group[v].std():.3f}" for v in VALUES]
        rows.append([name, str(len(group)), *cells])
    return pd.DataFrame(rows, columns=["method", "runs", *VALUES.values()])


def differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Difference from the dense twin, its interval, and p after correction."""
    found = sv.analysis.paired(runs, by="method", against="dense", value=list(VALUES), test="t")
    rows = []
    for name, group in found.groupby("method", sort=False):
        cells = [
            f"{d.difference:+.3f} ({d.low:+.3f} to {d.high:+.3f}), p {d.p_corrected:.2g}"
            for d in group.itertuples()
        ]
        rows.append([name, str(group.n.iloc[0]), *cells])
    return pd.DataFrame(rows, columns=["method", "pairs", *VALUES.values()])


def main() -> None:
    """Prints the tables of each β."""
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/record.json"))
    runs = pd.DataFrame([row(folder) for folder in tqdm(folders)])
    for beta, group in runs.groupby("beta"):
        print(f"\nβ = {beta:g}\n\n{markdown(means(group))}")
        n_pairs = group.groupby("method").seed.nunique()
        paired = group[group.method.isin(n_pairs[n_pairs > 1].index)]
        if paired.method.nunique() > 1 and "dense" in set(paired.method):
            print(f"\n{markdown(differences(paired))}")


if __name__ == "__main__":
    main()
