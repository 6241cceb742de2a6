"""Every objective with every gate and likelihood: trained, saved, and gone on with."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from all_objectives import MAKERS

from sparsevae import models, objectives, sparsity

GATES = [None, "hard_concrete", "annealed_sigmoid", "binary", "continuous", "pruned"]
LIKELIHOODS = ["bernoulli", "gaussian"]
SHAPE = (4, 4, 1)
N = 24
RNG = np.random.default_rng(0)
FIELDS = {
    "images": (RNG.random((N, *SHAPE)) > 0.5).astype("float32"),
    "partner": (RNG.random((N, *SHAPE)) > 0.5).astype("float32"),
    "labels": RNG.integers(-1, 3, (N, 2)).astype("float32"),
}
WAYS = [(name, GATES[k % len(GATES)], LIKELIHOODS[k % 5 % 2]) for k, name in enumerate(MAKERS)]
ALL = list(itertools.product(MAKERS, GATES, LIKELIHOODS, [False, True]))


def made(name, gate, likelihood, n_steps, **compiling):
    if gate == "pruned":
        control = sparsity.MagnitudePruning.over(0.5, n_steps)
    else:
        control = gate and sparsity.TargetDensity.over(0.5, n_steps)
    builder = models.sparse_decoding_vae if name == "spike_and_slab" else models.mlp_vae
    vae = builder(
        SHAPE, 4, gate=gate, hidden=6, objective=MAKERS[name](), likelihood=likelihood,
        control=control, n_data=N,
    )  # fmt: skip
    vae.compile(keras.optimizers.Adam(1e-3), **compiling)
    return vae


def batches(vae):
    fields = {name: FIELDS[name] for name in ("images", *vae.uses & FIELDS.keys())}
    return tf.data.Dataset.from_tensor_slices(fields).batch(8).repeat()


def trained(vae, n_steps):
    start = int(vae.n_batches.numpy())
    return vae.fit(batches(vae).skip(start), steps_per_epoch=n_steps, verbose=0).history


def check(*way, n_steps, path, **compiling):
    vae = made(*way, n_steps, **compiling)
    history = trained(vae, n_steps)
    assert {*vae.objective.loss_names} <= history.keys()
    for values in history.values():
        assert np.isfinite(values).all()
    part = made(*way, n_steps, **compiling)
    trained(part, n_steps // 2)
    part.save(path / "half.keras")
    again = keras.saving.load_model(path / "half.keras")
    again.run_eagerly = part.run_eagerly
    trained(again, n_steps - n_steps // 2)
    for one, other in zip(vae.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=one.path)
    states = zip(vae.optimizer.variables, again.optimizer.variables, strict=True)
    assert all(np.array_equal(one, other) for one, other in states)


@pytest.mark.parametrize(("name", "gate", "likelihood"), WAYS)
def test_trains_and_goes_on_from_a_file(name, gate, likelihood, tmp_path):
    check(name, gate, likelihood, n_steps=4, path=tmp_path, run_eagerly=True)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "gate", "likelihood", "jit"), ALL)
def test_fifty_steps_of_every_combination(name, gate, likelihood, jit, tmp_path):
    check(name, gate, likelihood, n_steps=50, path=tmp_path, jit_compile=jit)


@pytest.mark.parametrize("name", MAKERS)
def test_validation_on_images_alone(name):
    vae = made(name, None, "bernoulli", 4)
    found = vae.evaluate(FIELDS["images"], batch_size=8, verbose=0, return_dict=True)
    assert all(np.isfinite(value) for value in found.values())
    assert found["loss"] == pytest.approx(
        sum(found[loss] for loss in vae.objective.loss_names if loss != "discriminator_loss"),
        rel=1e-5,
    )


def test_every_objective_is_here():
    made = {type(make()) for make in MAKERS.values()}
    assert made == {*objectives.catalog.OBJECTIVES.values()}
    assert objectives.list() == tuple(objectives.catalog.OBJECTIVES)


X = FIELDS["images"]
MISUSE = {
    "no size of the data": ("beta_tcvae", {"n_data": None}, "`n_data`, the size of the data"),
    "a last batch of one": ("beta_tcvae", {"x": X[:9]}, "at least 2 and .*Received: 1"),
    "a batch larger than the data": ("beta_tcvae", {"n_data": 5}, "n_data=5 images. Received: 8"),
    "no pairs": ("ada_gvae", {}, "must have partner, which AdaGVAE needs"),
    "no labels": ("semi_supervised", {}, "must have labels, which SemiSupervised needs"),
    "labels of other factors": (
        "semi_supervised", {"y": np.zeros((N, 3))}, "`factor_sizes` must be the number of values",
    ),
    "weights": ("dip_vae", {"sample_weight": np.ones(N)}, "DIPVAE does not use weight"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISUSE)
def test_misuse_is_one_line(kind):
    name, given, message = MISUSE[kind]
    vae = models.mlp_vae(
        SHAPE, 4, hidden=6, objective=MAKERS[name](), n_data=given.pop("n_data", N)
    )
    vae.compile("adam")
    with pytest.raises(ValueError, match=message) as caught:
        vae.fit(**{"x": X, "batch_size": 8, "verbose": 0, **given})
    assert "\n" not in str(caught.value)


def test_names_and_arguments_that_are_unknown():
    with pytest.raises(ValueError, match="Did you mean 'factor_vae'"):
        objectives.get("factorvae")
    with pytest.raises(TypeError, match=r"Arguments of factor_vae are gamma.*Received: 'gama'"):
        objectives.get("factor_vae", gama=3.0)
    for sizes in ((), "abc"):
        with pytest.raises(ValueError, match="`factor_sizes` must list"):
            objectives.SemiSupervised(sizes)
