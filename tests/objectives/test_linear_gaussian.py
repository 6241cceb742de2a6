"""The ELBO where everything is known: z ~ N(0, I), x given z ~ N(W z + b, s^2 I)."""

import keras
import numpy as np
import pytest

from sparsevae import SparseVAE, objectives

IMAGE_SHAPE = (2, 3, 1)
VARIANCE = 0.2
N = 20_000


@pytest.fixture(scope="module")
def truth():
    """W with orthogonal columns, so that the true posterior is a diagonal normal."""
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(rng.normal(size=(6, 2)))[0] * [0.5, 0.2]
    return columns, rng.uniform(0.3, 0.7, size=6)


def linear_vae(truth, shift=0.0, widen=0.0):
    """A VAE whose encoder is the true posterior, off by `shift` in mean and `widen` in log var."""
    w, b = truth
    posterior_var = 1 / (1 + (w**2).sum(axis=0) / VARIANCE)
    gain = w * posterior_var / VARIANCE
    images = keras.Input(IMAGE_SHAPE)
    flat = keras.layers.Flatten()(images)
    heads = [keras.layers.Dense(2)(flat), keras.layers.Dense(2)(flat)]
    encoder = keras.Model(images, heads)
    encoder.layers[-2].set_weights([gain, shift - b @ gain])
    encoder.layers[-1].set_weights([np.zeros((6, 2)), widen + np.log(posterior_var)])
    z = keras.Input((2,))
    decoder = keras.Model(z, keras.layers.Reshape(IMAGE_SHAPE)(keras.layers.Dense(6)(z)))
    decoder.layers[1].set_weights([w.T, b])
    return SparseVAE(encoder, decoder, likelihood=objectives.Gaussian(VARIANCE))


def log_evidence(truth, x):
    """log N(x; b, W W' + s^2 I), nats."""
    w, b = truth
    covariance = w @ w.T + VARIANCE * np.eye(6)
    away = x.ravel() - b
    _, log_det = np.linalg.slogdet(2 * np.pi * covariance)
    return -(log_det + away @ np.linalg.solve(covariance, away)) / 2


def elbo_mean_and_error(vae, x, seed):
    draws = vae.elbo(np.broadcast_to(x, (N, *IMAGE_SHAPE)), seed=seed).numpy()
    return draws.mean(dtype=float), draws.std(dtype=float) / np.sqrt(N)


@pytest.mark.parametrize("seed", [0, 1])
def test_at_the_true_posterior_the_elbo_is_the_evidence(truth, seed):
    x = np.random.default_rng(seed).uniform(size=IMAGE_SHAPE).astype("float32")
    mean, error = elbo_mean_and_error(linear_vae(truth), x, seed)
    assert 0 < error < 0.01
    assert abs(mean - log_evidence(truth, x)) < 4.5 * error


@pytest.mark.parametrize(("shift", "widen"), [(0.3, 0.0), (0.0, 0.5), (-0.2, -0.4)])
def test_elsewhere_the_gap_is_the_kl_from_the_true_posterior(truth, shift, widen):
    w, _ = truth
    posterior_var = 1 / (1 + (w**2).sum(axis=0) / VARIANCE)
    gap = ((np.exp(widen) + shift**2 / posterior_var - widen - 1) / 2).sum()
    x = np.random.default_rng(2).uniform(size=IMAGE_SHAPE).astype("float32")
    mean, error = elbo_mean_and_error(linear_vae(truth, shift, widen), x, seed=0)
    assert mean < log_evidence(truth, x) - 4.5 * error
    assert abs(mean - (log_evidence(truth, x) - gap)) < 4.5 * error


def test_the_elbo_repeats_by_its_seed_and_each_draw_is_its_own(truth):
    vae = linear_vae(truth)
    x = np.full((5, *IMAGE_SHAPE), 0.5, "float32")
    first = vae.elbo(x, seed=3).numpy()
    assert first.shape == (5,) and len(set(first)) == 5
    np.testing.assert_array_equal(first, vae.elbo(x, seed=3))
    assert not np.array_equal(first, vae.elbo(x, seed=4))
