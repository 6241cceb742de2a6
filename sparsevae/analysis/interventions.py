"""Pairs of images that differ in one factor only: what an encoder makes of small interventions."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from sparsevae.checks import check_choice, check_integer
from sparsevae.data.factors import KINDS
from sparsevae.data.ground_truth import FactorData, GroundTruthData
from sparsevae.metrics.validation import check_codes


@dataclasses.dataclass(frozen=True)
class Responses:
    """How codes react to each factor at some base points.

    Attributes:
        slopes: Float64 `(n_points, latent_dim, n_factors)`. For ordered factors the difference of
            codes for a step of one standard deviation of the factor; for cyclic ones for one of
            `sqrt(2) cos(angle)`; for categorical ones the difference to another value, so scaled
            that its mean square is the variance that the factor makes. A latent that is a linear
            function of one ordered factor alone, or of the cosine of a cyclic one, has a root mean
            square slope of its own standard deviation there.
        codes: Float64 `(n_points, latent_dim)`, of the base points.
        factor_names: Of the factors that take two values.
    """

    slopes: np.ndarray
    codes: np.ndarray
    factor_names: tuple[str, ...]


def responses(
    encode: Callable[[np.ndarray], np.ndarray],
    data: GroundTruthData,
    n_points: int,
    seed: int,
    kinds: Mapping[str, str] | None,
    batch_size: int,
) -> Responses:
    """Encodes base points and their neighbors; see `factor_jacobian` for arguments and errors."""
    check_integer("n_points", n_points, minimum=2)
    check_integer("batch_size", batch_size, minimum=1)
    if not isinstance(data, GroundTruthData):
        raise TypeError(
            "`data` must be a GroundTruthData, with one image for each combination of its factors: "
            f"factors are changed one at a time. Received: {data!r}"
        )
    kinds = kind_of_factors(data, kinds)
    varying = [k for k, size in enumerate(data.factor_sizes) if size > 1]
    if len(varying) < 2:
        raise ValueError(
            f"`data` must have two factors or more that take two values. Received: {len(varying)}"
        )
    if not callable(encode):
        raise TypeError(
            "`encode` must be a callable from images to codes, such as vae.codes. "
            f"Received: {type(encode).__name__}"
        )
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    base = data.sample_factors(n_points, rng)
    codes = _encoded(encode, data, base, batch_size)
    columns = []
    for k in varying:
        lower, upper, scale = neighbors(data, base, k, kinds[k], rng)
        change = _encoded(encode, data, upper, batch_size, codes.shape[1])
        change -= (
            codes if lower is base else _encoded(encode, data, lower, batch_size, codes.shape[1])
        )
        columns.append(change * scale[:, None])
    names = tuple(data.factor_names[k] for k in varying)
    return Responses(np.stack(columns, axis=2), codes, names)


def kind_of_factors(data: FactorData, kinds: Mapping[str, str] | None) -> tuple[str, ...]:
    """The kind of each factor: what the data says, or `kinds` where it names the factor.

    Raises:
        TypeError: if `kinds` is no mapping.
        ValueError: for an unknown factor or kind.
    """
    found = dict(zip(data.factor_names, data.factor_space.kinds, strict=True))
    if not isinstance(kinds, Mapping | None):
        raise TypeError(f"`kinds` must be None or a dict by factor. Received: kinds={kinds!r}")
    for name, kind in (kinds or {}).items():
        check_choice("kinds", name, tuple(found))
        check_choice("kinds", kind, KINDS)
        found[name] = kind
    return tuple(found.values())


def neighbors(
    data: GroundTruthData, base: np.ndarray, k: int, kind: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors below and above each base point along factor k, and what scales their difference.

    Ordered factors have neighbors on both sides but at the ends; cyclic ones everywhere, and if
    the last value shows the first one's picture, the two count once; a categorical value has any
    other value above, and itself below.

    Returns:
        Two int64 arrays like `base`, the first `base` itself if nothing lies below; and floats
        `(n_points,)` that turn differences of codes into slopes.
    """
    size, here = data.factor_sizes[k], base[:, k]
    if kind == "categorical":
        other = (here + rng.integers(1, size, len(base))) % size
        # squares of differences of unequal draws are 2 var size / (size - 1)
        scale = np.sqrt((size - 1) / (2 * size))
        return base, _changed(base, k, other), np.full(len(base), scale)
    if kind == "cyclic":
        period = size - closed(data, k)
        if period > 2:
            below, above = ((here + step) % period for step in (-1, 1))
            # cos(a + d) - cos(a - d) is -2 sin(d) sin(a), and sin(a) is as large as cos(a)
            scale = np.full(len(base), 1 / (2 * np.sin(2 * np.pi / period)))
            return _changed(base, k, below), _changed(base, k, above), scale
    below, above = np.maximum(here - 1, 0), np.minimum(here + 1, size - 1)
    scale = np.sqrt((size**2 - 1) / 12) / (above - below)
    return _changed(base, k, below), _changed(base, k, above), scale


def closed(data: GroundTruthData, k: int) -> bool:
    """Whether the first and the last value of factor k show the same pictures."""
    few = data.sample_factors(16, np.random.default_rng(0))
    ends = [_changed(few, k, value) for value in (0, data.factor_sizes[k] - 1)]
    return np.array_equal(*(data.observe(end) for end in ends))


def periods(data: FactorData, kinds: tuple[str, ...]) -> dict[int, int]:
    """Number of different values of each cyclic factor, by column.

    Whether the ends of a cycle are the same can be seen where there is an image for each
    combination; elsewhere they are taken to be neighbors.
    """
    on_grid = isinstance(data, GroundTruthData)
    return {
        k: size - (on_grid and closed(data, k))
        for k, (size, kind) in enumerate(zip(data.factor_sizes, kinds, strict=True))
        if kind == "cyclic"
    }


def _changed(base, k, values):
    changed = base.copy()
    changed[:, k] = values
    return changed


def _encoded(encode, data, factors, batch_size, latent_dim=None) -> np.ndarray:
    parts = []
    for start in range(0, len(factors), batch_size):
        batch = factors[start : start + batch_size]
        codes = np.asarray(encode(data.observe(batch)))
        if codes.ndim != 2 or codes.shape != (len(batch), latent_dim or codes.shape[1]):
            raise ValueError(
                "`encode` must return codes (n_images, latent_dim), as many in every call. "
                f"Received: shape {codes.shape} for {len(batch)} images"
            )
        latent_dim = codes.shape[1]
        parts.append(codes)
    return check_codes(np.concatenate(parts)).astype(np.float64)
