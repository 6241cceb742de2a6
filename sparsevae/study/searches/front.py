"""Several objectives at once: the Pareto front, and one number where one is needed."""

import numpy as np

AUGMENTATION = 0.05


def pareto_front(costs: np.ndarray) -> np.ndarray:
    """Which points no other point beats: none is at least as low everywhere and lower somewhere.

    Args:
        costs: Float array `(n_points, n_objectives)`, lower is better; points with NaN are never
            on the front.

    Returns:
        Booleans `(n_points,)`. Of equal points all are on the front or none.
    """
    costs = np.asarray(costs, np.float64)
    known = ~np.isnan(costs).any(axis=1)
    on_front = known.copy()
    for i in np.flatnonzero(known):
        no_worse = (costs[known] <= costs[i]).all(axis=1)
        better = (costs[known] < costs[i]).any(axis=1)
        on_front[i] = not (no_worse & better).any()
    return on_front


def normalized(costs: np.ndarray) -> np.ndarray:
    """Each objective scaled to 0 (best known) ... 1 (worst known); 0 where all are equal."""
    costs = np.asarray(costs, np.float64)
    low, high = costs.min(axis=0), costs.max(axis=0)
    return (costs - low) / np.where(high > low, high - low, 1.0)


def chebyshev(costs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One number for each point, lowest at one point of the front: `(n_points,)`.

    The largest weighted objective plus a little of their sum. With weights drawn anew for each
    proposal, a search for its minimum visits the whole front, also where it is not convex.

    Args:
        costs: Float array `(n_points, n_objectives)`, normalized.
        weights: `(n_objectives,)`, at least 0, of sum 1.

    References:
        Knowles 2006, ParEGO, IEEE Trans. Evol. Comput. 10(1), equation 2.
    """
    weighted = costs * weights
    return weighted.max(axis=1) + AUGMENTATION * weighted.sum(axis=1)


def knee_first(costs: np.ndarray) -> np.ndarray:
    """Numbers of the points on the front, from the one nearest to the best of all objectives."""
    on_front = np.flatnonzero(pareto_front(costs))
    distance = np.linalg.norm(normalized(np.asarray(costs)[on_front]), axis=1)
    return on_front[np.argsort(distance, kind="stable")]
