"""Scores and links over the angle of a rotation."""

import pandas as pd
from matplotlib.figure import Figure

from sparsevae.plots.style import CYCLE

_PANELS = {
    "elbo": "ELBO (nats per image)",
    "mig": "MIG",
    "dci": "DCI disentanglement",
    "links": "links in use",
}


def rotations(table: pd.DataFrame) -> Figure:
    """What a rotation of the latents changes and what not, one line for each kind of gate.

    Args:
        table: Rows with `gate`, `run`, `angle` in degrees, `elbo`, `mig`, `dci` and `links`.

    Returns:
        Figure with four panels: means over runs and rotations, and the range of the runs' means.

    Raises:
        ValueError: if there are no rows, or a column is missing.
    """
    needed = {"gate", "run", "angle", *_PANELS}
    if table.empty or not needed <= {*table}:
        raise ValueError(
            f"`table` must have rows, and columns {sorted(needed)}. "
            f"Received: {len(table)} rows of columns {list(table.columns)}"
        )
    figure = Figure(figsize=(10, 2.8), dpi=150, layout="constrained")
    for axes, (column, label) in zip(figure.subplots(1, 4), _PANELS.items(), strict=True):
        for number, (gate, group) in enumerate(table.groupby("gate", sort=False)):
            color = CYCLE[number % len(CYCLE)]
            of_runs = group.groupby(["run", "angle"])[column].mean().unstack("run")
            name = {"none": "dense"}.get(gate, gate.replace("_", " "))
            axes.plot(of_runs.index, of_runs.mean(axis=1), label=name, color=color)
            low, high = of_runs.min(axis=1), of_runs.max(axis=1)
            axes.fill_between(of_runs.index, low, high, alpha=0.2, color=color)
        axes.set_xlabel("angle (degrees)")
        axes.set_ylabel(label)
    figure.axes[0].legend(frameon=False)
    return figure
