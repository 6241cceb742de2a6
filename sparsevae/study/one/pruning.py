"""Runs that begin with the weights, or the masks, of a complete one."""

from pathlib import Path
from typing import Any

import numpy as np

from sparsevae import records, sparsity
from sparsevae.layers import GatedLayer, copy_stock_weights
from sparsevae.models import SparseVAE
from sparsevae.study.controls import OF_GATES
from sparsevae.study.one.scoring import load_run
from sparsevae.study.settings import RunSettings

FILES = {name: f"{name}.json" for name in ("pruned_from", "mask_from")}


def pruned_settings(
    run: str | Path, name: str, control: str = "magnitude", **changes: Any
) -> RunSettings:
    """Settings of a run that prunes a complete one: those of that run, but for gates and control.

    Args:
        run: Folder of the complete run.
        name: Of the new run.
        control: Of the new run.
        changes: More settings of the new run: what the control looks at, `n_steps`.

    Raises:
        FileNotFoundError: if the run is absent or not complete.
        ValueError: as `RunSettings`.
    """
    of_run = records.read_record(run)["settings"]
    kept = {field: value for field, value in of_run.items() if field not in OF_GATES}
    new = {"name": name, "pruned_from": str(run), "control": control}
    return RunSettings(**{**kept, **new, **changes})


def begin_with(vae: SparseVAE, run: str | Path, folder: Path) -> None:
    """Gives a new model the weights of a complete run; notes in `pruned_from.json` which it was.

    Where that run has gates it is their test rule that counts: its closed links begin as zeros.

    Args:
        vae: New model of the same layers, with or without gates.
        run: Folder of the complete run.
        folder: Of the new run.

    Raises:
        FileNotFoundError: if the run is absent or not complete.
        ValueError: if it has other layers.
    """
    source, record = load_run(run)
    pairs = [
        _pairs(new, sparsity.harden(old), run)
        for new, old in zip(vae.networks, source.networks, strict=True)
    ]
    for new, stock in (pair for of_network in pairs for pair in of_network):
        if isinstance(new, GatedLayer):
            copy_stock_weights(stock, new)
        else:
            new.set_weights(stock.get_weights())
    _note(folder, "pruned_from", record)


def take_masks(vae: SparseVAE, run: str | Path, folder: Path) -> None:
    """Closes the links that a complete run has closed; notes in `mask_from.json` which it was.

    Args:
        vae: New model whose gates are pruned ones, of the same layers and granularity.
        run: Folder of the complete run; of any gates, by their test rule.
        folder: Of the new run.

    Raises:
        FileNotFoundError: if the run is absent or not complete.
        ValueError: if it has no gates, or its masks other layers or shapes.
    """
    source, record = load_run(run)
    masks = {layer.name: np.array(layer.gate.support()) for layer in source.gated_layers}
    try:
        sparsity.set_gate_masks(vae, masks)
    except ValueError as error:
        raise ValueError(
            "`mask_from` must be a run with gates of the same layers and granularity. "
            f"Received: {run} ({error})"
        ) from None
    _note(folder, "mask_from", record)


def _note(folder, name, record):
    noted = {field: record[field] for field in ("name", "step", "elbo")}
    records.write_json(folder / FILES[name], noted)


def noted_sources(folder: Path) -> dict[str, Any]:
    """`pruned_from` and `mask_from` of a record: name, step and ELBO of those runs, if any."""
    paths = {name: folder / file for name, file in FILES.items()}
    return {name: records.read_json(path) for name, path in paths.items() if path.exists()}


def compact_run(run: str | Path) -> sparsity.Comparison:
    """Writes `compact.keras`, the model of a complete run without dead channels."""
    vae, _ = load_run(run)
    small = sparsity.compact(vae)
    with records.atomic_file(Path(run) / "compact.keras") as temporary:
        small.save(temporary)
    return sparsity.compare(vae, small)


def _pairs(new, old, run):
    """Layers with weights of a network, each with that of the other by the same name."""
    found = [{layer.name: layer for layer in net.layers if layer.weights} for net in (new, old)]
    shapes = [{name: _shapes(layer) for name, layer in layers.items()} for layers in found]
    if shapes[0] != shapes[1]:
        name = sorted(n for n, _ in shapes[0].items() ^ shapes[1].items())[0]
        raise ValueError(
            "`pruned_from` must be a run of the same layers, as `model`, `hidden`, `latent_dim` "
            f"and the size of images make them. Received: {run}, where {name} has weights of "
            f"{shapes[1].get(name)} and not {shapes[0].get(name)}"
        )
    return [(layer, found[1][name]) for name, layer in found[0].items()]


def _shapes(layer):
    gated = isinstance(layer, GatedLayer)
    return tuple(tuple(w.shape) for w in (layer.stock_weights() if gated else layer.weights))
