"""All scores of an encoder on a data set, from one draw of images encoded once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from tqdm import tqdm

from sparsevae.choices import check_choice
from sparsevae.metrics.activity import active_latents
from sparsevae.metrics.mutual_information_gap import mig
from sparsevae.metrics.validation import check_codes, check_count


class FactorData(Protocol):
    """What `evaluate` asks of a data set."""

    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Factors `(n, n_factors)` and images `(n, height, width, channels)`."""


@dataclass(frozen=True)
class Sample:
    """What a score is computed from: `codes (n, latent_dim)` and `factors (n, n_factors)`."""

    codes: np.ndarray
    factors: np.ndarray


# A new score is one line here: `evaluate` then reports it for all latents, for the active ones
# and for a perfect code.
SCORES: dict[str, Callable[[Sample], float]] = {
    "mig": lambda sample: mig(sample.codes, sample.factors),
}


def _active(sample: Sample) -> Sample:
    return replace(sample, codes=sample.codes[:, active_latents(sample.codes)])


def _perfect(sample: Sample) -> Sample:
    return replace(sample, codes=sample.factors.astype(np.float64))


VIEWS: dict[str, Callable[[Sample], Sample]] = {
    "": lambda sample: sample,
    "_active": _active,
    "_ceiling": _perfect,
}
NAMES = (*(score + view for score in SCORES for view in VIEWS), "active_latents")


def evaluate(
    encode: Callable[[np.ndarray], np.ndarray],
    data: FactorData,
    *,
    metrics: str | Iterable[str] = "all",
    seed: int = 0,
    n_samples: int = 10_000,
    batch_size: int = 1_000,
) -> dict[str, float]:
    """Scores of an encoder: draws images once, encodes them once, computes every score on them.

    Per score NAME: `NAME` over all latents, `NAME_active` over the active ones (0.0 if there is
    none) and `NAME_ceiling`, the score of a perfect code (each factor's index as one latent) on
    the same draw. `active_latents` counts the latents that `metrics.active_latents` keeps.
    Factors with a single value (the color of dSprites) carry no information and are left out.

    Args:
        encode: Callable from uint8 images `(n, height, width, channels)` to codes
            `(n, latent_dim)`; called with `batch_size` images at a time.
        data: Data set with `sample(n, rng)`, `factor_names` and `factor_sizes`.
        metrics: "all", or the names wanted.
        seed: Of the draw; the same seed draws the same images for every encoder.
        n_samples: Images drawn, at least 2. They are held in memory.
        batch_size: Images per call of `encode`, at least 1.

    Returns:
        Dict from name to float, in the order asked for.

    Raises:
        TypeError: if a count is not an integer or the codes are not numbers.
        ValueError: if a name is unknown, the codes have a wrong shape or are not finite, or
            `n_samples` is too small to show two values of a factor.
    """
    names = _check_names(metrics)
    n_samples = check_count("n_samples", n_samples, minimum=2)
    batch_size = check_count("batch_size", batch_size, minimum=1)
    factors, images = data.sample(n_samples, np.random.default_rng(seed))
    varied = np.asarray(data.factor_sizes) > 1
    sample = Sample(_encode_in_batches(encode, images, batch_size), factors[:, varied])
    return {name: _score(name, sample) for name in names}


def _score(name: str, sample: Sample) -> float:
    """Value of one of `NAMES`."""
    if name == "active_latents":
        return float(active_latents(sample.codes).sum())
    score = next(score for score in SCORES if name.removeprefix(score) in VIEWS)
    viewed = VIEWS[name.removeprefix(score)](sample)
    return SCORES[score](viewed) if viewed.codes.shape[1] else 0.0


def _encode_in_batches(encode: Callable, images: np.ndarray, batch_size: int) -> np.ndarray:
    """Codes `(n_samples, latent_dim)` of images, checked batch by batch."""
    batches = []
    starts = range(0, len(images), batch_size)
    for start in tqdm(starts, desc="Encoding", unit="batch", leave=False, disable=None):
        batch = images[start : start + batch_size]
        codes = np.asarray(encode(batch))
        expected = (len(batch), *(batches[0].shape[1:] if batches else codes.shape[1:]))
        if codes.ndim != 2 or codes.shape != expected:
            raise ValueError(
                "`encode` must return codes (n_images, latent_dim) of one latent_dim. "
                f"Received: shape {codes.shape} for {len(batch)} images from image {start} on"
            )
        batches.append(check_codes(codes))
    return np.concatenate(batches)


def _check_names(metrics: str | Iterable[str]) -> list[str]:
    """The names asked for, each once, or an error that lists the choice."""
    if isinstance(metrics, str):
        names = list(NAMES) if metrics == "all" else [metrics]
    else:
        names = list(dict.fromkeys(metrics))
    if not names:
        raise ValueError('`metrics` must be "all" or at least one name. Received: no name')
    for name in names:
        check_choice("metrics", name, NAMES)
    return names
