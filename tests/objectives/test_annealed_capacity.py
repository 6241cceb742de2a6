"""The capacity that an AnnealedVAE is given is the KL that it gets."""

import keras
import pytest

from sparsevae import data, models, objectives


def test_the_kl_follows_the_capacity():
    toy = data.load("toy")
    objective = objectives.AnnealedVAE(capacity=4.0, n_steps=300)
    vae = models.mlp_vae(toy.image_shape, 6, hidden=32, objective=objective)
    # Gamma is large, so single steps of a constant rate leave the KL up to .6 off its mean.
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([350, 400], [2e-3, 2e-4, 2e-5])
    vae.compile(keras.optimizers.Adam(rate))
    kl = vae.fit(toy.as_tf_dataset(64), steps_per_epoch=50, epochs=9, verbose=0).history["kl"]
    rising = [4.0 * (50 * epoch + 24.5) / 300 for epoch in range(6)]  # mean of C over an epoch
    assert kl[2:6] == pytest.approx(rising[2:], rel=0.1)
    assert kl[8] == pytest.approx(4.0, rel=0.05)
    tested = vae.evaluate(toy.as_tf_dataset(250, seed=1), steps=8, verbose=0, return_dict=True)
    assert tested["kl"] == pytest.approx(4.0, rel=0.05)
