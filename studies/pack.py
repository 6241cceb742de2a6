"""Runs of a study as one file, and folders again where another machine goes on.

`python studies/pack.py pack runs/density studies/density.parquet` adds the complete runs of a
folder to the file; `unpack studies/density.parquet runs/density` writes their records out, so that
`scripts/study.py run` does not run them again. The file is a table for pandas: the columns of
`sv.records.flat_record`, the JSON files `record` and `settings`, and `masks`, the open links by
layer (`read_masks`; None of dense models, and of runs whose model was not there).
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

import sparsevae as sv
from sparsevae.study.one.scoring import load_run

FILES = {"record": "record.json", "settings": "settings.json"}


def pack(folder: Path, file: Path) -> int:
    """Adds the complete runs of a folder to a file; returns how many were new.

    Args:
        folder: Of a study.
        file: Parquet; made if it is not there. Runs that it holds stay as they are.
    """
    before = pd.read_parquet(file) if file.exists() else pd.DataFrame({"run": []})
    found = sorted(path.parent for path in folder.glob("*/record.json"))
    new = [run for run in found if run.name not in set(before["run"])]
    rows = [_row(run) for run in tqdm(new, desc="runs", disable=None)]
    if rows:
        table = pd.concat([before.convert_dtypes(), pd.DataFrame(rows).convert_dtypes()])
        with sv.records.atomic_file(file) as temporary:
            table.sort_values("run").to_parquet(temporary, index=False, compression="zstd")
    return len(rows)


def unpack(file: Path, folder: Path) -> int:
    """Writes the runs of a file into folders of their own; returns how many were not there."""
    table = pd.read_parquet(file, columns=["run", *FILES])
    absent = [row for row in table.itertuples() if not sv.records.is_complete(folder / row.run)]
    for row in absent:
        sv.records.write_json(folder / row.run / FILES["settings"], json.loads(row.settings))
        sv.records.write_record(folder / row.run, json.loads(row.record))
    return len(absent)


def packed_masks(masks: dict[str, np.ndarray]) -> bytes:
    """Booleans by layer for a cell of `masks`, a bit each, compressed."""
    packed = {name: np.packbits(mask) for name, mask in masks.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **packed, **{f"shape {n}": m.shape for n, m in masks.items()})
    return file.getvalue()


def read_masks(packed: bytes) -> dict[str, np.ndarray]:
    """Open links by layer, booleans `(in_channels, out_channels)`, from a cell of `masks`."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        shapes = {name.removeprefix("shape "): file[name] for name in file if " " in name}
        return {
            name: np.unpackbits(file[name], count=int(shape.prod())).reshape(shape).astype(bool)
            for name, shape in shapes.items()
        }


def _row(run):
    record = sv.records.read_record(run)
    texts = {name: (run / file).read_text(encoding="utf-8") for name, file in FILES.items()}
    return {
        "run": run.name,
        **sv.records.flat_record(record, run.name),
        **texts,
        "masks": _masks(run),
    }


def _masks(run):
    """Packed open links of a run's model."""
    if not (run / "model.keras").exists():
        return None
    model, _ = load_run(run)
    masks = {layer.name: np.array(layer.gate.support(), bool) for layer in model.gated_layers}
    return packed_masks(masks) if masks else None


def main() -> None:
    """`pack FOLDER FILE` or `unpack FILE FOLDER`."""
    what, source, target = sys.argv[1:]
    n_runs = {"pack": pack, "unpack": unpack}[what](Path(source), Path(target))
    print(f"{n_runs} runs written to {target}")


if __name__ == "__main__":
    main()
