"""Many channels as few nodes."""

import numpy as np


def grouped(labels: np.ndarray, n_groups: int) -> list[np.ndarray]:
    """Cuts channels that stand in order into groups of neighbours.

    Cut where the label changes, then through the largest groups; into equal parts if labels change
    more often than there are groups.

    Args:
        labels: Array `(n,)`, the label of each channel.
        n_groups: Most groups, at least 1.

    Returns:
        Positions `(size,)` of each group's channels, in order; each channel alone if they fit.
    """
    n = len(labels)
    if n <= n_groups:
        return [np.array([place]) for place in range(n)]
    runs = np.split(np.arange(n), np.flatnonzero(labels[1:] != labels[:-1]) + 1)
    if len(runs) > n_groups:
        return np.array_split(np.arange(n), n_groups)
    pieces = np.ones(len(runs), int)
    sizes = np.array([len(run) for run in runs])
    for _ in range(n_groups - len(runs)):
        pieces[np.argmax(sizes / pieces)] += 1
    return [part for run, k in zip(runs, pieces, strict=True) for part in np.array_split(run, k)]


def components(is_open: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which channels of a layer hang together by open links.

    Args:
        is_open: Booleans `(in, out)`.

    Returns:
        Integers `(in,)` and `(out,)`: the number of each channel's component, those with the most
        input channels first; -1 for a channel without an open link.
    """
    n_in = len(is_open)
    inputs, before = np.arange(n_in), None
    while not np.array_equal(inputs, before):  # the least number spreads
        before = inputs
        outputs = np.where(is_open, inputs[:, None], n_in).min(axis=0)
        inputs = np.minimum(inputs, np.where(is_open, outputs, n_in).min(axis=1))
    inputs = np.where(is_open.any(axis=1), inputs, n_in)
    numbers, sizes = np.unique(inputs[inputs < n_in], return_counts=True)
    new = np.full(n_in + 1, -1)
    new[numbers[np.argsort(-sizes, kind="stable")]] = np.arange(len(numbers))
    return new[inputs], new[outputs]


def serial(is_open: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in which channels that share links stand near each other, as an order by spectrum.

    Returns:
        Floats `(in,)` and `(out,)` to sort by: the second singular vectors of the links, each
        divided by the roots of its ends' numbers of links (Dhillon 2001, co-clustering).
    """
    degrees = [np.maximum(is_open.sum(axis=axis), 1) ** 0.5 for axis in (1, 0)]
    left, _, right = np.linalg.svd(is_open / np.outer(*degrees), full_matrices=False)
    second = min(1, len(right) - 1)
    found = left[:, second] / degrees[0], right[second] / degrees[1]
    sign = np.sign(found[0][np.argmax(np.abs(found[0]))]) or 1.0
    return found[0] * sign, found[1] * sign
