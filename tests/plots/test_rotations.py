"""The picture of rotations."""

import pandas as pd
import pytest

from sparsevae.plots import rotations

ROWS = pd.DataFrame(
    {
        "gate": gate, "run": f"{gate}_{seed}", "angle": float(angle), "elbo": -30.0,
        "mig": 0.3 - angle / 200 + seed / 10, "dci": 0.5, "links": 0.1,
    }
    for gate in ("none", "binary") for seed in (0, 1) for angle in (0, 45)
)  # fmt: skip


def test_a_line_for_each_gate_and_the_range_of_its_runs():
    figure = rotations(ROWS)
    assert [axes.get_ylabel() for axes in figure.axes][1:] == [
        "MIG", "DCI disentanglement", "links in use",
    ]  # fmt: skip
    lines = figure.axes[1].get_lines()
    assert [line.get_label() for line in lines] == ["dense", "binary"]
    assert list(lines[0].get_ydata()) == pytest.approx([0.35, 0.125])


def test_tables_without_what_is_drawn_are_refused():
    with pytest.raises(ValueError, match="`table` must have rows, and columns"):
        rotations(ROWS.drop(columns="mig"))
    with pytest.raises(ValueError, match="`table` must have rows"):
        rotations(ROWS[:0])
