"""All scores of an encoder on a data set, from images that are drawn and encoded once."""

from collections.abc import Callable, Iterable

import numpy as np
from tqdm import tqdm

from sparsevae.checks import check_choice, check_integer
from sparsevae.metrics.activity import active_latents
from sparsevae.metrics.encoding import ImagesWithFactors, encode_once, factors_to_score
from sparsevae.metrics.registry import SCORES, SLOW, UNSUPERVISED, View, draw_images

# Half the width of a 95 % interval, in standard errors.
_HALF_WIDTH = 1.96


def evaluate(
    encode: Callable[[np.ndarray], np.ndarray],
    data: ImagesWithFactors,
    *,
    metrics: str | Iterable[str] = "all",
    seed: int = 0,
    n_samples: int = 10_000,
    n_bootstrap: int = 0,
    batch_size: int = 1_000,
) -> dict[str, float]:
    """Scores of an encoder: draws images, encodes each once, computes every score on the codes.

    Per value NAME of a score: `NAME` over all latents, `NAME_active` over the active ones (0 if
    there is none) and `NAME_ceiling`, the value of a perfect code (each factor's index as one
    latent) on the same draw: the top of the scale for most scores, and well below 1 for some.
    `spread_latents` counts these: the latents that `metrics.active_latents` keeps, whose codes
    spread by at least its threshold (`active_latents`, in the logs of a model, counts by KL).
    Images are drawn uniformly with replacement. Factors with a single value are left out.

    A score of several values has a suffix for each, such as `dci_fast_completeness`. "dci" and
    "unified_dci", with exact trees, take minutes: they must be asked for by name, and "all" has
    "dci_fast" and "unified_dci_fast" in their place.

    With `n_bootstrap`, `NAME_low` and `NAME_high` bound a 95 % interval: the value plus and minus
    1.96 standard deviations over bootstrap samples, refitted for each. (Their percentiles would
    be off: resampled codes hold duplicates, which raises every estimate of information.) It is
    about the images drawn, not about training another model.

    Of a data set without factors, or with one value of each, only the unsupervised scores can be
    computed, which is what "all" then means; there is no ceiling.

    Args:
        encode: Callable from uint8 images `(n, height, width, channels)` to codes
            `(n, latent_dim)`; called with `batch_size` images at a time.
        data: Data set with `images(indices)`, a length and, if they are known,
            `factors(indices)`.
        metrics: "all", or the names wanted; one of them may be "all".
        seed: Of the draw and the fits; the same seed draws the same images for every encoder.
        n_samples: Images drawn for training, at least 2, and votes of 64 images for the scores
            that take them; half as many for testing.
        n_bootstrap: Bootstrap samples, 0 for no intervals, else at least 2.
        batch_size: Images per call of `encode`, at least 1.

    Returns:
        Dict from name to finite float, in the order asked for.

    Raises:
        TypeError: if a count is not an integer or the codes are not numbers.
        ValueError: if a name is unknown, a score needs factors and the data set has none that
            takes two values, the codes have a wrong shape or are not finite, or a count is too
            small.
    """
    asked = [metrics] if isinstance(metrics, str) else list(metrics)
    names = score_names(asked)
    n_samples = check_integer("n_samples", n_samples, minimum=4)
    batch_size = check_integer("batch_size", batch_size, minimum=1)
    if check_integer("n_bootstrap", n_bootstrap, minimum=0) == 1:
        raise ValueError("`n_bootstrap` must be 0 or at least 2. Received: n_bootstrap=1")
    factors = factors_to_score(data)
    has_factors = bool(factors.shape[1])
    if not has_factors:
        names = _without_factors(asked, names, data)
    rng = np.random.default_rng(seed)
    draw = draw_images(factors, names, n_samples, rng)
    table = encode_once(encode, data, draw.images(), batch_size)
    active = active_latents(table[draw.train.images])
    tables = {"": table, "_active": table[:, active]}
    with tqdm(desc="Scoring", unit=" scores", delay=1, leave=False, disable=None) as bar:
        bar.total = len(names) * (2 + has_factors + 2 * n_bootstrap)

        def compute(tables, draw):
            views = {end: View(codes, factors, draw, seed) for end, codes in tables.items()}
            return _compute(names, views, bar)

        ceiling = {"_ceiling": factors.astype(np.float64)} if has_factors else {}
        scores = compute({**tables, **ceiling}, draw)
        resampled = [compute(tables, draw.resampled(rng)) for _ in range(n_bootstrap)]
    scores = _with_intervals(scores, resampled)
    return {**scores, "spread_latents": float(active.sum())}


def _without_factors(asked: list[str], names: list[str], data: ImagesWithFactors) -> list[str]:
    """The unsupervised scores among `names`; others may come from "all" only."""
    refused = [name for name in asked if name not in ("all", *UNSUPERVISED)]
    if refused:
        known = hasattr(data, "factors")
        lack = "whose factors have one value each" if known else "which has no factors"
        raise ValueError(
            f"`metrics` must be among {', '.join(UNSUPERVISED)} for {getattr(data, 'name', 'data')}"
            f", {lack}. Received: {', '.join(refused)}"
        )
    return [name for name in names if name in UNSUPERVISED]


def _compute(names: list[str], views: dict[str, View], bar: tqdm) -> dict[str, float]:
    """Every score in every view, named by score, suffix and view."""
    latent_dim = views[""].table.shape[1]
    scores = {}
    for name in names:
        of_all = {}
        for end, view in views.items():
            bar.set_postfix_str(f"{name}{end}", refresh=False)
            if not view.table.shape[1]:
                values = dict.fromkeys(of_all, 0.0)
            elif end == "_active" and view.table.shape[1] == latent_dim:
                values = of_all
            else:
                values = SCORES[name].compute(view)
            of_all = of_all or values  # the first view
            scores |= {f"{name}{suffix}{end}": float(value) for suffix, value in values.items()}
            bar.update()
    return scores


def _with_intervals(
    scores: dict[str, float], resampled: list[dict[str, float]]
) -> dict[str, float]:
    """The scores, each with a bootstrap followed by the ends of its interval."""
    with_intervals = {}
    for name, value in scores.items():
        with_intervals[name] = value
        if resampled and name in resampled[0]:
            half = _HALF_WIDTH * float(np.std([sample[name] for sample in resampled], ddof=1))
            with_intervals |= {f"{name}_low": value - half, f"{name}_high": value + half}
    return with_intervals


def score_names(metrics: str | Iterable[str]) -> list[str]:
    """Names of scores, each once, with "all" spelled out.

    Raises:
        ValueError: if a name is unknown or there is none.
        TypeError: if a name is not a string.
    """
    asked = [metrics] if isinstance(metrics, str) else list(metrics)
    if not asked:
        raise ValueError('`metrics` must be "all" or at least one name. Received: no name')
    for name in asked:
        check_choice("metrics", name, ("all", *SCORES))
    quick = [name for name in SCORES if name not in SLOW]
    names = [n for name in asked for n in (quick if name == "all" else [name])]
    return list(dict.fromkeys(names))
