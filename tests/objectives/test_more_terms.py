"""Terms beside the ELBO against their definitions."""

import numpy as np
import pytest
import tensorflow as tf

from sparsevae import models, objectives
from sparsevae.models.losses import TRAIN, context_of, fold_in
from sparsevae.objectives import Batch, SmallKernels, SparseJacobian

IMAGES = tf.constant((np.random.default_rng(0).random((5, 4, 4, 1)) > 0.5).astype("float32"))


def vae_with(objective, likelihood="bernoulli"):
    return models.mlp_vae((4, 4, 1), 3, hidden=6, objective=objective, likelihood=likelihood)


def context(vae):
    return context_of(vae, vae.objective, Batch(IMAGES), fold_in(0, TRAIN), training=True)


def test_squares_of_kernels_and_of_nothing_else():
    vae = vae_with(SmallKernels(strength=3.0))
    kernels = [w for n in vae.networks for w in n.weights if w.name == "kernel"]
    assert len(kernels) == 8
    expected = 1.5 * sum((np.array(kernel) ** 2).sum() for kernel in kernels)
    assert float(vae.objective.more(context(vae))["kernels_loss"]) == pytest.approx(expected)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_jacobian_against_differences(likelihood):
    vae = vae_with(SparseJacobian(gamma=2.0, n_latents=9), likelihood)
    given, step = context(vae), 1e-2

    def mean(z):
        return vae.likelihood(vae.decoder(z)).mean().numpy().astype("float64")

    total = 0.0
    for shift in step * np.eye(3, dtype="float32"):
        slope = (mean(given.terms.z + shift) - mean(given.terms.z - shift)) / (2 * step)
        total += np.abs(slope).sum(axis=(1, 2, 3)).mean()
    found = float(vae.objective.more(given)["jacobian_loss"])
    assert found == pytest.approx(2 * total, rel=1e-3)


def test_latents_drawn_for_the_jacobian_stand_for_all():
    vae = vae_with(SparseJacobian(gamma=1.0, n_latents=1, seed=3))
    whole = vae_with(SparseJacobian(gamma=1.0, n_latents=3))
    whole.set_weights(vae.get_weights())
    given = context(vae)
    single = []
    for step in range(200):
        at = tf.constant(step)
        drawn = type(given)(**{**vars(given), "step": at})
        single.append(float(vae.objective.more(drawn)["jacobian_loss"]))
    assert len({round(value, 4) for value in single}) == 3
    error = np.std(single) / np.sqrt(len(single))
    expected = float(whole.objective.more(context(whole))["jacobian_loss"])
    assert np.mean(single) == pytest.approx(expected, abs=4 * error)


def test_what_is_put_around_must_be_an_objective():
    with pytest.raises(TypeError, match="`objective` must be an objective"):
        SmallKernels("beta_vae")
    labelled = objectives.SemiSupervised((2,))
    with pytest.raises(ValueError, match=r"uses no labels itself.*SemiSupervised"):
        objectives.SemiSupervised((2,), labelled)
