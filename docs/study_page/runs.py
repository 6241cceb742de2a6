"""Runs of the study with what they stand for: their part in it, method and level."""

import json
import re
from pathlib import Path

import pandas as pd

SCORES = {
    "score_mig_active": "MIG",
    "score_dci_fast_disentanglement_active": "DCI-D",
    "score_factor_vae_active": "FactorVAE",
    "score_infomec_m_active": "InfoM",
    "score_mig_sup_active": "MIG-sup",
    "score_modularity_active": "modularity",
    "analysis_factor_jacobian_gain_active": "gain",
    "rotation": "rotation",
}
PLAIN = "beta_vae {} 1"  # `twin` of the main grid
_PROFILE = "analysis_layer_profile_"
_ROTATION = f"{_PROFILE}rotation_"
_MOVING = ("rigl", "set")


def read(file: Path) -> pd.DataFrame:
    """A row for each run, with `part`, `method`, `level`, `twin` and `rotation`.

    `part` is "dense", "main" (densities), "small" (small weights), "onset", "first" (masks that are
    there from the first step), "tickets", "where", "beta" or "prior"; `level` is the number or word
    that varies within a method; `twin` what it shares with its dense runs beside the seed;
    `rotation` the mean over layers of the rotation index.
    """
    runs = pd.read_parquet(file)
    numbers = runs.select_dtypes("number").columns
    runs = runs.astype(dict.fromkeys(numbers, float))  # missing ones become NaN
    found = pd.DataFrame(index=runs.index)
    for column in ("mask_from_name", "objective_options"):
        found[column] = runs[column].astype(object) if column in runs else None
    runs = pd.concat([runs.drop(columns=found.columns, errors="ignore"), found], axis=1)
    for name, of in (("method", method), ("part", part), ("level", level), ("twin", twin)):
        runs = pd.concat([runs, runs.apply(of, axis=1).rename(name)], axis=1)
    order = runs["level"].map(lambda value: 0.0 if isinstance(value, str) else -value)
    rotation = runs[_rotation_columns(runs)].mean(axis=1)
    runs = pd.concat([runs, pd.DataFrame({"rotation": rotation, "order": order})], axis=1)
    return runs.sort_values(["method", "order", "level", "seed"], key=_sortable)


def _sortable(column):
    return column.astype(str) if column.name == "level" else column


def profile(run: pd.Series) -> pd.DataFrame:
    """The layer profile of a run, a row a layer, in the order of the network."""
    layers = [name.removeprefix(_ROTATION) for name in _rotation_columns(run.index)]
    columns = ("probe", "best", "rotation", "rotation_null")
    rows = [
        {
            **{"part": layer.partition("_")[0], "layer": layer},
            **{c: float(run[f"{_PROFILE}{c}_{layer}"]) for c in columns},
        }
        for layer in layers
    ]
    return pd.DataFrame(rows)


def _rotation_columns(names):
    """Those of layers on the path: the log variances stand beside it."""
    kept = (n for n in names if n.startswith(_ROTATION) and not n.startswith(f"{_ROTATION}null_"))
    return [name for name in kept if not name.endswith("z_log_var")]


def method(run: pd.Series) -> str:
    """What closed the links, or made the weights small."""
    if isinstance(run.mask_from_name, str):
        source = int(re.match(r"seed-(\d+)_", run.mask_from_name)[1])
        return "ticket" if source == run.seed else "ticket of another seed"
    if run.objective == "small_kernels":
        return "small kernels (L2)"
    if run.gate in ("none", "l1_weights"):
        return {"none": "dense", "l1_weights": "L1 on weights"}[run.gate]
    names = {"top_k": "TopK", "rigl": "RigL", "set": "SET", "random": "random mask"}
    name = run.control if run.gate == "pruned" else run.gate
    return names.get(name, name.replace("_", " "))


def part(run: pd.Series) -> str:
    """Which of the study's questions a run belongs to."""
    if isinstance(run.mask_from_name, str):
        return "tickets"
    if run.objective == "small_kernels" or run.gate == "l1_weights":
        return "small"
    if run.gate == "none":
        return "dense"
    if run.objective != "beta_vae":
        return "prior"
    if run.beta != 1:
        return "beta"
    if run["where"] != "both":
        return "where"
    if run.control in _MOVING:
        return "first"
    return "onset" if run.control == "target_density" and run.open_until != 0.1 else "main"


def twin(run: pd.Series) -> str:
    """Objective of a run without its own way of being sparse or small."""
    if run.objective == "small_kernels":
        return f"beta_vae {{}} {run.beta:g}"
    return f"{run.objective} {run.objective_options} {run.beta:g}"


def level(run: pd.Series) -> float | str:
    """What varies within a method of a part."""
    if run.part == "small":
        if run.gate == "l1_weights":
            return float(run.strength)
        return float(json.loads(run.objective_options)["strength"])
    if run.part == "onset":
        return float(run.open_until)
    if run.part in ("dense", "tickets"):
        return ""
    density = float(run.target_density)
    words = {"where": str(run["where"]), "beta": f"\N{GREEK SMALL LETTER BETA} = {run.beta:g}"}
    return f"{words[run.part]}, {density:g}" if run.part in words else density
