"""Conditions beside their dense twins: at equal steps if the ELBO bears it, and at equal ELBO."""

from collections.abc import Sequence

import pandas as pd

import sparsevae as sv
from docs.study_page.runs import SCORES

LARGEST_LOSS = 1.0  # nats: beyond it scores are compared at equal ELBO only
_FEWEST = 2


def at_equal_steps(runs: pd.DataFrame, dense: pd.DataFrame) -> pd.DataFrame:
    """Differences from the dense runs of the same seed and objective.

    Args:
        runs: Of one part.
        dense: The dense runs of all objectives.

    Returns:
        A row for each method, level and column (`value`: the scores, "elbo" first): what `paired`
        gives, `n` runs with a twin among it; `active` latents, their mean. Scores of a condition
        that loses more than a nat are NaN; `p_corrected` is Holm's over the scores of the table.
    """
    rows = []
    for (name, level), group in runs.groupby(["method", "level"], sort=False):
        twins = dense[dense.twin == group.twin.iloc[0]]
        found = _paired(group, twins, ["elbo", *SCORES])
        if found is None:
            continue
        lost = found.loc[found.value == "elbo", "difference"].iloc[0] < -LARGEST_LOSS
        found.loc[(found.value != "elbo") & lost, ["difference", "low", "high", "p"]] = None
        active = group.active_latents.mean()
        rows.append(found.assign(method=name, level=level, active=active))
    return _with_correction(rows)


def at_equal_elbo(runs: pd.DataFrame, dense: pd.DataFrame) -> pd.DataFrame:
    """Differences of methods from their dense twins, read off at the twin's ELBO.

    Returns:
        A row for each method and score; methods that reach it for less than 2 seeds are left out.
    """
    rows = []
    for name, group in runs.groupby("method", sort=False):
        both = pd.concat([dense[dense.twin == group.twin.iloc[0]], group])
        both = both[["method", "seed", "elbo", *SCORES]]
        for value in SCORES:
            known = both[both[value].notna()]
            if set(known.method) != {"dense", name}:
                continue
            matched = sv.analysis.matched_elbo(
                known, by="method", against="dense", value=value, unreached="leave_out"
            )
            found = _paired(
                matched[matched.method == name], matched[matched.method == "dense"], [value]
            )
            rows += [] if found is None else [found.assign(method=name)]
    return _with_correction(rows)


def holding(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of scores that differ from 0 after correction, at 0.05."""
    return table[table.p_corrected < 0.05]


def _paired(runs, twins, values: Sequence[str]):
    """Rows of `paired` for values that two pairs or more have; None if none has."""
    runs, twins = runs[["seed", *values]], twins[["seed", *values]]
    both = pd.concat([runs.assign(is_twin=False), twins.assign(is_twin=True)])
    rows = []
    for value in values:
        known = both[both[value].notna()]
        seeds = [set(known[known.is_twin == twin].seed) for twin in (False, True)]
        if len(seeds[0] & seeds[1]) >= _FEWEST:
            known = known.assign(**{value: known[value].astype(float)})
            rows.append(
                sv.analysis.paired(known, by="is_twin", against=True, value=value, test="t")
            )
    return pd.concat(rows).drop(columns="is_twin") if rows else None


def _with_correction(tables):
    if not tables:
        columns = ["method", "level", "value", "n", "difference", "p", "p_corrected"]
        return pd.DataFrame(columns=columns)
    table = pd.concat(tables, ignore_index=True)
    compared = (table.value != "elbo") & table.p.notna()
    table["p_corrected"] = float("nan")
    if compared.any():
        table.loc[compared, "p_corrected"] = sv.analysis.corrected(
            table.loc[compared, "p"].astype(float)
        )
    return table
