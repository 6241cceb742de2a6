"""Analyses of a trained model: at the end of a run, and of runs that are there."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sparsevae import analysis, records, sparsity
from sparsevae.data import GroundTruthData, ImageData
from sparsevae.metrics.encoding import factors_to_score
from sparsevae.models import SparseVAE
from sparsevae.study.one.analysis_pictures import draw_analyses
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.scoring import load_run, settings_of
from sparsevae.study.settings import analysis_names

FILE_NAME = "analysis.json"
_N_CODES = 32  # at which derivatives of decoders are taken


@dataclasses.dataclass(frozen=True)
class Found:
    """What one analysis found.

    Attributes:
        numbers: Floats by name, dicts of them by layer: for records and tables of studies.
        tables: pandas tables by name.
        result: What the function of `sparsevae.analysis` gave.
    """

    numbers: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    result: Any


def checked_analyses(names: Sequence[str], data: ImageData) -> list[str]:
    """Names of analyses, each once, with "all" spelled out: all that the data bears.

    Raises:
        ValueError: for a name that is unknown, or of one that needs factors, or the grid of all
            their combinations, if the set lacks them.
    """
    chosen = analysis_names(names)
    if "all" in names:
        chosen = [name for name in chosen if name in names or _bears(name, data)]
    _check(chosen, data)
    return chosen


def _check(names, data):
    if "layer_profile" in names and not factors_to_score(data).shape[1]:
        raise ValueError(
            "`analyses` must leave out layer_profile for a set without factors of two values. "
            f"Received: {data!r}"
        )
    on_grid = isinstance(data, GroundTruthData) and sum(n > 1 for n in data.factor_sizes) > 1
    if "factor_jacobian" in names and not on_grid:
        raise ValueError(
            "`analyses` must leave out factor_jacobian for a set that does not have one image for "
            f"each combination of two factors or more. Received: {data!r}"
        )


def analyzed(
    vae: SparseVAE, data: ImageData, names: Sequence[str], seed: int = 0
) -> dict[str, Found]:
    """Looks into a model; arguments as of `analyze`."""
    names = checked_analyses(names, data)
    exact = sparsity.harden(vae, dtype="float32")  # half precision would round small differences
    rng = np.random.default_rng(seed)
    codes = exact.codes(data.images(data.draw(_N_CODES, rng)))
    given = _Given(vae, exact, data, codes, seed)
    return {name: _ANALYSES[name](given) for name in names}


def analyze(folder: str | Path, names: Sequence[str] = ("all",), seed: int = 0) -> dict[str, Found]:
    """Analyses of a complete run; writes `analysis.json` and pictures into its folder.

    Others that the file holds stay in it, if they are of the same step and seed.

    Args:
        folder: `runs/NAME`.
        names: Among `factor_jacobian`, `layer_profile`, `wiring` and `decoder_view`, or "all" that
            the data bears.
        seed: Of images and rotations.

    Raises:
        FileNotFoundError: if the run is absent or not complete.
        ValueError: for an unknown name, or one that needs factors which the set lacks.
    """
    vae, record = load_run(folder)
    data = load_data(settings_of(record, folder), record["data_source"])
    found = analyzed(vae, data, names, seed)
    content = {
        name: {
            "numbers": one.numbers,
            "tables": {key: _rows(table) for key, table in one.tables.items()},
        }
        for name, one in found.items()
    }
    about = {"run": record["name"], "step": record["step"], "seed": seed}
    path = Path(folder) / FILE_NAME
    content = {**_written(path, about), **content}
    records.write_json(path, {**about, "analyses": content})
    draw_analyses(found, Path(folder))
    return found


def _written(path: Path, about: dict) -> dict:
    """Analyses in the file that are about the same."""
    try:
        written = records.read_json(path)
    except (FileNotFoundError, ValueError):  # damaged: it is written anew
        return {}
    is_same = isinstance(written, dict) and about.items() <= written.items()
    found = written.get("analyses") if is_same else None
    return found if isinstance(found, dict) else {}


def _bears(name: str, data: ImageData) -> bool:
    try:
        _check([name], data)
    except ValueError:
        return False
    return True


def _rows(table: pd.DataFrame) -> list[dict]:
    named = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    return [{key: _plain(value) for key, value in row.items()} for row in named.to_dict("records")]


def _plain(value):
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclasses.dataclass(frozen=True)
class _Given:
    """What analyses look at: the model, the same in float32 without gates, data, some codes."""

    vae: SparseVAE
    exact: SparseVAE
    data: ImageData
    codes: np.ndarray
    seed: int


def _factor_jacobian(given):
    found = analysis.factor_jacobian(given.exact.codes, given.data, seed=given.seed)
    numbers = {
        f"{column}{'' if row == 'all' else f'_{row}'}": float(value)
        for row, cells in found.table.iterrows()
        for column, value in cells.items()
    }
    matrix = pd.DataFrame(found.matrix, columns=list(found.factor_names))
    matrix.insert(0, "active", found.active)
    tables = {"scores": found.table, "matrix": matrix.rename_axis("latent").reset_index()}
    return Found(numbers, {**tables, "support": found.support}, found)


def _layer_profile(given):
    found = analysis.layer_profile(given.exact, given.data, seed=given.seed)
    layers = found.table[found.table.layer != "input"].set_index("layer")
    shown = ("probe", "best", "rotation", "rotation_null", "dci_d", "dci_d_null")
    shown += ("cka", "matching", "matching_null", "participation", "participation_null")
    numbers = {
        name: {layer: _plain(float(value)) for layer, value in layers[name].items()}
        for name in shown
    }
    return Found(numbers, {"layers": found.table, "factors": found.factors}, found)


def _wiring(given):
    found = analysis.wiring(given.vae, given.codes)
    functional = found.functional_reach.sum(axis=0)
    numbers = {
        "effective_density": found.effective_density,
        "reach": float(found.reach.mean()),
        "functional_reach": float(found.functional_reach.mean()),
        "one_parent": _share(found.parents == 1),
        "functional_one_parent": _share(functional[functional > 0] == 1),
        "components": int(found.table.component.max() + 1),
        "anchored": int(found.table.anchored.sum()),
        "structurally_sparse": int(found.table.structurally_sparse.sum()),
    }
    if hasattr(given.data, "pixel_graph"):
        agreement = dataclasses.asdict(found.recovered(given.data.pixel_graph))
        del agreement["latent_of"]
        numbers |= {f"recovered_{name}": value for name, value in agreement.items()}
    return Found(numbers, {"latents": found.table.reset_index()}, found)


def _share(answers):
    """Share of true ones; None of none."""
    return float(answers.mean()) if answers.size else None


def _decoder_view(given):
    exact = given.exact
    found = analysis.decoder_view(lambda z: exact.decode(z).mean(), given.codes)
    names = ("sparsity", "ima_contrast", "column_cosine", "compositional_contrast", "overlap")
    names += ("hessian_penalty", "hessian_ratio")
    numbers = {name: _plain(float(getattr(found, name))) for name in names}
    return Found(numbers, {"latents": found.table.rename_axis("latent").reset_index()}, found)


_ANALYSES: Mapping[str, Callable[[_Given], Found]] = {
    "factor_jacobian": _factor_jacobian,
    "layer_profile": _layer_profile,
    "wiring": _wiring,
    "decoder_view": _decoder_view,
}
