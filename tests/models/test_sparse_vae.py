"""A model in use: distributions, codes, samples, files, and what it refuses."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from sparsevae import SparseVAE, gates, models, objectives, sparsity
from sparsevae.models.tracking import ActiveLatents, Means

tfd = tfp.distributions


@pytest.fixture(scope="module")
def vae(make_vae):
    """Untrained, with about a third of the gates closed, so that they matter."""
    vae = make_vae(gates.HardConcrete(initial_density=0.9), seed=1)
    for k, layer in enumerate(vae.gated_layers):
        rng = np.random.default_rng(k)
        close = rng.uniform(size=layer.gate.mask_shape) < 1 / 3
        weight = layer.gate.trainable_variables[0]
        weight.assign(np.where(close, -0.1, weight.numpy()))
    return vae


# Distributions and codes


def test_encode_gives_a_tfp_distribution(vae, images):
    posterior = vae.encode(images)
    assert isinstance(posterior, tfd.Independent)
    assert posterior.batch_shape == (64,) and posterior.event_shape == (3,)
    z_mean, z_log_var = vae.encoder(images / np.float32(255))
    np.testing.assert_allclose(posterior.mean(), z_mean, atol=1e-6)
    np.testing.assert_allclose(posterior.variance(), np.exp(z_log_var), rtol=1e-5)


def test_decode_gives_a_tfp_distribution(vae):
    likelihood = vae.decode(np.zeros((5, 3)))
    assert isinstance(likelihood.distribution, tfd.Bernoulli)
    assert likelihood.batch_shape == (5,) and likelihood.event_shape == (8, 8, 1)


def test_codes_are_posterior_means_whatever_the_batch_size(vae, images):
    codes = vae.codes(images)
    assert isinstance(codes, np.ndarray) and codes.dtype == np.float32
    np.testing.assert_allclose(codes, vae.encode(images).mean(), atol=1e-6)
    for batch_size in (1, 7, 64, 1000):
        np.testing.assert_allclose(vae.codes(images, batch_size=batch_size), codes, atol=1e-6)
    assert vae.codes(images[:0]).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_and_bytes_mean_the_same(vae, images, dtype):
    floats = (images / 255).astype(dtype)
    np.testing.assert_allclose(vae.codes(floats), vae.codes(images), atol=1e-6)
    np.testing.assert_allclose(vae.elbo(floats), vae.elbo(images), rtol=1e-5)
    np.testing.assert_allclose(vae(floats), vae(images), atol=1e-6)


def test_gray_bytes_are_divided_by_255(vae):
    gray = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    np.testing.assert_allclose(vae.codes(gray), vae.codes(gray / 255), atol=1e-6)


def test_use_is_free_of_noise_and_unmoved_by_what_ran_before(vae, images):
    before = vae.codes(images), vae(images).numpy(), vae.elbo(images).numpy()
    keras.random.normal((3,))
    tf.random.normal((3,), seed=0)
    vae.encode(images).sample()
    for a, b in zip(
        before, (vae.codes(images), vae(images).numpy(), vae.elbo(images).numpy()), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_samples_repeat_by_their_seed(vae):
    first = vae.sample(4, seed=5).numpy()
    assert first.shape == (4, 8, 8, 1) and first.min() >= 0 and first.max() <= 1
    np.testing.assert_array_equal(first, vae.sample(4, seed=5))
    assert not np.array_equal(first, vae.sample(4, seed=6))


def test_elbo_is_log_likelihood_of_one_draw_minus_kl(vae, images):
    """The mean over many draws, against the same two terms by TFP."""
    x = np.repeat(images[:1], 4000, axis=0)
    elbo = vae.elbo(x).numpy()
    posterior = vae.encode(images[:1])
    z = posterior.sample(4000, seed=(7, 7))[:, 0]
    other = vae.decode(z).log_prob(x / np.float32(255)) - tfd.kl_divergence(posterior, vae.prior)
    other = other.numpy()
    error = np.sqrt((elbo.var() + other.var()) / 4000)
    assert abs(elbo.mean() - other.mean()) < 4.5 * error


def test_call_is_the_mean_image_of_the_mean_code(vae, images):
    expected = vae.decode(vae.codes(images)).mean()
    np.testing.assert_allclose(vae(images), expected, atol=1e-6)


# Logs


def test_active_latents_are_those_whose_mean_kl_is_above_the_threshold():
    """The mean is over all images since the last reset, in batches of any size."""
    metric = ActiveLatents(3, threshold=0.5)
    metric.update_state(tf.constant([[0.2, 0.9, 0.7]] * 3))
    metric.update_state(tf.constant([[0.4, 0.0, 0.3]]))
    np.testing.assert_allclose(metric.kl_per_latent(), [0.25, 0.675, 0.6], rtol=1e-6)
    assert float(metric.result()) == 2
    metric.update_state(tf.zeros((1, 3)))
    assert float(metric.result()) == 1
    metric.reset_state()
    assert float(metric.result()) == 0


def test_means_are_over_images_not_batches():
    means = Means(["kl", "penalty"])
    means.update_state({"penalty": tf.constant(2.0), "kl": tf.constant([1.0, 3.0, 5.0])}, 3)
    means.update_state({"penalty": tf.constant(6.0), "kl": tf.constant([7.0])}, 1)
    assert {name: float(mean) for name, mean in means.result().items()} == {"kl": 4, "penalty": 3}
    assert int(means.n_observations()) == 4


@pytest.mark.parametrize("eager", [True, False])
def test_logs_are_means_over_images_and_weights_count_in_the_loss_only(make_vae, images, eager):
    """Also the loss itself, with a last batch that is smaller."""
    vae = make_vae(eager=eager, rate=0.0)
    weight = np.r_[np.zeros(40), np.full(10, 2.0)]
    logs = vae.fit(images[:50], sample_weight=weight, batch_size=40, shuffle=False, verbose=0)
    logs = {name: value for name, (value,) in logs.history.items()}
    np.testing.assert_allclose(logs["elbo"], -logs["reconstruction"] - logs["kl"], rtol=1e-5)
    total = logs["reconstruction_loss"] + logs["kl_loss"]
    np.testing.assert_allclose(logs["loss"], total, rtol=1e-5)
    assert 0.35 < logs["kl_loss"] / logs["kl"] < 0.45  # 10 of 50 images, each twice


# Files


@pytest.fixture(scope="module")
def rich_vae(images):
    """Trained a little; every part has settings of its own."""
    vae = models.mlp_vae(
        (8, 8, 1),
        3,
        gate=gates.HardConcrete(initial_density=0.8),
        hidden=8,
        objective=objectives.BetaVAE(3.0),
        likelihood=objectives.Gaussian(0.2),
        control=sparsity.Strength(7.0, ramp=(1, 2), freeze=50, weighting="links"),
        active_threshold=0.02,
        seed=4,
    )
    vae.compile(keras.optimizers.Adam(0.002), run_eagerly=True)
    vae.fit(images, batch_size=32, epochs=2, verbose=0)
    return vae


def test_keras_file_holds_everything(rich_vae, images, values, tmp_path):
    rich_vae.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.codes(images), rich_vae.codes(images))
    np.testing.assert_array_equal(loaded.elbo(images, seed=2), rich_vae.elbo(images, seed=2))
    assert loaded.objective.beta == 3.0
    assert loaded.likelihood.variance == 0.2
    assert loaded.control.get_config() == rich_vae.control.get_config()
    assert (loaded.active_threshold, loaded.seed) == (0.02, 4)
    assert loaded.compiled and loaded.optimizer.learning_rate == np.float32(0.002)
    for a, b in zip(values(loaded), values(rich_vae), strict=True):
        assert a.shape == b.shape
    assert int(loaded.optimizer.iterations) == 4
    assert len(values(rich_vae)) > 3 * len(rich_vae.trainable_variables)
    for a, b in zip(values(rich_vae), values(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loaded_model_trains_on(rich_vae, images, tmp_path):
    rich_vae.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    loaded.run_eagerly = True
    history = loaded.fit(images, batch_size=32, epochs=1, verbose=0).history
    assert int(loaded.optimizer.iterations) == 6
    assert history["learning"] == [1.0] and np.isfinite(history["loss"][0])


def test_keras_file_in_a_fresh_process(rich_vae, images, tmp_path):
    rich_vae.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import warnings, keras, numpy as np, sparsevae.models\n"
        "warnings.simplefilter('error')\n"
        "vae = keras.saving.load_model('model.keras')\n"
        "warnings.simplefilter('ignore')\n"
        "images = np.load('images.npy')\n"
        "np.savez('out.npz', codes=vae.codes(images), elbo=vae.elbo(images, seed=2))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["codes"], rich_vae.codes(images), atol=1e-6)
        np.testing.assert_allclose(out["elbo"], rich_vae.elbo(images, seed=2), rtol=1e-5)


# Bad input

NAN = np.full((2, 8, 8, 1), np.nan, "float32")
BAD = {
    "size": (np.zeros((2, 16, 8, 1), np.uint8), r"shape \(n, 8, 8, 1\).*\(2, 16, 8, 1\)"),
    "channels": (np.zeros((2, 8, 8, 3), np.uint8), r"\(2, 8, 8, 3\)"),
    "one image": (np.zeros((8, 8, 1), np.uint8), r"\(n, 8, 8, 1\).*\(8, 8, 1\)"),
    "int32": (np.zeros((2, 8, 8, 1), np.int32), "uint8.*int32"),
    "strings": (np.full((2, 8, 8, 1), "a"), "uint8.*(str|object)"),
    "0 to 255": (np.full((2, 8, 8, 1), 255.0), r"\[0, 1\].*uint8.*255"),
    "negative": (np.full((2, 8, 8, 1), -0.1), r"\[0, 1\].*-0\.1"),
    "NaN": (NAN, r"\[0, 1\].*NaN"),
    "infinite": (np.full((2, 8, 8, 1), np.inf), r"\[0, 1\].*inf"),
}


@pytest.mark.parametrize("method", ["encode", "codes", "elbo", "fit"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_images_are_refused(vae, method, kind):
    images, message = BAD[kind]
    with pytest.raises(ValueError, match=message) as caught:
        getattr(vae, method)(images)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", BAD)
def test_bad_datasets_and_tensors_are_refused(vae, kind):
    images, message = BAD[kind]
    batches = tf.data.Dataset.from_tensors(images)
    with pytest.raises(ValueError, match=message):
        vae.fit(batches)
    with pytest.raises(ValueError, match=message):
        vae.fit(tf.constant(images))


@pytest.mark.parametrize("z", [np.zeros((2, 4)), np.zeros(3), np.zeros((2, 3, 1))], ids=np.shape)
def test_bad_latents_are_refused(vae, z):
    with pytest.raises(ValueError, match=r"`z` must have the shape \(n, 3\)"):
        vae.decode(z)


def encoder(latent_dim=2, log_var_dim=None, shape=(4, 4, 1)):
    x = keras.Input(shape)
    flat = keras.layers.Flatten()(x)
    dims = (latent_dim, latent_dim if log_var_dim is None else log_var_dim)
    return keras.Model(x, [keras.layers.Dense(n)(flat) for n in dims])


def decoder(latent_dim=2, shape=(4, 4, 1)):
    z = keras.Input((latent_dim,))
    flat = keras.layers.Dense(int(np.prod(shape)))(z)
    return keras.Model(z, keras.layers.Reshape(shape)(flat))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((encoder(2, 3), decoder(2)), "`encoder` must have two outputs"),
        ((decoder(2), decoder(2)), "`encoder` must have two outputs"),
        ((encoder(2), decoder(3)), r"`decoder` must take.*\(batch, 2\)"),
        ((encoder(2), decoder(2, (4, 5, 1))), r"`decoder` must give images.*\(4, 4, 1\)"),
    ],
    ids=["heads differ", "one head", "latents differ", "images differ"],
)
def test_networks_that_do_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        SparseVAE(*parts)
