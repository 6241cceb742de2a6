"""Comparisons of conditions: tables with known differences, hand-counted cases, misuse."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_tables import study

from sparsevae.analysis import corrected, paired, summary

WHAT = {"by": "gate", "against": None, "value": "score_mig"}
COLUMNS = ["gate", "value", "n", "unpaired", "mean", "mean_against", "difference", "low", "high"]
COLUMNS += ["interval", "p", "p_corrected"]


def test_seeds_cancel_out():
    found = paired(study([0.1, 0.2, 0.3, 0.2, 0.2]), **WHAT)
    assert list(found.columns) == COLUMNS
    assert found["gate"].tolist() == ["binary", "continuous"]
    np.testing.assert_allclose(found["difference"], 0.2)
    np.testing.assert_allclose(found["p"], 2 / 2**5)
    np.testing.assert_allclose(found["p_corrected"], 2 * 2 / 2**5)
    assert (found["low"] < 0.2).all() and (found["high"] > 0.2).all()
    assert found["n"].tolist() == [5, 5] and found["unpaired"].tolist() == [0, 0]
    np.testing.assert_allclose(found["mean"] - found["mean_against"], found["difference"])


def test_the_test_of_t_agrees_with_its_interval():
    """At 95 % the interval of Student's t holds 0 just where p is above 0.05."""
    for shift in (0.02, 0.1, 0.3):
        table = study([shift + d for d in (-0.1, 0.0, 0.05, 0.12, -0.03)], noise=0.02)
        found = paired(table, **WHAT, test="t")
        assert (found["interval"] == "t").all()
        holds_zero = (found["low"] < 0) & (found["high"] > 0)
        assert (holds_zero == (found["p"] > 0.05)).all()
        signs = paired(table, **WHAT)
        assert (signs["p"] >= 2 / 2**5).all() and not signs["p"].equals(found["p"])
    with pytest.raises(ValueError, match="`test` must be one of"):
        paired(table, **WHAT, test="wilcoxon")


@pytest.mark.parametrize("n_seeds", [6, 20])
def test_repeatable_in_any_order_and_company(n_seeds):
    table = study(np.linspace(-0.1, 0.3, n_seeds), noise=0.1)
    found = paired(table, **WHAT)
    pd.testing.assert_frame_equal(found, paired(table, **WHAT))
    alone = paired(table[table["gate"] != "continuous"].pipe(with_dense, table), **WHAT)
    pd.testing.assert_frame_equal(
        alone.drop(columns="p_corrected"), found[:1].drop(columns="p_corrected")
    )
    backwards = paired(table[::-1], **WHAT).set_index("gate").loc["binary"]
    forwards = found.set_index("gate").loc["binary"]
    for name in ("difference", "p", "low", "high"):
        assert backwards[name] == pytest.approx(forwards[name], abs=0.01)


def with_dense(rows, table):
    """A comparison of missing labels is missing itself: dense runs are put back."""
    return pd.concat([table[table["gate"].isna()], rows.dropna(subset="gate")])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12), st.floats(-5, 5))
def test_properties_of_differences(differences, shift):
    table = study(differences)
    moved = (table["gate"] == "continuous").fillna(False)
    table.loc[moved, "score_mig"] += shift
    found = paired(table, **WHAT, n_resamples=200).set_index("gate")
    assert (found["low"] <= found["difference"] + 1e-12).all()
    assert (found["difference"] <= found["high"] + 1e-12).all()
    assert found["p"].between(0, found["p_corrected"], inclusive="right").all()
    change = found["difference"] - found["difference"]["binary"]
    assert change["continuous"] == pytest.approx(shift, abs=1e-9)


def test_the_twin_minus_the_condition_is_the_negative():
    table = study([0.1, -0.3, 0.4, 0.3], gates=("binary",))
    found, swapped = paired(table, **WHAT), paired(table, **WHAT | {"against": "binary"})
    assert swapped["difference"][0] == -found["difference"][0]
    assert swapped["low"][0] == pytest.approx(-found["high"][0])
    assert swapped["p"][0] == found["p"][0]


def test_several_columns_of_conditions_pairs_and_values():
    once = study([0.1, 0.2, 0.3])
    table = pd.concat([once.assign(beta=1), once.assign(beta=4)], ignore_index=True)
    table["control"] = np.where(table["gate"].isna(), "none", "strength")
    found = paired(
        table,
        by=["gate", "control"],
        against=(None, "none"),
        value=["score_mig", "elbo"],
        pairs=["seed", "beta"],
        correction="fdr_bh",
    )
    assert found["value"].tolist() == ["score_mig", "elbo"] * 2
    assert found["n"].tolist() == [6] * 4
    elbo = found[found["value"] == "elbo"]
    assert (elbo["difference"] == -1).all() and (elbo["interval"] == "no spread").all()
    assert (elbo["low"] == -1).all() and (elbo["high"] == -1).all()


def test_runs_without_partner_are_counted():
    table = study([0.1, 0.2, 0.3, 0.1])
    table = table[~((table["seed"] == 3) & (table["gate"] == "binary").fillna(False))]
    found = paired(table, **WHAT)
    assert found["n"].tolist() == [3, 4] and found["unpaired"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("method", "expected"),
    [("holm", [0.03, 0.06, 0.06, 0.02]), ("fdr_bh", [0.02, 0.04, 0.04, 0.02])],
)
def test_corrections_by_hand(method, expected):
    """Holm: 4 x .005, 3 x .01, 2 x .03, .04 raised; BH: 4/1 x .005, 4/2 x .01, 4/3 x .03, .04."""
    np.testing.assert_allclose(corrected([0.01, 0.03, 0.04, 0.005], method), expected)


@pytest.mark.parametrize("test", ["signs", "t"])
def test_rounding_is_no_difference(test):
    values = [("none", 0.3), ("binary", 0.1 + 0.2)]
    rows = [(seed, gate, x) for seed in range(10) for gate, x in values]
    table = pd.DataFrame(rows, columns=["seed", "gate", "x"])
    found = paired(table, by="gate", against="none", value="x", test=test).iloc[0]
    assert found["difference"] == 0 and found["p"] == 1 and found["interval"] == "no spread"


def test_a_difference_that_is_constant_but_for_rounding_has_no_spread():
    rows = [(s, g, 0.37 * s + 0.1 * (g == "b")) for s in range(25) for g in "ab"]
    table = pd.DataFrame(rows, columns=["seed", "gate", "x"])
    found = paired(table, by="gate", against="a", value="x", test="t").iloc[0]
    assert found["interval"] == "no spread" and found["p"] == 0


def test_summary_of_groups():
    table = study([0.0] * 9)
    found = summary(table, "gate", ["score_mig", "elbo"]).set_index("value")
    assert len(found) == 6
    scores = table.loc[table["gate"].isna(), "score_mig"]
    first = found.loc["score_mig"].iloc[0]
    assert first["mean"] == pytest.approx(scores.mean())
    assert first["std"] == pytest.approx(scores.std())
    assert first["low"] < scores.mean() < first["high"] and first["interval"] == "t"
    assert found.loc["elbo", "interval"].tolist() == ["no spread"] * 3


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"value": "score_mgi"}, ValueError, "Did you mean 'score_mig'"),
        ({"by": "gates"}, ValueError, "`by`.*Did you mean 'gate'"),
        ({"pairs": "sed"}, ValueError, "`pairs`.*Did you mean 'seed'"),
        ({"value": []}, ValueError, "`value` must name one column or more"),
        ({"value": "gate"}, TypeError, "columns of numbers"),
        ({"against": "binray"}, ValueError, "gate=None; gate='binary'; gate='continuous'"),
        ({"against": ("binary", 3)}, ValueError, "`against`"),
        ({"correction": "bonferoni"}, ValueError, "`correction`"),
        ({"confidence": 95}, ValueError, "`confidence`"),
        ({"n_resamples": 10}, ValueError, "`n_resamples`"),
        ({"table": [1, 2]}, TypeError, "pandas DataFrame"),
        ({"by": 3}, ValueError, "`by` must name one column or more"),
        ({"value": "seed"}, ValueError, "`pairs` and `value`.*'seed' in both"),
        ({"by": "n"}, ValueError, "rename 'n'"),
        ({"seed": "x"}, TypeError, "`seed`"),
    ],
)
def test_misuse_is_said_in_a_line(change, error, match):
    table = study([0.1, 0.2])
    arguments = {"table": table.assign(n=table["gate"]), **WHAT} | change
    with pytest.raises(error, match=match) as caught:
        paired(arguments.pop("table"), **arguments)
    assert "Received" in str(caught.value) and "\n" not in str(caught.value)


def test_tables_that_do_not_fit():
    table = study([0.1, 0.2, 0.3])
    missing = table.assign(score_mig=table["score_mig"].where(table.index != 4))
    for compare in (lambda t: paired(t, **WHAT), lambda t: summary(t, "gate", "score_mig")):
        with pytest.raises(
            ValueError, match="1 of 9 NaN or infinite in 'score_mig', first in row 4"
        ):
            compare(missing)
    with pytest.raises(ValueError, match="seed=2 more than once where gate='binary'"):
        paired(pd.concat([table, table[7:8]]), **WHAT)
    with pytest.raises(ValueError, match="seed=0 more than once where gate=None"):
        paired(pd.concat([table, table[:1]]), **WHAT)
    with pytest.raises(ValueError, match="1 where gate='binary'"):
        paired(table[:3], **WHAT)
    with pytest.raises(ValueError, match="'seed', missing in row 0"):
        paired(table.assign(seed=table["seed"].where(table.index > 0)), **WHAT)
    with pytest.raises(ValueError, match="1 where gate=None"):
        summary(table[:3], "gate", "score_mig")


@pytest.mark.parametrize("p_values", [[], [0.5, np.nan], [-0.1], [[0.1, 0.2]]])
def test_what_is_no_list_of_p_values(p_values):
    with pytest.raises(ValueError, match="`p_values`"):
        corrected(p_values)
