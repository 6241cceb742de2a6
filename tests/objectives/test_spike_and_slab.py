"""The spike-and-slab lasso against its mixture, and its EM steps against closed forms."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from sparsevae import layers, models, objectives
from sparsevae.models.losses import TRAIN, context_of, fold_in
from sparsevae.objectives import Batch, SpikeAndSlab, slab_probability, spike_and_slab_penalty

RNG = np.random.default_rng(0)
IMAGES = tf.constant((RNG.random((5, 3, 3, 1)) > 0.5).astype("float32"))
WEIGHTS = RNG.laplace(scale=0.3, size=(4, 7))
ETA = np.array([0.02, 0.3, 0.5, 0.97])
SPIKE, SLAB = 12.0, 0.7


def mixture(weights, eta=ETA, spike=SPIKE, slab=SLAB):
    """Both terms of the density of each weight, by SciPy."""
    eta = eta[:, None]
    return (
        eta * scipy.stats.laplace.pdf(weights, scale=1 / slab),
        (1 - eta) * scipy.stats.laplace.pdf(weights, scale=1 / spike),
    )


def with_gradient(function):
    weights = tf.constant(WEIGHTS, "float32")
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = function(weights)
    return float(value), tape.gradient(value, weights).numpy()


def test_penalty_and_posterior_are_those_of_the_mixture():
    in_slab, in_spike = mixture(WEIGHTS)
    found = slab_probability(WEIGHTS, ETA, SPIKE, SLAB)
    np.testing.assert_allclose(found, in_slab / (in_slab + in_spike), rtol=1e-4)
    value = float(spike_and_slab_penalty(WEIGHTS, ETA, SPIKE, SLAB))
    assert value == pytest.approx(-np.log(in_slab + in_spike).sum(), rel=1e-5)


def test_value_and_gradient_are_those_of_the_bound_after_the_e_step():
    def bound(weights):
        p = tf.stop_gradient(slab_probability(weights, ETA, SPIKE, SLAB))
        eta, size = tf.constant(ETA[:, None], "float32"), tf.abs(weights)
        in_slab = tf.math.log(eta * SLAB / 2 / p) - SLAB * size
        in_spike = tf.math.log((1 - eta) * SPIKE / 2 / (1 - p)) - SPIKE * size
        return -tf.reduce_sum(p * in_slab + (1 - p) * in_spike)

    value, gradient = with_gradient(lambda w: spike_and_slab_penalty(w, ETA, SPIKE, SLAB))
    expected, of_bound = with_gradient(bound)
    assert value == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient, of_bound, rtol=1e-4)
    in_slab, in_spike = mixture(WEIGHTS)
    rate = (SLAB * in_slab + SPIKE * in_spike) / (in_slab + in_spike)
    np.testing.assert_allclose(gradient, rate * np.sign(WEIGHTS), rtol=1e-4)
    step = 1e-6
    ends = [-np.log(sum(mixture(WEIGHTS + shift))) for shift in (-step, step)]
    np.testing.assert_allclose(gradient, (ends[1] - ends[0]) / (2 * step), rtol=1e-4)


def test_one_component_is_the_lasso():
    value, gradient = with_gradient(lambda w: spike_and_slab_penalty(w, ETA, 3.0, 3.0))
    assert value == pytest.approx((3 * np.abs(WEIGHTS) - np.log(1.5)).sum(), rel=1e-5)
    np.testing.assert_allclose(gradient, 3 * np.sign(WEIGHTS), rtol=1e-5)


def test_far_from_the_mixture_all_is_finite():
    for weights in (np.zeros((4, 7)), 1e4 * WEIGHTS):
        value = spike_and_slab_penalty(weights, [1e-6, 0.5, 0.5, 1 - 1e-6], 1e4, 1e-3)
        assert np.isfinite(value)


def made(gate=None, objective=None, **more):
    objective = (
        SpikeAndSlab(spike=SPIKE, slab=SLAB, a=2.0, b=3.0) if objective is None else objective
    )
    sizes = {"hidden": 6, "decoder_hidden": 3, "n_data": 20} | more
    return models.sparse_decoding_vae((3, 3, 1), 4, gate=gate, objective=objective, **sizes)


def context(vae, training=True):
    return context_of(vae, vae.objective, Batch(IMAGES), fold_in(0, TRAIN), training)


def test_loss_is_the_penalty_per_observation_and_eta_its_closed_form():
    vae = made()
    mask = vae.decoder.get_layer("decoder_mask").kernel.numpy()
    eta = np.full(4, 0.5)
    for _ in range(3):
        in_slab, in_spike = mixture(mask, eta)
        found = vae.objective.more(context(vae))
        expected = -np.log(in_slab + in_spike).sum() / 20
        assert float(found["spike_and_slab_loss"]) == pytest.approx(expected, rel=1e-4)
        eta = (2 - 1 + (in_slab / (in_slab + in_spike)).sum(axis=1)) / (2 + 3 - 2 + 9)
        np.testing.assert_allclose(vae.objective.eta, eta, rtol=1e-4)
    vae.objective.more(context(vae, training=False))
    np.testing.assert_allclose(vae.objective.eta, eta, rtol=1e-4)


def test_steps_of_eta_climb_the_log_posterior_to_its_maximum():
    vae = made()
    mask = vae.decoder.get_layer("decoder_mask").kernel.numpy()

    def log_posterior(eta):
        return np.log(sum(mixture(mask, eta))).sum(1) + scipy.stats.beta.logpdf(eta, 2, 3)

    given, values = context(vae), [log_posterior(np.full(4, 0.5))]
    for _ in range(60):
        vae.objective.more(given)
        values.append(log_posterior(vae.objective.eta.numpy().astype("float64")))
    assert np.diff(values, axis=0).min() > -1e-5
    grid = np.linspace(0.001, 0.999, 2000)
    best = np.max([log_posterior(np.full(4, eta)) for eta in grid], axis=0)
    np.testing.assert_allclose(values[-1], best, atol=1e-3)


def test_b_is_the_number_of_features_unless_given():
    vae = made(objective=SpikeAndSlab())
    vae.decoder.get_layer("decoder_mask").kernel.assign(np.full((4, 9), 50.0))
    vae.objective.more(context(vae))
    np.testing.assert_allclose(vae.objective.eta, 9 / (9 + 9 - 1))  # all of the slab, a = 1
    vae.decoder.get_layer("decoder_mask").kernel.assign(np.zeros((4, 9)))
    for _ in range(40):
        vae.objective.more(context(vae))
    np.testing.assert_allclose(vae.objective.eta, 1e-6, rtol=1e-5)


def test_the_prior_closes_what_the_likelihood_does_not_need():
    vae = made(objective=SpikeAndSlab(spike=500.0, slab=1.0))
    layer = vae.decoder.get_layer("decoder_mask")
    start = np.tile([[1.5], [0.02], [1.5], [0.02]], (1, 9)).astype("float32")
    layer.kernel.assign(start)
    vae.compile(keras.optimizers.Adam(1e-3))
    vae.fit(IMAGES, batch_size=5, epochs=60, verbose=0)
    size = np.abs(layer.kernel.numpy()).max(axis=1)
    assert (size[[1, 3]] < 5e-3).all() and (size[[0, 2]] > 1).all()
    eta = vae.objective.eta.numpy()
    assert eta[[1, 3]].max() < 0.01 and eta[[0, 2]].min() > 0.4


@pytest.mark.parametrize("equation", ["bk,kj->bjk", "bk,jk->bjk"])
def test_feature_masks_are_known_by_what_they_do(equation):
    z = RNG.normal(size=(5, 4)).astype("float32")
    stock = keras.layers.EinsumDense(equation, (9, 4))
    gated = layers.GatedEinsumDense(equation, (9, 4), gate="continuous")
    for layer in (stock, gated):
        made_of_z = layer(z)
        mask = np.array(layers.feature_mask(layer))
        assert mask.shape == (4, 9)
        np.testing.assert_allclose(made_of_z, mask.T * z[:, None], rtol=1e-5)


def test_other_layers_are_no_feature_masks():
    others = [
        keras.layers.Dense(3),
        keras.layers.EinsumDense("bjk,kh->bjh", (9, 3)),
        keras.layers.EinsumDense("bjk,kj->bj", 9),
        keras.layers.EinsumDense("bk,kjh->bjh", (9, 3)),
    ]
    assert [layers.feature_mask(layer) for layer in others] == [None] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spike": 0.5, "slab": 1.0}, "`spike` must be at least `slab`"),
        ({"spike": -1.0}, "`spike` must be a finite number"),
        ({"slab": 0.0}, "`slab` must be a finite number"),
        ({"a": 0.5}, "`a` must be finite and at least 1"),
        ({"b": float("nan")}, "`b` must be finite and at least 1"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpikeAndSlab(**arguments)


def test_misuse_is_one_line():
    other = models.mlp_vae((3, 3, 1), 4, hidden=6, objective=SpikeAndSlab(), n_data=20)
    for vae, message in (
        (made(n_data=None), "`n_data`, the size of the data"),
        (other, "needs a decoder with one mask of latents for each feature.*with 0"),
    ):
        vae.compile("adam")
        with pytest.raises(ValueError, match=message) as caught:
            vae.fit(IMAGES, batch_size=5, verbose=0)
        assert "\n" not in str(caught.value)
    assert isinstance(objectives.get("spike_and_slab", spike=20.0), SpikeAndSlab)
