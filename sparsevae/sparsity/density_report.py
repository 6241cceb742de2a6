"""Report on a model: links, open and effective ones, parameters and multiplications by layer."""

import dataclasses
import math

import keras
import pandas as pd

from sparsevae.sparsity.layer_rows import layer_rows
from sparsevae.sparsity.links import by_name
from sparsevae.sparsity.liveness import follow, has_graph

_COLUMNS = {
    **{"layer": "object", "kind": "object", "gated": "bool"},
    **{"links": "Int64", "open": "Int64", "effective": "Int64"},
    **{"density": "Float64", "effective_density": "Float64"},
    **{"parameters": "Int64", "flops": "Int64", "open_flops": "Int64", "note": "object"},
}


@dataclasses.dataclass(frozen=True)
class Report:
    """What `report` found; prints as a table.

    Attributes:
        table: A row for each layer with weights: `layer` (name), `kind`, `gated`, `links`, `open`,
            `effective` (counts of links, or of weights where gates switch these), `density`,
            `effective_density` (shares of these), `parameters` (without those of gates), `flops`
            (multiplications by kernels for one observation), `open_flops` (of open links, and of
            the depthwise part of separable convolutions, which has no gate), `note` (why it has
            no gate). NA where there is no such number.
        without_rule: Names of layers, or of their activations, of which nothing is known: they
            count as live throughout. See `register_liveness`.
    """

    table: pd.DataFrame
    without_rule: tuple[str, ...]

    @property
    def density(self) -> float:
        """Share of links that are open, in [0, 1]; NaN for a model without links.

        Of gated layers; in a model that has none, of all: 1.0, as links of stock layers are open.
        """
        return self._share("open")

    @property
    def effective_density(self) -> float:
        """Share of links on a live path, in [0, 1], over the same layers as `density`."""
        return self._share("effective")

    def _share(self, column):
        rows = self.table[self.table.gated] if self.table.gated.any() else self.table
        n_links = rows.links.sum()
        return float(rows[column].sum() / n_links) if n_links else math.nan

    def __str__(self) -> str:
        shown = self.table.drop(columns="gated").astype(object)
        for name in shown:
            shown[name] = [_text(value) for value in shown[name]]
        lines = [shown.to_string(index=False)]
        lines += [f"density {self.density:.4f}, effective {self.effective_density:.4f}"]
        if self.without_rule:
            lines.append(f"counted as live throughout: {', '.join(self.without_rule)}")
        return "\n".join(lines)


def _text(value):
    if value is pd.NA:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"


def report(model: keras.Model) -> Report:
    """Density of a model by layer: nominal, and effective.

    A link is effective if it is open, its input channel varies with the model's input and its
    output channel matters to an output. Changing one from a channel that varies to one that does
    not matter changes nothing; one from a channel that does not vary carries a constant, which a
    bias could stand for. Of layers without a rule all is taken for live, so the effective
    density can be too high, never too low. Gates are those of the test rule.

    Args:
        model: Functional or Sequential, models nested in it too; or one with such models as its
            `networks`, like `SparseVAE`: from images to mean and log variance, from z to pixels.

    Raises:
        ValueError: for a model that was not built, has no graph or merges masked tensors, or
            for gates that are NaN.
    """
    networks = getattr(model, "networks", [model])
    if not all(map(has_graph, networks)):
        raise ValueError(
            "`model` must be a functional or a built Sequential model, or have such `networks`. "
            f"Received: {model!r}"
        )
    lives = [follow(network) for network in networks]
    rows = by_name((row["layer"], row) for row in layer_rows(lives))
    table = pd.DataFrame(
        [{**row, "layer": name} for name, row in rows.items()], columns=list(_COLUMNS)
    )
    table = table.astype(_COLUMNS)
    return Report(table, tuple(name for live in lives for name in live.without_rule()))
