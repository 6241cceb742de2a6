"""Beta-VAE score: can a linear classifier tell which factor a pair of images shares?"""

import dataclasses
from collections.abc import Callable

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.encoding import ImagesWithFactors, SharedValue, encode_once
from sparsevae.metrics.validation import check_batches

_CHUNK = 128  # differences handled at a time: they stay in the processor's cache


@dataclasses.dataclass(frozen=True)
class BetaVAEScore:
    """Accuracies of the classifier, in [0, 1].

    Attributes:
        eval_accuracy: The score.
        train_accuracy: On the pairs it was trained on.
    """

    eval_accuracy: float
    train_accuracy: float


def beta_vae_from_pairs(
    train_first: np.ndarray,
    train_second: np.ndarray,
    train_factor: np.ndarray,
    eval_first: np.ndarray,
    eval_second: np.ndarray,
    eval_factor: np.ndarray,
) -> BetaVAEScore:
    """Beta-VAE score from codes of pairs of images drawn elsewhere.

    The mean absolute difference of the codes of pairs that share one factor is the input of a
    logistic regression (scikit-learn's defaults) that names the factor. Unchanged when latents are
    permuted or negated, or joined by dead ones. Not when they are rescaled: the regression is
    regularized and its input raw, so codes a tenth as large can score half. A factor may be spread
    over several latents unpunished.

    Args:
        train_first: Float array `(n_points, batch, latent_dim)`, first images of the pairs.
        train_second: Float array `(n_points, batch, latent_dim)`, second images.
        train_factor: Integer array `(n_points,)`, the factor that the pairs of a point share.
        eval_first: Float array `(n_eval_points, batch, latent_dim)`.
        eval_second: Float array `(n_eval_points, batch, latent_dim)`.
        eval_factor: Integer array `(n_eval_points,)`.

    Returns:
        Accuracies in [0, 1], higher is better. Chance is one by the number of factors; with a
        single factor nothing is asked and the accuracy is 1.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if shapes disagree, a value is not finite or a factor negative or not whole.

    References:
        Higgins et al. 2017, beta-VAE, section 3 (one difference of codes less); regression and
        features as in disentanglement_lib.
    """
    latent_dim = np.shape(train_first)[-1] if np.ndim(train_first) else 0
    train_factor, *train = check_batches(
        "train", train_factor, latent_dim, train_first, train_second
    )
    eval_factor, *test = check_batches("eval", eval_factor, latent_dim, eval_first, eval_second)
    train_features, eval_features = _features(*train), _features(*test)
    if (train_factor == train_factor[0]).all():
        only = train_factor[0]
        return BetaVAEScore(float(np.mean(eval_factor == only)), 1.0)
    # Loaded only where used: half a second.
    from sklearn.linear_model import LogisticRegression

    # More iterations than the default, which would stop early on some codes; the reference
    # converges within its 100.
    model = LogisticRegression(max_iter=1_000).fit(train_features, train_factor)
    return BetaVAEScore(
        eval_accuracy=float(model.score(eval_features, eval_factor)),
        train_accuracy=float(model.score(train_features, train_factor)),
    )


def _features(first, second):
    """Mean absolute difference within each point: `(n_points, latent_dim)`."""
    features = np.empty((len(first), first.shape[2]), first.dtype)
    for start in range(0, len(first), _CHUNK):
        rows = slice(start, start + _CHUNK)
        difference = first[rows] - second[rows]
        features[rows] = np.abs(difference, out=difference).mean(axis=1)
    return features


def beta_vae_score(
    encode: Callable[[np.ndarray], np.ndarray],
    data: ImagesWithFactors,
    *,
    seed: int = 0,
    n_points: int = 10_000,
    batch_size: int = 1_000,
) -> BetaVAEScore:
    """Beta-VAE score of an encoder on a data set: see `beta_vae_from_pairs`.

    Args:
        encode: Callable from uint8 images to codes `(n, latent_dim)`; it gets each image once.
        data: Data set with known factors; those with a single value are never shared.
        seed: Of the images drawn.
        n_points: Training points of 64 pairs; half as many for evaluation. At least 2.
        batch_size: Images per call of `encode`.

    Returns:
        The accuracies.

    Raises:
        TypeError: if a count is not an integer.
        ValueError: if a count is too small, no factor varies or the codes have a wrong shape.
    """
    n_points = check_integer("n_points", n_points, minimum=2)
    rng = np.random.default_rng(seed)
    shared = SharedValue(data.factors(np.arange(len(data))))
    train, test = shared.pairs(n_points, rng), shared.pairs(n_points // 2, rng)
    needed = [train.first, train.second, test.first, test.second]
    table = encode_once(encode, data, needed, check_integer("batch_size", batch_size, minimum=1))
    return beta_vae_from_pairs(
        table[train.first],
        table[train.second],
        train.factor,
        table[test.first],
        table[test.second],
        test.factor,
    )
