"""What each latent does to the image, and how far latents interfere with each other."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sparsevae.analysis import decoder_scores as scores
from sparsevae.analysis.curvatures import Curvature, curvature
from sparsevae.analysis.jacobians import METHODS, decoded, jacobians
from sparsevae.checks import check_choice, check_integer, is_number
from sparsevae.metrics.validation import check_codes


@dataclasses.dataclass(frozen=True)
class DecoderView:
    """A decoder looked at from base points. J is its Jacobian with a column for each latent.

    Scores are means over the base points, and are of active latents only; lower is better but for
    `sparsity`.

    Attributes:
        sparsity: Hoyer's sparsity of the entries of J, in [0, 1]: 0 if all are equal in size, 1 if
            one latent moves one output. NaN if no latent moves anything.
        ima_contrast: Nats, 0 or above; 0 if the columns of J are orthogonal, infinite if they are
            linearly dependent somewhere. Grows with the number of active latents.
        column_cosine: Mean absolute cosine between columns, in [0, 1].
        compositional_contrast: 0 or above; 0 if one latent at most moves each pixel. In squared
            units of the derivatives.
        overlap: The same as a share of its largest value, in [0, 1].
        hessian_penalty: Twice the sum of squared second derivatives with respect to two different
            latents, at the output where it is largest.
        hessian_ratio: Their share in the squares of all second derivatives, in [0, 1]: 0 if the
            image is a sum of functions of one latent each, 1 if latents only act together.
        points: Table of these scores, one row for each base point.
        table: Table of latents: `gain`, root mean square norm of its column; `active`; `sparsity`
            of its column; `largest_cosine`, mean over base points of the absolute cosine with the
            latent where that is largest; `overlap` and `hessian_ratio`, share of its products with
            other latents in its products with all. NaN for latents that are not active.
        cosines: `(latent_dim, latent_dim)`, mean over base points of the absolute cosine between
            columns; NaN with a latent that is not active.
        pixel_maps: `(latent_dim, height, width, channels)`, root mean square over base points of
            the derivative of each output.
        derivative_error: Largest difference between finite differences of four and of two
            neighbors, an upper estimate of the error of the former, in units of `pixel_maps`; 0 if
            derivatives are exact.
        hessian_error: Second derivatives up to this are taken for rounding, and are 0. About 1e-3
            for a float32 decoder of images in [0, 1], and too much to be of use for a bfloat16 one.
    """

    sparsity: float
    ima_contrast: float
    column_cosine: float
    compositional_contrast: float
    overlap: float
    hessian_penalty: float
    hessian_ratio: float
    points: pd.DataFrame
    table: pd.DataFrame
    cosines: np.ndarray
    pixel_maps: np.ndarray
    derivative_error: float
    hessian_error: float


def decoder_view(
    decode: Callable[[Any], Any],
    codes: np.ndarray,
    *,
    method: str = "autodiff",
    step: float = 0.05,
    hessian_step: float = 0.1,
    threshold: float = 0.01,
    batch_size: int = 256,
) -> DecoderView:
    """How the image depends on each latent, at some base points.

    A latent is active if the norm of its column of J, in root mean square over the base points, is
    at least `threshold` times that of the strongest. Dead latents change no score, and have rows
    of NaN; so has an active latent no part where its column is exactly 0.

    All scores are unchanged when latents are permuted or negated; `ima_contrast`, `column_cosine`
    also when each is rescaled, and `sparsity`, `overlap` and `hessian_ratio` when the image is.

    Args:
        decode: Callable from codes `(n, latent_dim)` to images `(n, height, width, channels)`, or
            to any `(n, ...)`; each row depends on its own codes only. For "autodiff" a Keras model
            or another function of tensors, called with those of `keras.config.floatx()`; for
            "differences" any function of NumPy arrays, called with the float type of `codes`. For
            a `SparseVAE`: `lambda z: vae.decode(z).mean()`, as its decoder alone gives logits.
        codes: Base points, float array `(n, latent_dim)`, such as posterior means.
        method: "autodiff", exact derivatives by forward mode of TensorFlow or JAX; "differences",
            central differences of four neighbors, whose error shrinks with `step^4`.
        step: Of these, in units of the latents.
        hessian_step: Of second differences, for either method. They are exact where the decoder is
            quadratic. Each base point costs about `active^2` images.
        threshold: In [0, 1); 0 takes in all latents that move anything.
        batch_size: Images decoded at a time.

    Raises:
        TypeError: if `codes` are not real numbers or `decode` is not callable.
        ValueError: for an argument out of range, for outputs that are not finite, and if "autodiff"
            finds no derivative.

    References:
        Hoyer 2004; Gresele et al. 2021, 2106.05200; Brady et al. 2023, 2305.14229; see
        `decoder_scores`. Peebles et al. 2020, The Hessian Penalty, section 3, 2008.10599: their
        penalty is an estimate by random directions of what `hessian_penalty` sums up, and the step
        is theirs; the ratio is ours.
    """
    _check(decode, method, threshold, step=step, hessian_step=hessian_step)
    check_integer("batch_size", batch_size, minimum=1)
    codes = check_codes(codes, min_samples=1)
    parts, total, error = [], 0.0, 0.0
    for jacobian, difference in jacobians(decode, codes, method, step, batch_size):
        parts.append(scores.products(jacobian))
        total = total + np.square(jacobian).sum(axis=0)
        error = max(error, difference)
    everything = scores.joined(parts)
    gain = np.sqrt(np.square(scores.norms(everything.gram)).mean(axis=0))
    active = (gain > 0) & (gain >= threshold * gain.max())

    def images(z):
        return decoded(decode, z, method)

    curvatures = [curvature(images, z, active, hessian_step, batch_size) for z in codes]
    points = _points(everything.of(active), curvatures)
    cosines = _masked(_mean_cosines(everything.gram), active)
    return DecoderView(
        **points.mean().to_dict(),
        points=points,
        table=_table(everything, gain, active, cosines, curvatures),
        cosines=cosines,
        pixel_maps=np.sqrt(total / len(codes)),
        derivative_error=error,
        hessian_error=max(found.error for found in curvatures),
    )


def _check(decode, method, threshold, **steps):
    if not callable(decode) or hasattr(decode, "decode"):
        raise TypeError(
            "`decode` must be a callable from codes to images, such as "
            f"`lambda z: vae.decode(z).mean()`. Received: {type(decode).__name__}"
        )
    check_choice("method", method, METHODS)
    for name, step in steps.items():
        if not (is_number(step) and 0 < step < math.inf):
            raise ValueError(f"`{name}` must be a finite float above 0. Received: {name}={step!r}")
    if not (is_number(threshold) and 0 <= threshold < 1):
        raise ValueError(
            f"`threshold` must be a float in [0, 1). Received: threshold={threshold!r}"
        )


def _points(products: scores.Products, curvatures: list[Curvature]) -> pd.DataFrame:
    gram, shared = products.gram, products.shared
    norm = np.linalg.norm(scores.norms(gram), axis=1)
    n_entries = products.n_outputs * gram.shape[1]
    columns = {
        "sparsity": scores.hoyer_sparsity(products.lengths.sum(axis=1), norm, n_entries),
        "ima_contrast": scores.ima_contrast(gram),
        "column_cosine": scores.mean_cosine(gram),
        "compositional_contrast": scores.compositional_contrast(shared),
        "overlap": scores.overlap(shared),
        "hessian_penalty": [found.penalty for found in curvatures],
        "hessian_ratio": [found.ratio for found in curvatures],
    }
    return pd.DataFrame(columns).rename_axis("point")


def _table(products, gain, active, cosines, curvatures) -> pd.DataFrame:
    columns = scores.hoyer_sparsity(
        products.lengths, scores.norms(products.gram), products.n_outputs
    )
    shared = np.where(np.outer(active, active), products.shared.sum(axis=0), 0.0)
    squares = np.sum([found.squares for found in curvatures], axis=0)
    others = np.where(np.eye(len(gain), dtype=bool), 0.0, np.nan_to_num(cosines))
    table = {
        "gain": gain,
        "active": active,
        "sparsity": np.where(active, _mean(columns), np.nan),
        "largest_cosine": np.where(active, others.max(axis=1), np.nan),
        "overlap": np.where(active, _share_with_others(shared), np.nan),
        "hessian_ratio": np.where(active, _share_with_others(squares), np.nan),
    }
    return pd.DataFrame(table).rename_axis("latent")


def _share_with_others(matrix):
    """Of each row's sum the part off the diagonal; 0 for rows of zeros."""
    total = matrix.sum(axis=1)
    return np.where(total > 0, 1 - matrix.diagonal() / np.where(total > 0, total, 1.0), 0.0)


def _mean_cosines(gram):
    return _mean(np.abs(scores.cosines(gram)))


def _mean(values):
    """Mean over base points where there is a value; NaN if there is none."""
    there = ~np.isnan(values)
    n = there.sum(axis=0)
    return np.where(n > 0, np.where(there, values, 0.0).sum(axis=0) / np.maximum(n, 1), np.nan)


def _masked(matrix, latents):
    return np.where(np.outer(latents, latents), matrix, np.nan)
