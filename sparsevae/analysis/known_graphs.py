"""How well a wiring that was found agrees with a known one."""

import dataclasses

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Agreement with the known graph after latents are matched to factors.

    Attributes:
        f1: Harmonic mean of precision and recall of edges, in [0, 1].
        precision: Share of the edges found that are true; 0 if none is found.
        recall: Share of the true edges that are found.
        shd: Structural Hamming distance: edges to add or to remove.
        latent_of: Integers `(n_factors,)`, the latent matched to each factor; -1 for none.
    """

    f1: float
    precision: float
    recall: float
    shd: int
    latent_of: np.ndarray


def recovery(reach: np.ndarray, truth: np.ndarray) -> Recovery:
    """Compares which latent reaches which feature with which factor does.

    Latents are matched to factors, one to one, such that they share as many edges as can be. Edges
    of latents without a factor are wrong ones, those of factors without a latent are missing.

    Args:
        reach: Booleans `(latent_dim, ...)`, such as `wiring(vae).reach`.
        truth: Booleans `(n_factors, ...)` of as many features, such as
            `data.pixel_graph` of `mechanisms`.

    Raises:
        TypeError: if an array is not boolean.
        ValueError: if they have other numbers of features, or `truth` has no edge.
    """
    reach, truth = np.asarray(reach), np.asarray(truth)
    for name, value in (("reach", reach), ("truth", truth)):
        if value.dtype != bool:
            raise TypeError(f"`{name}` must be booleans. Received: dtype {value.dtype}")
    n_reach, n_truth = (int(np.prod(value.shape[1:])) for value in (reach, truth))
    if not truth.any() or n_reach != n_truth or reach.ndim < 2:
        raise ValueError(
            "`truth` must have an edge, and as many features for each factor as `reach` has for "
            f"each latent. Received: shapes {truth.shape} and {reach.shape}, {truth.sum()} edges"
        )
    reach, truth = reach.reshape(len(reach), -1), truth.reshape(len(truth), -1)
    shared = truth.astype(np.int64) @ reach.T.astype(np.int64)
    factors, latents = linear_sum_assignment(shared, maximize=True)
    latent_of = np.full(len(truth), -1)
    latent_of[factors] = latents
    n_right = int(shared[factors, latents].sum())
    n_found, n_true = int(reach.sum()), int(truth.sum())
    return Recovery(
        f1=2 * n_right / (n_found + n_true),
        precision=n_right / n_found if n_found else 0.0,
        recall=n_right / n_true,
        shd=n_found + n_true - 2 * n_right,
        latent_of=latent_of,
    )
