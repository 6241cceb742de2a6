"""Runs of equal ELBO: a score may rise because a model has lost what it should explain."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sparsevae.analysis.tables import (
    check_apart,
    check_columns,
    check_free,
    check_numbers,
    check_once,
    check_pairs,
    described,
    split_off,
)
from sparsevae.checks import check_choice, is_number

UNREACHED = ("refuse", "leave_out")


def matched_elbo(
    table: pd.DataFrame,
    *,
    by: str | Sequence[str],
    against: Any,
    value: str | Sequence[str],
    pairs: str | Sequence[str] = "seed",
    elbo: str = "elbo",
    tolerance: float | None = None,
    unreached: str = "refuse",
) -> pd.DataFrame:
    """A table in which each condition has the ELBO of its twin, for `paired`.

    A condition has several runs of a seed here, such as densities; its twin has one. At the twin's
    ELBO a score of the condition is read off the line through its runs of that seed, in the order
    of ELBO: straight between neighbors, so never outside of their two scores, and never beyond the
    least and the greatest ELBO. Runs of equal ELBO count with their mean. With a `tolerance` it is
    the score of one run instead: the nearest in ELBO.

    `paired(matched_elbo(table, **what), **what)`, with `what` holding by, against, value and
    pairs, compares conditions at equal ELBO.

    Args:
        table: One row for each run.
        by: Column or columns that tell conditions apart, without those that vary within one.
        against: Label of the twin, as for `paired`.
        value: Column or columns of what is compared.
        pairs: Column or columns in which a twin and its runs agree.
        elbo: Column of the ELBO, or of another number that is to be equal.
        tolerance: Largest difference of ELBO between a twin and a run, in nats; None for the line.
        unreached: "refuse" a table in which a condition does not reach its twin's ELBO; or
            "leave_out" that condition for that pair, which `paired` then counts as `unpaired`.

    Returns:
        Columns of `by` and `pairs`, `elbo` and those of `value`; `elbo_gap`, by how much the ELBO
        is above the twin's, 0 on the line. Rows of the twin first, then one for each condition
        and pair that both have.

    Raises:
        TypeError: if `table` is not a pandas table or a value is not numeric.
        ValueError: for an unknown column or condition, a number that is NaN or infinite, two runs
            of the twin that agree in `pairs`, a negative tolerance; and if an ELBO is not reached.
    """
    check_choice("unreached", unreached, UNREACHED)
    if tolerance is not None and not (is_number(tolerance) and tolerance >= 0):
        raise ValueError(
            f"`tolerance` must be a float of 0 or above, or None. Received: tolerance={tolerance!r}"
        )
    by, values = check_columns("by", by, table), check_columns("value", value, table)
    pairs, (elbo,) = check_columns("pairs", pairs, table), check_columns("elbo", [elbo], table)
    check_apart(by=by, pairs=pairs, value=values)
    check_free([*by, *pairs, *values, elbo], ["elbo_gap"])
    numbers = list(dict.fromkeys([elbo, *values]))
    check_numbers("value", numbers, table)
    twin, others = split_off(table, by, against)
    check_once(twin, pairs, described(by, tuple(twin[by].iloc[0])))
    kept = list(dict.fromkeys([*by, *pairs, *numbers]))
    rows = twin[kept].assign(elbo_gap=0.0).to_dict("records")
    targets = dict(zip(twin[pairs].itertuples(index=False, name=None), twin[elbo], strict=True))
    for labels, condition in others:
        check_pairs(condition, pairs)
        for pair, runs in condition.groupby(pairs, sort=False):
            if pair not in targets:
                continue
            target = float(targets[pair])
            if _reached(runs[elbo], target, tolerance):
                rows.append(
                    {
                        **dict(zip(by, labels, strict=True)),
                        **dict(zip(pairs, pair, strict=True)),
                        **_at(runs, elbo, numbers, target, tolerance),
                    }
                )
            elif unreached == "refuse":
                raise ValueError(
                    _not_reached(runs[elbo], target, tolerance, by, labels, pairs, pair)
                )
    return pd.DataFrame(rows, columns=[*kept, "elbo_gap"])


def _reached(elbos, target, tolerance):
    if tolerance is None:
        return elbos.min() <= target <= elbos.max()
    return (elbos - target).abs().min() <= tolerance


def _at(runs, elbo, numbers, target, tolerance):
    """Numbers of the condition at the twin's ELBO, and the difference that is left."""
    if tolerance is None:
        line = runs.groupby(elbo)[numbers].mean()  # sorted by ELBO
        read = {name: float(np.interp(target, line.index, line[name])) for name in numbers}
        return {**read, elbo: target, "elbo_gap": 0.0}
    nearest = runs.iloc[(runs[elbo] - target).abs().argmin()]
    return {**nearest[numbers], "elbo_gap": nearest[elbo] - target}


def _not_reached(elbos, target, tolerance, by, labels, pairs, pair):
    near = "between those" if tolerance is None else f"within {tolerance} of one"
    return (
        f"`{elbos.name}` of the twin must be {near} of the condition, or `unreached` be "
        f"'leave_out'. Received: {target:.6g} for {described(pairs, pair)}, where "
        f"{described(by, labels)} has {elbos.min():.6g} to {elbos.max():.6g}"
    )
