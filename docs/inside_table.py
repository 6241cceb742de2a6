"""Inside dense and sparse models of a study: `python docs/inside_table.py runs/NAME`.

Prints Markdown: ELBO, MIG, axis-alignment gain and the rotation index of some layers of each
method, on `mechanisms` sets also how well the known graph is recovered, by derivatives and by
links alone (reach), and differences from the dense runs of the same seeds, with 95 % intervals and
corrected p-values. Runs whose record has no analyses are analyzed first (half a minute each), into
their `analysis.json`.
"""

import sys
from pathlib import Path

import pandas as pd
from arena_table import markdown, method
from tqdm import tqdm

import sparsevae as sv
from sparsevae.study.one.analyses import FILE_NAME, analyze
from sparsevae.study.one.scoring import load_run

LAYERS = ("encoder_dense_5", "encoder_z_mean", "decoder_dense_1", "decoder_dense_2")
LAYERS += ("decoder_deconv_3", "decoder_deconv_4")
VALUES = {"elbo": "ELBO", "mig": "MIG", "gain": "gain"} | {
    layer: f"rotation, {layer.partition('_')[2]}" for layer in LAYERS
}
GRAPH = {"f1": "F1", "shd": "SHD", "reach_f1": "F1 of reach"}


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
    about = {"data": settings.data, "seed": settings.seed, "beta": settings.beta}
    return {
        **about,
        **{
            "method": method(settings),
            "elbo": record["elbo"],
            "mig": record["scores"]["mig_active"],
        },
        **{"gain": found["factor_jacobian"]["gain_active"]},
        **{layer: rotation[layer] for layer in LAYERS},
        **recovered(folder, settings.data, found.get("wiring", {})),
    }


def recovered(folder: Path, data: str, found: dict) -> dict:
    """Agreement with the graph of the set, where it is known."""
    if "recovered_f1" not in found:
        return {}
    by_derivatives = {"f1": found["recovered_f1"], "shd": found["recovered_shd"]}
    if not (folder / "model.keras").exists():  # unpacked from a table of runs
        return by_derivatives
    vae, _ = load_run(folder)
    images = sv.data.load(data)
    reach = sv.analysis.wiring(vae, vae.codes(images.images(range(2)))).reach
    reached = sv.analysis.recovery(reach, images.pixel_graph)
    return {**by_derivatives, "reach_f1": reached.f1}


def shown(runs: pd.DataFrame) -> dict:
    """Columns that these runs have, and their titles."""
    return {name: title for name, title in (VALUES | GRAPH).items() if name in runs.dropna(axis=1)}


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds."""
    rows, values = [], shown(runs)
    for name, group in runs.groupby("method", sort=False):
        cells = [f"{group[v].mean():.3f} ± {group[v].std():.3f}" for v in values]
        rows.append([name, str(len(group)), *cells])
    return pd.DataFrame(rows, columns=["method", "runs", *values.values()])


def differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Difference from the dense twin, its interval, and p after correction."""
    values = shown(runs)
    found = sv.analysis.paired(runs, by="method", against="dense", value=list(values), test="t")
    rows = []
    for name, group in found.groupby("method", sort=False):
        cells = [
            f"{d.difference:+.3f} ({d.low:+.3f} to {d.high:+.3f}), p {d.p_corrected:.2g}"
            for d in group.itertuples()
        ]
        rows.append([name, str(group.n.iloc[0]), *cells])
    return pd.DataFrame(rows, columns=["method", "pairs", *values.values()])


def main() -> None:
    """Prints the tables of each set and β."""
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("*/record.json"))
    runs = pd.DataFrame([row(folder) for folder in tqdm(folders)])
    for (data, beta), group in runs.groupby(["data", "beta"]):
        print(f"\n{data}, β = {beta:g}\n\n{markdown(means(group))}")
        n_pairs = group.groupby("method").seed.nunique()
        paired = group[group.method.isin(n_pairs[n_pairs > 1].index)]
        if paired.method.nunique() > 1 and "dense" in set(paired.method):
            print(f"\n{markdown(differences(paired))}")


if __name__ == "__main__":
    main()
