"""Rotated latents: what stays the same, and what does not."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from sparsevae import gates, models
from sparsevae.models.rotation import random_rotation, rotated

tfd = tfp.distributions
X = (np.random.default_rng(0).random((6, 4, 4, 1)) > 0.5).astype("float32")


def trained(gate=None):
    vae = models.mlp_vae((4, 4, 1), 3, hidden=8, gate=gate)
    rng = np.random.default_rng(1)
    for weight in vae.weights:
        if weight.name == "bias":
            weight.assign(rng.normal(size=weight.shape))
    return vae


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 4, 2.0])
def test_rotations_are_orthogonal_and_turn_by_the_angle(angle):
    rotation = random_rotation(5, angle, seed=3)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(5), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.abs(np.angle(np.linalg.eigvals(rotation))).max() == pytest.approx(angle)


@pytest.mark.parametrize("gate", [None, "binary"])
def test_codes_turn_and_images_stay(gate):
    vae, rotation = trained(gate), random_rotation(3, 0.7)
    turned = rotated(vae, rotation)
    np.testing.assert_allclose(turned.codes(X), vae.codes(X) @ rotation.T, atol=1e-5)
    z = np.random.default_rng(2).normal(size=(5, 3)).astype("float32")
    after = turned.decode((z @ rotation.T).astype("float32")).mean()
    np.testing.assert_allclose(after, vae.decode(z).mean(), atol=1e-5)
    before = vae.encode(X).stddev().numpy() ** 2
    diagonal = np.einsum("ij,bj,ij->bi", rotation, before, rotation)
    np.testing.assert_allclose(turned.encode(X).stddev() ** 2, diagonal, rtol=1e-4)


def test_each_elbo_is_the_same_under_the_rotated_posterior():
    """Sample by sample: log p(x | z) + log p(z) - log q(z | x), q with its full covariance."""
    vae, rotation = trained(), random_rotation(3, 0.7).astype("float32")
    turned = rotated(vae, rotation)
    posterior = vae.encode(X)
    z = posterior.sample(seed=(0, 1))
    elbo = vae.decode(z).log_prob(X) + vae.prior.log_prob(z) - posterior.log_prob(z)
    covariance = np.einsum("ij,bj,kj->bik", rotation, posterior.stddev().numpy() ** 2, rotation)
    full = tfd.MultivariateNormalTriL(turned.codes(X), tf.linalg.cholesky(covariance))
    z = tf.matmul(z, rotation, transpose_b=True)
    after = turned.decode(z).log_prob(X) + turned.prior.log_prob(z) - full.log_prob(z)
    np.testing.assert_allclose(after, elbo, atol=1e-3)


def test_no_rotation_changes_nothing():
    vae = trained()
    np.testing.assert_allclose(rotated(vae, np.eye(3)).codes(X), vae.codes(X), atol=1e-6)


def test_what_cannot_be_rotated_is_refused():
    vae = trained()
    for wrong in (np.ones((3, 3)), np.eye(4)):
        with pytest.raises(ValueError, match="`rotation` must be an orthogonal matrix"):
            rotated(vae, wrong)
    with pytest.raises(ValueError, match="`angle` must be a finite number"):
        random_rotation(3, np.nan)
    vae.encoder.get_layer("encoder_z_mean").activation = tf.nn.relu
    with pytest.raises(ValueError, match="a dense layer without activation"):
        rotated(vae, np.eye(3))


def test_closed_links_open_with_the_angle():
    mask = np.eye(3, 8) > 0
    vae = models.mlp_vae((4, 4, 1), 3, hidden=8, gate="pruned")
    first = vae.decoder.get_layer("decoder_dense_1")
    first.gate.open.assign(mask)
    assert isinstance(first.gate, gates.Pruned)
    turned = rotated(vae, random_rotation(3, 0.5))
    kernel = np.array(turned.decoder.get_layer("decoder_dense_1").kernel)
    assert (kernel != 0).sum() == 9 > mask.sum()
