import numpy as np
import pytest

from sparsevae.study.searches.front import chebyshev, knee_first, normalized, pareto_front

RNG = np.random.default_rng(0)
COSTS = [RNG.random((40, n)) for n in (1, 2, 3)]


@pytest.mark.parametrize("costs", COSTS, ids=lambda c: f"{c.shape[1]} objectives")
def test_nothing_beats_the_front_and_something_beats_all_else(costs):
    on_front = pareto_front(costs)

    def beats(a, b):
        return (a <= b).all() and (a < b).any()

    for i, point in enumerate(costs):
        assert on_front[i] == (not any(beats(other, point) for other in costs))


def test_the_front_does_not_depend_on_order_or_scale():
    costs = COSTS[1]
    order = RNG.permutation(len(costs))
    np.testing.assert_array_equal(pareto_front(costs)[order], pareto_front(costs[order]))
    np.testing.assert_array_equal(pareto_front(costs), pareto_front(np.exp(costs) * [1, 100]))


def test_equal_points_and_unknown_ones():
    costs = np.array([[1.0, 2.0], [1.0, 2.0], [np.nan, 0.0], [2.0, 2.0]])
    assert pareto_front(costs).tolist() == [True, True, False, False]
    assert pareto_front(np.zeros((0, 2))).tolist() == []


def test_normalized_is_the_unit_interval():
    scaled = normalized(COSTS[1] * 7 - 3)
    assert scaled.min(axis=0).tolist() == [0, 0] and scaled.max(axis=0).tolist() == [1, 1]
    assert normalized([[5.0, 1.0], [5.0, 2.0]])[:, 0].tolist() == [0, 0]


def test_every_weighting_chooses_from_the_front_and_together_they_reach_all_of_it():
    angle = np.linspace(0, np.pi / 2, 9)
    concave = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # no weighted sum reaches its middle
    costs = normalized(np.concatenate([concave, concave + 0.2]))
    chosen = {
        int(chebyshev(costs, np.array([share, 1 - share])).argmin())
        for share in np.linspace(0.02, 0.98, 200)
    }
    front = set(np.flatnonzero(pareto_front(costs)).tolist())
    assert chosen <= front and len(chosen) >= len(front) - 2  # all but next to an end


def test_of_equal_largest_costs_the_others_decide():
    """Else a point that is beaten could be called as good as the one that beats it."""
    beaten, better = chebyshev(np.array([[1.0, 0.5], [1.0, 0.2]]), np.array([0.5, 0.5]))
    assert better < beaten


def test_the_knee_comes_first():
    costs = np.array([[0.0, 1.0], [0.1, 0.1], [1.0, 0.0], [0.5, 0.5]])
    assert knee_first(costs).tolist()[0] == 1
    assert sorted(knee_first(costs)) == [0, 1, 2]
    assert knee_first(COSTS[0]).tolist() == [COSTS[0][:, 0].argmin()]
