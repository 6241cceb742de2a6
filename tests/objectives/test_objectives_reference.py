"""The plain functions against an independent float64 implementation, and its gradients."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from objectives_reference import CASES, EXPECTED, arrays, posterior

from sparsevae import objectives as o

each_case = pytest.mark.parametrize("case", CASES)


def near(value, expected, tolerance=1e-5):
    expected = np.asarray(expected)
    np.testing.assert_allclose(value, expected, atol=tolerance * max(1, np.abs(expected).max()))


def gradients(function, *given):
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = function(*given)
    return tape.gradient(value, given)


ESTIMATORS = {"weighted": "mws", "stratified": "mss_symmetric"}


@each_case
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_kl_terms(case, estimator):
    given, key = arrays(case), ESTIMATORS[estimator]
    n_data, expected = int(given["dataset_size"]), EXPECTED[case]["beta_tcvae"][key]
    found = o.kl_terms(*posterior(case), n_data=n_data, estimator=estimator)
    near(found.mutual_information, expected["mi"])
    near(found.total_correlation, expected["tc"])
    near(found.dimension_wise_kl, expected["dwkl"])
    by_tc = gradients(
        lambda *x: o.kl_terms(*x, n_data, estimator).total_correlation, *posterior(case)
    )
    for name, gradient in zip(("z", "z_mean", "z_log_var"), by_tc, strict=True):
        near(gradient, arrays(case, "_expected")[f"grad_tc_{key}__{name}"], 1e-4)


@each_case
@pytest.mark.parametrize(("kind", "weights"), [("i", (10, 100)), ("ii", (10, 10))])
def test_dip_penalty(case, kind, weights):
    expected, given = EXPECTED[case]["dip_vae"][kind], posterior(case, "z_mean", "z_log_var")
    near(o.dip_penalty(*given, 1.0, 0.0, kind), expected["off_diagonal"])
    near(o.dip_penalty(*given, 0.0, 1.0, kind), expected["diagonal"])
    near(o.dip_penalty(*given, *weights, kind), expected["regularizer"])
    names = ("z_mean", "z_log_var")[: 1 + (kind == "ii")]
    found = gradients(lambda *x: o.dip_penalty(*x, *weights, kind), *given)
    for name, gradient in zip(names, found, strict=False):
        near(gradient, arrays(case, "_expected")[f"grad_dip_{kind}__{name}"], 1e-4)


@each_case
def test_adversary(case):
    given, expected = arrays(case), EXPECTED[case]["factor_vae"]["given_logits"]
    near(o.density_ratio(given["disc_logits_z"]), expected["tc"])
    found = o.discriminator_loss(given["disc_logits_z"], given["disc_logits_perm"])
    near(found, expected["discriminator_loss"])


@each_case
def test_adversary_with_a_network(case):
    """Losses and gradients through a small discriminator."""
    given, expected = arrays(case), EXPECTED[case]["factor_vae"]["small_network"]
    z, permuted = (tf.constant(x, tf.float32) for x in (given["z"], permuted_z(given)))
    names = ("disc_w1", "disc_b1", "disc_w2", "disc_b2")
    weights = [tf.constant(given[name], tf.float32) for name in names]

    def logits(z, w1, b1, w2, b2):
        return tf.nn.leaky_relu(z @ w1 + b1, 0.2) @ w2 + b2

    def loss(*weights):
        return o.discriminator_loss(logits(z, *weights), logits(permuted, *weights))

    near(o.density_ratio(logits(z, *weights)), expected["tc"])
    near(loss(*weights), expected["discriminator_loss"])
    wanted = arrays(case, "_expected")
    for name, gradient in zip(names, gradients(loss, *weights), strict=True):
        near(gradient, wanted[f"grad_factor_disc_small__{name}"], 1e-4)
    (by_z,) = gradients(lambda z: o.density_ratio(logits(z, *weights)), z)
    near(by_z, wanted["grad_factor_tc_small__z"], 1e-4)


def permuted_z(given):
    return np.take_along_axis(given["z"], given["perm_index"], 0)


@each_case
def test_permuted_latents(case):
    """Each column is a permutation of its own; what they share on average is chance."""
    z, expected = posterior(case, "z")[0], EXPECTED[case]["factor_vae"]["permutation"]
    found = np.array([o.permute_latents(z, seed) for seed in range(400)])
    np.testing.assert_array_equal(np.sort(found, 1), np.broadcast_to(np.sort(z, 0), found.shape))
    centered = found - found.mean(1, keepdims=True)
    covariance = np.einsum("sbi,sbj->sij", centered, centered) / z.shape[0]
    off = (covariance**2).sum((1, 2)) - np.einsum("sii->si", covariance**2).sum(1)
    error = off.std() / np.sqrt(len(off))
    wanted = expected["expected_sum_squared_off_diagonal_covariance_after"]
    assert off.mean() == pytest.approx(wanted, abs=5 * error)
    np.testing.assert_array_equal(o.permute_latents(z, 3), found[3])


@each_case
@pytest.mark.parametrize("how", ["gvae", "mlvae"])
def test_shared_latents(case, how):
    names = ("pair_mean_1", "pair_log_var_1", "pair_mean_2", "pair_log_var_2")
    pair, wanted = posterior(case, *names), arrays(case, "_expected")

    def kl(*pair):
        both = itertools.chain(*o.share_latents(pair[:2], pair[2:], how))
        m1, v1, m2, v2 = both
        return tf.reduce_mean(
            [tf.reduce_sum(m**2 + tf.exp(v) - 1 - v, -1) / 2 for m, v in ((m1, v1), (m2, v2))]
        )

    near(kl(*pair), EXPECTED[case]["ada"]["kl_12"][how]["kl"])
    for name, gradient in zip(names, gradients(kl, *pair), strict=True):
        near(gradient, wanted[f"grad_ada_{how}_kl_12_kl__{name}"], 1e-4)
    found = itertools.chain(*o.share_latents(pair[:2], pair[2:], how))
    rows = [k for k in range(len(pair[0])) if k not in (0, 2)]  # an ulp decides where all are equal
    for name, value in zip(("mean_1", "log_var_1", "mean_2", "log_var_2"), found, strict=True):
        near(value.numpy()[rows], wanted[f"ada_{how}_kl_12_{name}"][rows])


@each_case
def test_hausdorff_support(case):
    (z_mean,), expected = posterior(case, "z_mean"), EXPECTED[case]["hfs"]
    near(o.hausdorff_support(z_mean), expected["all_pairs"])
    near(o.hausdorff_support(z_mean, arrays(case)["hfs_pairs"]), expected["given_pairs"])
    each = [o.hausdorff_support(z_mean, [pair]) for pair in expected["pairs"]]
    near(each, expected["per_pair"])
    if "grad_hfs__z_mean" in (wanted := arrays(case, "_expected")):
        near(gradients(o.hausdorff_support, z_mean)[0], wanted["grad_hfs__z_mean"], 1e-4)


SUMS = {"l2": "l2_sigmoid", "xent": "xent", "cov": "cov"}  # the first two sum over the batch there


@each_case
@pytest.mark.parametrize("kind", SUMS)
def test_supervised_penalty(case, kind):
    given, (z_mean,) = arrays(case), posterior(case, "z_mean")
    scale = 1 if kind == "cov" else len(z_mean)

    def penalty(z_mean):
        found = o.supervised_penalty(z_mean, given["labels"], given["factor_sizes"].tolist(), kind)
        return scale * found

    near(penalty(z_mean), EXPECTED[case]["semi_supervised"][SUMS[kind]])
    wanted = arrays(case, "_expected")[f"grad_sup_{SUMS[kind]}__z_mean"]
    near(gradients(penalty, z_mean)[0], wanted, 1e-4)
