import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from all_objectives import MAKERS

from sparsevae import objectives
from sparsevae.objectives import BetaVAE, Likelihood, Objective

tfd = tfp.distributions

# Each public objective and likelihood, with arguments that are not the defaults.
ALL = [*(make() for make in MAKERS.values()), objectives.Bernoulli(), objectives.Gaussian(0.3)]
LIKELIHOODS = [member for member in ALL if isinstance(member, Likelihood)]


def name(member):
    return type(member).__name__


def test_no_public_objective_or_likelihood_is_left_out():
    public = [getattr(objectives, name) for name in objectives.__all__]
    concrete = {
        member
        for member in public
        if inspect.isclass(member)
        and issubclass(member, (Objective, Likelihood))
        and not inspect.isabstract(member)
    }
    assert concrete == {type(member) for member in ALL}


NETWORK = keras.Sequential(
    [keras.Input((3,)), keras.layers.Dense(16), keras.layers.Reshape((4, 4, 1))]
)


def context(step=0, weight=None, **kwargs):
    """What an objective is given, around `terms()`."""
    images = tf.zeros((7, 4, 4, 1))
    return objectives.Context(
        batch=objectives.Batch(images, weight=weight),
        terms=terms(**kwargs),
        decoded=images,
        step=tf.constant(step),
        prior=objectives.standard_prior(3),
        likelihood=objectives.Bernoulli(),
        n_data=7,
        encoder=NETWORK,
        decoder=NETWORK,
        training=True,
    )


def total(objective, **kwargs):
    if not objective.built:
        objective.build({"images": (None, 4, 4, 1), "z": (None, 3)})
    return sum(objective.losses(context(**kwargs)).values())


def terms(seed=0, batch=7, latent_dim=3):
    rng = np.random.default_rng(seed)
    z_mean, z_log_var = rng.normal(size=(2, batch, latent_dim)).astype("float32")
    posterior = objectives.normal_posterior(z_mean, z_log_var)
    return objectives.Terms(
        log_likelihood=tf.constant(rng.normal(size=batch).astype("float32")),
        kl_per_latent=objectives.kl_per_latent(posterior, objectives.standard_prior(latent_dim)),
        posterior=posterior,
        z=posterior.sample(seed=(0, 1)),
    )


@pytest.mark.parametrize("member", ALL, ids=name)
def test_config_round_trip(member):
    config = keras.saving.serialize_keras_object(member)
    loaded = keras.saving.deserialize_keras_object(config)
    assert type(loaded) is type(member)
    assert loaded.get_config() == member.get_config()
    if isinstance(member, objectives.SpikeAndSlab):
        return  # its losses need a decoder with a mask of its own: see test_spike_and_slab
    if isinstance(member, Objective):
        assert float(total(loaded)) == float(total(member))
    else:
        decoded = np.random.default_rng(0).normal(size=(2, 3, 4, 1))
        x = np.random.default_rng(1).uniform(size=(2, 3, 4, 1))
        np.testing.assert_array_equal(
            loaded(decoded).log_prob(x.astype("float32")),
            member(decoded).log_prob(x.astype("float32")),
        )


# KL


def test_kl_is_the_closed_form():
    z_mean, z_log_var = np.random.default_rng(0).normal(size=(2, 50, 4))
    posterior = objectives.normal_posterior(z_mean, z_log_var)
    kl = objectives.kl_per_latent(posterior, objectives.standard_prior(4)).numpy()
    expected = (z_mean**2 + np.exp(z_log_var) - z_log_var - 1) / 2
    assert kl.shape == (50, 4) and kl.dtype == np.float32
    np.testing.assert_allclose(kl, expected, rtol=1e-4, atol=1e-6)
    assert kl.min() >= 0


def test_kl_is_that_of_tfp_and_zero_at_the_prior():
    posterior = objectives.normal_posterior([[0.5, -2.0]], [[0.3, -1.0]])
    prior = objectives.standard_prior(2)
    total = tf.reduce_sum(objectives.kl_per_latent(posterior, prior), axis=-1)
    np.testing.assert_allclose(total, tfd.kl_divergence(posterior, prior), rtol=1e-6)
    at_prior = objectives.normal_posterior(tf.zeros((3, 2)), tf.zeros((3, 2)))
    np.testing.assert_array_equal(objectives.kl_per_latent(at_prior, prior), np.zeros((3, 2)))


def test_kl_is_the_mean_log_ratio_of_samples():
    posterior = objectives.normal_posterior([[0.7, -1.2, 0.1]], [[0.4, -1.5, 0.0]])
    prior = objectives.standard_prior(3)
    z = posterior.sample(100_000, seed=(0, 0))
    ratio = (posterior.log_prob(z) - prior.log_prob(z)).numpy()[:, 0]
    exact = objectives.kl_per_latent(posterior, prior).numpy().sum()
    assert abs(ratio.mean() - exact) < 4.5 * ratio.std() / np.sqrt(len(ratio))


def test_the_posterior_is_float32_from_coarser_numbers():
    coarse = tf.constant([[0.5, 1.0]], tf.bfloat16)
    posterior = objectives.normal_posterior(coarse, coarse)
    assert posterior.dtype == tf.float32
    np.testing.assert_allclose(posterior.stddev(), np.exp([[0.25, 0.5]]), rtol=1e-6)


# Likelihoods


@pytest.mark.parametrize("pixels", ["binary", "fractional"])
def test_bernoulli_is_minus_the_cross_entropy(pixels):
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(5, 4, 3, 2))
    x = rng.uniform(size=logits.shape)
    x = x.round() if pixels == "binary" else x
    p = 1 / (1 + np.exp(-logits))
    expected = (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=(1, 2, 3))
    likelihood = objectives.Bernoulli()(tf.constant(logits, tf.float32))
    np.testing.assert_allclose(likelihood.log_prob(x.astype("float32")), expected, rtol=1e-5)
    np.testing.assert_allclose(likelihood.mean(), p, rtol=1e-5)


def test_bernoulli_stays_finite_at_sure_and_wrong_pixels():
    likelihood = objectives.Bernoulli()(tf.constant([[[[200.0]]], [[[-200.0]]]]))
    x = tf.constant([[[[0.0]]], [[[1.0]]]])
    np.testing.assert_allclose(likelihood.log_prob(x), [-200, -200])


@pytest.mark.parametrize("variance", [0.01, 0.5, 3.0])
def test_gaussian_with_its_normalisation(variance):
    rng = np.random.default_rng(0)
    mean, x = rng.uniform(size=(2, 5, 4, 3, 2))
    n_pixels = 4 * 3 * 2
    squares = ((x - mean) ** 2).sum(axis=(1, 2, 3))
    expected = -squares / (2 * variance) - n_pixels / 2 * np.log(2 * np.pi * variance)
    likelihood = objectives.Gaussian(variance)(tf.constant(mean, tf.float32))
    np.testing.assert_allclose(
        likelihood.log_prob(x.astype("float32")), expected, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(likelihood.mean(), mean, rtol=1e-6)


def test_gaussian_of_variance_one_half_is_the_squared_error():
    rng = np.random.default_rng(1)
    mean, x = rng.uniform(size=(2, 6, 3, 3, 1)).astype("float32")
    log_prob = objectives.Gaussian(0.5)(mean).log_prob(x).numpy()
    constant = 9 / 2 * np.log(np.pi)
    np.testing.assert_allclose(
        -log_prob - constant, ((x - mean) ** 2).sum(axis=(1, 2, 3)), atol=1e-5
    )


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=name)
def test_log_prob_is_one_number_an_observation_in_float32(likelihood):
    decoded = tf.zeros((6, 2, 3, 1), tf.bfloat16)
    log_prob = likelihood(decoded).log_prob(tf.zeros((6, 2, 3, 1)))
    assert log_prob.shape == (6,) and log_prob.dtype == tf.float32


@pytest.mark.parametrize("variance", [0, -1.0, float("nan"), float("inf")])
def test_a_variance_that_is_none_is_refused(variance):
    with pytest.raises(ValueError, match=r"`variance`.*Received"):
        objectives.Gaussian(variance)


def test_likelihoods_by_name():
    assert isinstance(objectives.get_likelihood("bernoulli"), objectives.Bernoulli)
    assert objectives.get_likelihood("gaussian").variance == 0.5
    given = objectives.Gaussian(2.0)
    assert objectives.get_likelihood(given) is given


def test_an_unknown_likelihood_names_the_nearest():
    with pytest.raises(ValueError, match=r"`likelihood` must be one of .*Did you mean 'gaussian'"):
        objectives.get_likelihood("gausian")
    with pytest.raises(ValueError, match="bernoulli"):
        objectives.get_likelihood("zzz")
    with pytest.raises(TypeError, match="`likelihood`"):
        objectives.get_likelihood(3)


# Objectives


def test_beta_weighs_the_kl():
    t = terms()
    log_likelihood, kl = t.log_likelihood.numpy(), t.kl_per_latent.numpy().sum(axis=1)
    np.testing.assert_allclose(t.kl, kl, rtol=1e-6)
    np.testing.assert_allclose(t.elbo, log_likelihood - kl, rtol=1e-5)
    for beta in (0, 1, 4.5):
        loss = total(BetaVAE(beta))
        assert loss.shape == ()
        np.testing.assert_allclose(loss, (beta * kl - log_likelihood).mean(), rtol=1e-5)
    np.testing.assert_allclose(total(BetaVAE()), -t.elbo.numpy().mean(), rtol=1e-5)


def test_weights_of_images_count_in_each_loss():
    """Each image's loss times its weight; the mean is over images, not over weights."""
    weight = np.array([0, 1, 2, 0.5, 1, 3, 0], "float32")
    t = terms()
    losses = BetaVAE(4.0).losses(context(weight=tf.constant(weight)))
    expected = -(weight * t.log_likelihood.numpy()).mean()
    np.testing.assert_allclose(losses["reconstruction_loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(losses["kl_loss"], 4 * (weight * t.kl.numpy()).mean(), rtol=1e-5)


@pytest.mark.parametrize("beta", [-0.1, float("nan"), float("inf")])
def test_a_beta_that_is_none_is_refused(beta):
    with pytest.raises(ValueError, match=r"`beta`.*Received"):
        BetaVAE(beta)
