"""FactorVAE score: does holding a factor still one latent?"""

import dataclasses
from collections.abc import Callable

import numpy as np

from sparsevae.checks import check_integer
from sparsevae.metrics.activity import active_latents
from sparsevae.metrics.encoding import ImagesWithFactors, SharedValue, encode_once
from sparsevae.metrics.validation import check_batches, check_codes

# Votes handled at a time: their codes and deviations stay in the processor's cache.
_CHUNK = 128


@dataclasses.dataclass(frozen=True)
class FactorVAEScore:
    """Votes and what they say.

    Attributes:
        eval_accuracy: The score: share of evaluation votes that agree with the majority of the
            training votes.
        train_accuracy: The same share of the training votes themselves.
        global_variances: `(latent_dim,)`, variance over all images (ddof 1).
        active_dims: Booleans `(latent_dim,)`, latents that may win a vote.
        train_votes: `(n_factors, latent_dim)` counts; columns are the active latents in order,
            the rest stay 0.
        eval_votes: The same of the evaluation votes.
    """

    eval_accuracy: float
    train_accuracy: float
    global_variances: np.ndarray
    active_dims: np.ndarray
    train_votes: np.ndarray
    eval_votes: np.ndarray


def factor_vae_from_batches(
    global_codes: np.ndarray,
    train_batches: np.ndarray,
    train_factor: np.ndarray,
    eval_batches: np.ndarray,
    eval_factor: np.ndarray,
    *,
    threshold: float = 0.05,
) -> FactorVAEScore:
    """FactorVAE score from codes of images drawn elsewhere.

    In each batch one factor is held at one value. The latent whose variance falls most, as a share
    of its variance over all images, votes for that factor; each latent's majority factor is what
    it predicts. Unchanged when latents are permuted, negated or rescaled (as long as the same ones
    stay active). A factor may be spread over several latents unpunished.

    Args:
        global_codes: Float array `(n_samples, latent_dim)`, codes of random images.
        train_batches: Float array `(n_votes, batch, latent_dim)`, batch of at least 2.
        train_factor: Integer array `(n_votes,)`, the factor held in each batch.
        eval_batches: Float array `(n_eval_votes, batch, latent_dim)`.
        eval_factor: Integer array `(n_eval_votes,)`.
        threshold: Standard deviation below which a latent is dead and never wins, see
            `metrics.active_latents`.

    Returns:
        Accuracies in [0, 1], higher is better, and the votes; 0 if no latent is active. Chance is
        one by the number of factors.

    Raises:
        TypeError: if an array is not numeric.
        ValueError: if shapes disagree, a value is not finite, a factor is negative or not whole, or
            `threshold` is below 0.

    References:
        Kim & Mnih 2018, Disentangling by Factorising, 1802.05983, section 4; evaluation on votes
        of their own as in disentanglement_lib.
    """
    global_codes = check_codes(global_codes)
    latent_dim = global_codes.shape[1]
    train = check_batches("train", train_factor, latent_dim, train_batches)
    test = check_batches("eval", eval_factor, latent_dim, eval_batches)
    active = active_latents(global_codes, threshold)
    # A constant latent that `threshold=0` keeps has no variance to fall, so it never wins.
    active &= np.ptp(global_codes, axis=0) > 0
    variances = np.var(global_codes, axis=0, ddof=1)
    n_factors = 1 + max(train[0].max(), test[0].max())
    tables = [np.zeros((n_factors, latent_dim), np.int64) for _ in range(2)]
    if active.any():
        for table, (factor, batches) in zip(tables, (train, test), strict=True):
            np.add.at(table, (factor, _winners(batches, active, variances)), 1)
    winners = tables[0].argmax(axis=0)
    shares = [table[winners, np.arange(latent_dim)].sum() / max(table.sum(), 1) for table in tables]
    return FactorVAEScore(
        eval_accuracy=float(shares[1]),
        train_accuracy=float(shares[0]),
        global_variances=variances,
        active_dims=active,
        train_votes=tables[0],
        eval_votes=tables[1],
    )


def _winners(batches, active, variances):
    """Number, among the active latents, of the one whose variance fell most: `(n_votes,)`."""
    n_votes, n, latent_dim = batches.shape
    # Rows are whole batches, so a product with this matrix sums each active latent over its batch:
    # several times faster than a sum along the middle axis.
    total = np.tile(np.eye(latent_dim, dtype=batches.dtype)[:, active], (n, 1))
    rows = batches.reshape(n_votes, n * latent_dim)
    winners = np.empty(n_votes, np.int64)
    for start in range(0, n_votes, _CHUNK):
        codes = rows[start : start + _CHUNK]
        deviations = codes - (codes @ total / n) @ total.T
        np.square(deviations, out=deviations)
        spread = deviations @ total / variances[active]
        winners[start : start + _CHUNK] = spread.argmin(axis=1)
    return winners


def factor_vae_score(
    encode: Callable[[np.ndarray], np.ndarray],
    data: ImagesWithFactors,
    *,
    seed: int = 0,
    n_votes: int = 10_000,
    batch_size: int = 1_000,
) -> FactorVAEScore:
    """FactorVAE score of an encoder on a data set: see `factor_vae_from_batches`.

    Args:
        encode: Callable from uint8 images to codes `(n, latent_dim)`; it gets each image once.
        data: Data set with known factors; those with a single value are never held.
        seed: Of the images drawn.
        n_votes: Training votes of 64 images, and images for the variances; half as many votes
            for evaluation. At least 2.
        batch_size: Images per call of `encode`.

    Returns:
        The score and the votes.

    Raises:
        TypeError: if a count is not an integer.
        ValueError: if a count is too small, no factor varies or the codes have a wrong shape.
    """
    n_votes = check_integer("n_votes", n_votes, minimum=2)
    rng = np.random.default_rng(seed)
    shared = SharedValue(data.factors(np.arange(len(data))))
    everywhere = rng.integers(len(data), size=n_votes)
    train, test = shared.votes(n_votes, rng), shared.votes(n_votes // 2, rng)
    needed = [everywhere, train.images, test.images]
    table = encode_once(encode, data, needed, check_integer("batch_size", batch_size, minimum=1))
    return factor_vae_from_batches(
        table[everywhere], table[train.images], train.factor, table[test.images], test.factor
    )
