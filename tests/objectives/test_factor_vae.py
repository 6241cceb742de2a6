"""FactorVAE's discriminator learns the density ratio."""

import keras
import numpy as np
import tensorflow as tf

from sparsevae import objectives as o


def test_the_density_ratio_of_a_gaussian_after_training():
    """Its total correlation is known: -log(1 - r^2) / 2 for a correlation of r."""
    correlation, rng = 0.8, np.random.default_rng(0)
    objective = o.FactorVAE(1.0, hidden=32, n_hidden=2, seed=1)
    objective.build({"images": None, "z": (None, 2)})
    optimizer = keras.optimizers.Adam(3e-3, beta_1=0.5, beta_2=0.9)
    optimizer.build(objective.trainable_variables)

    def drawn(n):
        first, second = rng.standard_normal((2, n)).astype("float32")
        other = correlation * first + np.sqrt(1 - correlation**2) * second
        return np.stack([first, other], 1).astype("float32")

    @tf.function
    def step(z, number):
        with tf.GradientTape() as tape:
            permuted = o.permute_latents(z, number)
            network = objective.discriminator
            loss = o.discriminator_loss(network(z), network(permuted))
        weights = objective.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    for number in range(1500):
        step(tf.constant(drawn(512)), tf.constant(number))
    found = float(o.density_ratio(objective.discriminator(drawn(20_000))))
    exact = -np.log(1 - correlation**2) / 2
    assert abs(found - exact) < 0.1 * exact


def test_the_model_does_not_train_the_discriminator_nor_the_other_way():
    from all_objectives import MAKERS

    from sparsevae import models

    vae = models.mlp_vae((4, 4, 1), 4, hidden=6, objective=MAKERS["factor_vae"]())
    vae.compile(keras.optimizers.SGD(0.0))  # only the discriminator, by its own Adam, moves
    images = np.random.default_rng(0).random((8, 4, 4, 1)).astype("float32")
    own = {id(variable) for variable in vae.objective.trainable_variables}
    before = [np.array(variable) for variable in vae.trainable_variables]
    vae.train_on_batch(images)
    assert int(vae.n_updates) == 1
    for variable, old in zip(vae.trainable_variables, before, strict=True):
        assert (np.array(variable) != old).any() == (id(variable) in own), variable.path
