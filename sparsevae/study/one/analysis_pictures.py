"""The pictures of analyses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sparsevae import plots
from sparsevae.study.one.pictures import save


def draw_analyses(found: Mapping[str, Any], folder: Path) -> None:
    """Writes `pictures/` of a run: of the factor Jacobian, the layers and the wiring that it has.

    Args:
        found: Analyses by name, as of `analyses.analyzed`.
        folder: Of the run.
    """
    figures = {name: draw(found[name].result) for name, draw in _PICTURES.items() if name in found}
    save({name: figure for name, figure in figures.items() if figure is not None}, folder)


def _factor_jacobian(found) -> Figure:
    label = "change of the latent by the factor, in standard deviations"
    return plots.factor_latent_heatmap(
        found.matrix, found.factor_names, active=found.active, label=label
    )


def _layer_profile(found) -> Figure:
    return plots.layer_profile_curves(found.table)


def _wiring(found) -> Figure | None:
    """None where no channel is live, and so nothing leads from latents to pixels."""
    is_live = any(live for _, live in found.graph.nodes(data="live"))
    return plots.wiring_diagram(found.graph, maps=found.maps) if is_live else None


_PICTURES = {
    "factor_jacobian": _factor_jacobian,
    "layer_profile": _layer_profile,
    "wiring": _wiring,
}
