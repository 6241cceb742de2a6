"""Estimates of total correlation against exact values of a finite set, and what they refuse."""

import numpy as np
import pytest
import tensorflow as tf
from objectives_reference import EXPECTED, posterior

from sparsevae import objectives as o

NAMES = {"mi": "mutual_information", "tc": "total_correlation", "dwkl": "dimension_wise_kl"}


def minibatches(estimator, n_batches, size=16, case="ordinary"):
    """Estimates from random minibatches of the posteriors, which are the whole data set."""
    z_mean, z_log_var = posterior(case, "z_mean", "z_log_var")
    n_data = len(z_mean)

    @tf.function(jit_compile=True)
    def estimates(rows, noise):
        def one(row_noise):
            rows, noise = row_noise
            mean, log_var = tf.gather(z_mean, rows), tf.gather(z_log_var, rows)
            found = o.kl_terms(mean + tf.exp(log_var / 2) * noise, mean, log_var, n_data, estimator)
            return tf.stack([getattr(found, name) for name in NAMES.values()])

        return tf.map_fn(one, (rows, noise), fn_output_signature=tf.float32)

    rng = np.random.default_rng(0)
    rows = rng.permuted(np.tile(np.arange(n_data), (n_batches, 1)), axis=1)[:, :size]
    noise = rng.standard_normal((n_batches, size, z_mean.shape[-1]), np.float32)
    return estimates(rows, noise).numpy()


@pytest.mark.parametrize(
    ("estimator", "key"), [("weighted", "mws"), ("stratified", "mss_symmetric")]
)
def test_bias_is_that_of_the_estimator(estimator, key):
    found, expected = minibatches(estimator, 4000), EXPECTED["ordinary"]["estimator_bias"][key]
    for k, name in enumerate(NAMES):
        mean, error = expected[name]["mean"], expected[name]["standard_error"]
        own = found[:, k].std() / np.sqrt(len(found))
        assert found[:, k].mean() == pytest.approx(mean, abs=5 * np.hypot(error, own))


def test_the_whole_set_as_a_batch_is_exact():
    found = minibatches("stratified", 4000, size=32)
    expected = EXPECTED["ordinary"]["exact_data_set"]
    for k, name in enumerate(NAMES):
        error = 5 * found[:, k].std() / np.sqrt(len(found)) + 5 * expected["standard_error"]
        assert found[:, k].mean() == pytest.approx(expected[name], abs=error)


@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_order_of_rows_does_not_matter_and_the_sum_is_the_kl_of_the_sample(estimator):
    z, z_mean, z_log_var = posterior("ordinary")
    order = np.random.default_rng(0).permutation(len(z))
    found = o.kl_terms(z, z_mean, z_log_var, 2000, estimator)
    other = o.kl_terms(*(tf.gather(x, order) for x in (z, z_mean, z_log_var)), 2000, estimator)
    parts = [getattr(found, name) for name in NAMES.values()]
    np.testing.assert_allclose(parts, [getattr(other, name) for name in NAMES.values()], atol=1e-4)
    posteriors = o.normal_posterior(z_mean, z_log_var)
    ratio = posteriors.log_prob(z) - o.standard_prior(z.shape[-1]).log_prob(z)
    assert sum(map(float, parts)) == pytest.approx(float(tf.reduce_mean(ratio)), abs=1e-4)


@pytest.mark.parametrize(
    ("n", "n_data", "message"),
    [
        (4, None, "`n_data`, the size of the data set, must be given.*Received: None"),
        (4, 3, "at most n_data=3 images. Received: 4"),
        (1, 9, "a batch of at least 2.*Received: 1"),
        (4, 2.5, "`n_data` must be an integer"),
    ],
)
def test_batches_and_sets_that_give_no_estimate_are_refused(n, n_data, message):
    given = [tf.zeros((n, 3))] * 3
    with pytest.raises((ValueError, TypeError), match=message):
        o.kl_terms(*given, n_data)


def test_a_batch_of_unknown_size_is_refused_when_it_comes():
    @tf.function(input_signature=[tf.TensorSpec((None, 3))])
    def total(z):
        return o.kl_terms(z, z, z, 5).total_correlation

    assert np.isfinite(total(tf.zeros((5, 3))))
    for n in (1, 6):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"at least 2 and.*n_data=5"):
            total(tf.zeros((n, 3)))


def test_an_unknown_estimator_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'stratified'"):
        o.kl_terms(*[tf.zeros((4, 3))] * 3, 9, "stratifed")
