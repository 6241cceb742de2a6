"""Scores at equal ELBO: lines with known values, the nearest run, what is not reached."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_tables import swept

from sparsevae.analysis import matched_elbo, paired

WHAT = {"by": "gate", "against": "none", "value": "score_mig"}


def line(elbo):
    return 0.9 + 0.01 * elbo


def test_a_line_is_read_off_at_the_twins_elbo():
    table = swept(line, [-28.0, -31.0, -33.0])
    found = matched_elbo(table, **WHAT)
    assert list(found.columns) == ["gate", "seed", "elbo", "score_mig", "elbo_gap"]
    assert found["gate"].tolist() == ["none"] * 3 + ["binary"] * 3
    assert (found["elbo"] == -30).all() and (found["elbo_gap"] == 0).all()
    np.testing.assert_allclose(found["score_mig"], [0.5] * 3 + [line(-30)] * 3)
    compared = paired(found, **WHAT)
    assert compared["difference"][0] == pytest.approx(line(-30) - 0.5)
    assert compared["n"][0] == 3 and compared["unpaired"][0] == 0


def test_a_difference_that_is_all_elbo_is_gone_at_equal_elbo():
    """Scores that depend on the ELBO alone: unmatched, sparser runs seem better."""
    table = swept(lambda e: 0.5 - 0.05 * (e + 30), [-29.0, -31.5, -34.0])
    raw = paired(table[(table["gate"] == "none") | (table["elbo"] == -34)], **WHAT)
    assert raw["difference"][0] == pytest.approx(0.2)
    assert paired(matched_elbo(table, **WHAT), **WHAT)["difference"][0] == pytest.approx(0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(-40, -20), st.floats(0, 1)), min_size=1, max_size=6))
def test_never_outside_of_the_two_neighbors_nor_beyond_the_range(points):
    table = swept(dict(points).get, list(dict(points)), n_seeds=2)
    elbos, scores = np.array(sorted(dict(points).items())).T
    found = matched_elbo(table, **WHAT, unreached="leave_out")
    found = found[found["gate"] == "binary"]
    if not elbos[0] <= -30 <= elbos[-1]:
        assert found.empty
        return
    k = np.searchsorted(elbos, -30)
    around = scores[max(k - 1, 0) : k + 1]
    assert len(found) == 2
    assert found["score_mig"].between(around.min() - 1e-9, around.max() + 1e-9).all()


def test_the_nearest_run_within_a_tolerance():
    table = swept(line, [-29.0, -30.25, -33.0])
    found = matched_elbo(table, **WHAT, tolerance=0.5)
    binary = found[found["gate"] == "binary"]
    np.testing.assert_array_equal(binary["elbo"], [-30.25] * 3)
    np.testing.assert_array_equal(binary["elbo_gap"], [-0.25] * 3)
    np.testing.assert_allclose(binary["score_mig"], line(-30.25))


def test_runs_of_equal_elbo_count_with_their_mean():
    table = swept(line, [-29.0, -30.0])
    table = pd.concat([table, table[table["elbo"] == -30.0].assign(score_mig=0.8)])
    table = table.drop_duplicates(["seed", "gate", "score_mig"])
    twin = table["gate"] == "none"
    table = pd.concat([table[twin].drop_duplicates("seed"), table[~twin]])
    table.loc[(table["score_mig"] == 0.8), "gate"] = "binary"
    found = matched_elbo(table, **WHAT)
    binary = found[found["gate"] == "binary"]
    np.testing.assert_allclose(binary["score_mig"], (line(-30) + 0.8) / 2)


@pytest.mark.parametrize(
    ("tolerance", "where"), [(None, "between those"), (0.5, "within 0.5 of one")]
)
def test_an_elbo_out_of_reach_is_refused_or_left_out(tolerance, where):
    table = swept(line, [-31.0, -33.0])
    far = (table["gate"] == "binary") & (table["seed"] != 1)
    table.loc[far, "elbo"] += 1.0  # -30 and -32, so seed 1 alone does not reach
    expected = f"{where}.*-30 for seed=1, where gate='binary' has -33 to -31"
    with pytest.raises(ValueError, match=expected) as caught:
        matched_elbo(table, **WHAT, tolerance=tolerance)
    assert "\n" not in str(caught.value)
    found = matched_elbo(table, **WHAT, tolerance=tolerance, unreached="leave_out")
    assert found.loc[found["gate"] == "binary", "seed"].tolist() == [0, 2]
    assert paired(found, **WHAT)["unpaired"][0] == 1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"elbo": "elbow"}, "Did you mean 'elbo'"),
        ({"value": "score"}, "`value`"),
        ({"tolerance": -1}, "`tolerance`"),
        ({"unreached": "drop"}, "`unreached`"),
        ({"against": "dense"}, "gate='none'; gate='binary'"),
        ({"against": "binary"}, "seed=0 more than once where gate='binary'"),
    ],
)
def test_misuse_is_said_in_a_line(change, match):
    with pytest.raises(ValueError, match=match) as caught:
        matched_elbo(swept(line, [-29.0, -31.0]), **WHAT | change)
    assert "Received" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_elbo_is_said():
    table = swept(line, [-29.0, -31.0])
    with pytest.raises(ValueError, match="1 of 9 NaN or infinite in 'elbo', first in row 4"):
        matched_elbo(table.assign(elbo=table["elbo"].where(table.index != 4)), **WHAT)
