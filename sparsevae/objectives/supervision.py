"""What codes lack of labels, of the few images that have some."""

from collections.abc import Sequence

import tensorflow as tf

from sparsevae.checks import check_choice

KINDS = ("l2", "xent", "cov")


def supervised_penalty(
    codes: tf.Tensor,
    labels: tf.Tensor,
    factor_sizes: Sequence[int],
    kind: str = "l2",
) -> tf.Tensor:
    """How far latent f is from factor f, for the first latents, a float32 scalar at least 0.

    `"l2"` (regression): squared distance of `sigmoid(code)` from `label / size`; `"xent"`:
    cross-entropy of the logit `code` with the target `label / size`; both summed over factors and
    averaged over the labelled images. `"cov"`: squared covariances, over the labelled images, of
    each latent with each factor but its own.

    Args:
        codes: Means of the posteriors, `(batch, latent_dim)`.
        labels: `(batch, n_factors)`, values from 0 to size - 1; a negative one is missing.
        factor_sizes: Number of values of each factor; at most `latent_dim` factors.
        kind: `"l2"`, `"xent"` or `"cov"`.

    Raises:
        ValueError: for an unknown kind, or sizes that do not fit labels or codes.

    References:
        Locatello et al. 2020, Disentangling Factors of Variation Using Few Labels, section 4,
        1905.01258. There sums go over the batch, and "l2" may scale codes by a learned number.
    """
    check_choice("kind", kind, KINDS)
    codes, labels = tf.cast(codes, tf.float32), tf.cast(labels, tf.float32)
    _check_sizes(codes, labels, factor_sizes)
    known = tf.cast(labels >= 0, tf.float32)
    if kind == "cov":
        return _covariances(codes, labels, known)
    own = codes[:, : len(factor_sizes)]
    targets = labels / tf.constant(factor_sizes, tf.float32)
    if kind == "l2":
        distances = tf.square(tf.sigmoid(own) - targets)
    else:
        distances = tf.nn.sigmoid_cross_entropy_with_logits(targets, own)
    n = tf.reduce_sum(known, 0)
    return tf.reduce_sum(tf.math.divide_no_nan(tf.reduce_sum(known * distances, 0), n))


def _covariances(codes, labels, known):
    """Of latents `(latent_dim,)` with factors, over the images where the factor is known."""
    shares = tf.math.divide_no_nan(known, tf.reduce_sum(known, 0))  # (batch, n_factors)
    deviations = known * (labels - tf.reduce_sum(shares * labels, 0))
    # Codes need not be centered: deviations of labels sum to 0.
    covariance = tf.matmul(codes, shares * deviations, transpose_a=True)
    own = tf.eye(*covariance.shape)
    return tf.reduce_sum(tf.square(covariance * (1 - own)))


def _check_sizes(codes, labels, factor_sizes):
    n = len(factor_sizes)
    if labels.shape[-1] != n or not 0 < n <= codes.shape[-1] or min(factor_sizes) < 1:
        raise ValueError(
            "`factor_sizes` must be the number of values of each factor in `labels`, of at most as "
            f"many factors as latents. Received: {list(factor_sizes)} for labels of shape "
            f"{labels.shape} and codes {codes.shape}"
        )
