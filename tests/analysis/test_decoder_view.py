"""Decoder view: closed forms for linear and quadratic decoders, autodiff, misuse."""

import math

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

import sparsevae as sv
from sparsevae.analysis import decoder_view

SCORES = ("sparsity", "ima_contrast", "column_cosine", "compositional_contrast", "overlap")
CURVED = ("hessian_penalty", "hessian_ratio")
SHAPE = (2, 3, 1)


def base_points(latent_dim, n=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, latent_dim))


def linear(matrix, shape=SHAPE):
    """Decoder whose Jacobian has the columns of `matrix (n_outputs, latent_dim)`."""
    return lambda z: (z @ matrix.T).reshape(len(z), *shape)


def view_of(matrix, shape=SHAPE, **kwargs):
    codes = base_points(matrix.shape[1])
    return decoder_view(linear(matrix, shape), codes, method="differences", **kwargs)


def random_matrix(seed, latent_dim=3, n_outputs=6):
    return np.random.default_rng(seed).normal(size=(n_outputs, latent_dim))


def test_orthogonal_columns_have_no_ima_contrast():
    orthogonal = np.linalg.qr(random_matrix(0))[0] * [1.0, 20.0, 0.3]
    found = view_of(orthogonal)
    assert found.ima_contrast == pytest.approx(0, abs=1e-9)
    assert found.column_cosine == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.table["gain"], [1.0, 20.0, 0.3])


@pytest.mark.parametrize("angle", [0.1, 0.7, math.pi / 2])
def test_two_columns_at_an_angle(angle):
    matrix = np.zeros((6, 2))
    matrix[0] = [3.0, 2 * math.cos(angle)]
    matrix[1, 1] = 2 * math.sin(angle)
    found = view_of(matrix)
    assert found.ima_contrast == pytest.approx(-math.log(math.sin(angle)), abs=1e-9)
    assert found.column_cosine == pytest.approx(abs(math.cos(angle)), abs=1e-9)
    np.testing.assert_allclose(found.cosines[0, 1], abs(math.cos(angle)), atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4])
def test_rotated_latents_of_unequal_strength(angle):
    """J = diag(a, b) R, so J^T J has the determinant (a b)^2 and known column norms."""
    a, b, c, s = 3.0, 1.0, math.cos(angle), math.sin(angle)
    matrix = np.zeros((6, 2))
    matrix[:2] = np.diag([a, b]) @ [[c, -s], [s, c]]
    first, second = math.hypot(a * c, b * s), math.hypot(a * s, b * c)
    assert view_of(matrix).ima_contrast == pytest.approx(
        math.log(first * second / (a * b)), abs=1e-9
    )


def test_formulas_written_out():
    matrix = random_matrix(1)
    found = view_of(matrix)
    ima = np.log(np.linalg.norm(matrix, axis=0)).sum()
    ima -= 0.5 * np.log(np.linalg.det(matrix.T @ matrix))
    assert found.ima_contrast == pytest.approx(ima)
    size = np.abs(matrix)
    pairs = sum(size[:, i] * size[:, j] for i in range(3) for j in range(i + 1, 3)).sum()
    assert found.compositional_contrast == pytest.approx(pairs)
    assert found.overlap == pytest.approx(pairs / (size.sum(axis=1) ** 2).sum() * 3)
    root = math.sqrt(matrix.size)
    sparsity = (root - size.sum() / np.linalg.norm(matrix)) / (root - 1)
    assert found.sparsity == pytest.approx(sparsity)
    np.testing.assert_allclose(found.pixel_maps, size.T.reshape(3, *SHAPE))
    assert list(found.points.columns) == [*SCORES, *CURVED]
    assert len(found.points) == 3


def test_blocks_of_pixels_do_not_overlap():
    blocks = np.kron(np.eye(3), np.ones((2, 1)))
    found = view_of(blocks)
    assert found.compositional_contrast == pytest.approx(0, abs=1e-9)
    assert found.overlap == pytest.approx(0, abs=1e-9)
    assert found.table["sparsity"].to_numpy() == pytest.approx(
        (math.sqrt(6) - math.sqrt(2)) / (math.sqrt(6) - 1)
    )
    assert view_of(np.ones((6, 3)) * [1, -1, 1]).overlap == pytest.approx(1)


def test_a_pixel_is_one_thing_with_all_its_channels():
    colors = np.eye(6)[:, [0, 1]]  # latents move two channels of one pixel
    assert view_of(colors, shape=(1, 2, 3)).overlap > 0
    assert view_of(colors, shape=(2, 3, 1)).overlap == 0


def test_sparsity_at_its_ends():
    one = np.zeros((6, 3))
    one[2, 1] = -4.0
    assert view_of(one).sparsity == pytest.approx(
        np.sqrt(6) / (np.sqrt(6) - 1) - 1 / (np.sqrt(6) - 1)
    )
    assert view_of(np.full((6, 3), -2.0)).sparsity == pytest.approx(0, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.floats(0.1, 10))
def test_bounds_and_invariances(seed, latent_dim, scale):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(seed, latent_dim) * (rng.random((6, latent_dim)) > 0.3)
    matrix[rng.integers(6)] = 1.0  # no latent is dead
    found = view_of(matrix)
    assert found.ima_contrast >= 0 and found.compositional_contrast >= 0
    for name in ("sparsity", "column_cosine", "overlap", "hessian_ratio"):
        assert 0 <= getattr(found, name) <= 1
    permuted = view_of(matrix[:, rng.permutation(latent_dim)] * rng.choice([-1, 1], latent_dim))
    for name in SCORES:
        assert getattr(permuted, name) == pytest.approx(getattr(found, name), abs=1e-8)
    brighter = view_of(scale * matrix)
    for name in ("sparsity", "ima_contrast", "column_cosine", "overlap"):
        assert getattr(brighter, name) == pytest.approx(getattr(found, name), abs=1e-8)
    stretched = view_of(matrix * rng.uniform(0.1, 10, latent_dim), threshold=0)
    for name in ("ima_contrast", "column_cosine"):
        assert getattr(stretched, name) == pytest.approx(getattr(found, name), abs=1e-8)


@pytest.mark.parametrize("dead", [0.0, 1e-4])
def test_dead_latents_change_nothing(dead):
    matrix = random_matrix(2)
    without, with_dead = view_of(matrix), view_of(np.insert(matrix, 1, dead, axis=1))
    for name in (*SCORES, *CURVED):
        assert getattr(with_dead, name) == pytest.approx(getattr(without, name), abs=1e-9)
    assert with_dead.table["active"].tolist() == [True, False, True, True]
    others = with_dead.table.drop(columns=["gain", "active"])
    assert others.loc[1].isna().all() and others.drop(1).notna().all(axis=None)
    assert np.isnan(with_dead.cosines[1]).all() and np.isnan(with_dead.cosines[:, 1]).all()


def test_a_decoder_that_ignores_its_codes():
    found = view_of(np.zeros((6, 3)))
    assert math.isnan(found.sparsity)
    assert [getattr(found, name) for name in (*SCORES[1:], *CURVED)] == [0] * 6
    assert not found.table["active"].any()


def test_a_duplicated_latent_has_infinite_contrast():
    matrix = random_matrix(3)
    assert view_of(np.column_stack([matrix, 2 * matrix[:, 0]])).ima_contrast == math.inf


def test_a_latent_that_stands_still_at_some_base_points():
    def decode(z):
        second = np.maximum(z[:, [1]], 0) + z[:, [0]]
        return np.concatenate([z[:, [0]], second, second], axis=1)

    codes = np.array([[0.0, 1.0], [0.0, -1.0]])
    found = decoder_view(decode, codes, method="differences")
    hand = math.log(math.sqrt(3) * math.sqrt(2)) - 0.5 * math.log(3 * 2 - 4)
    np.testing.assert_allclose(found.points["ima_contrast"], [hand, 0], atol=1e-9)


def quadratic(hessians, matrix):
    """Decoder with these Hessians `(n_outputs, latent_dim, latent_dim)` everywhere."""
    return lambda z: z @ matrix.T + np.einsum("ni,pij,nj->np", z, hessians, z) / 2


@pytest.mark.parametrize("batch_size", [1, 5, 256])
def test_known_hessians(batch_size):
    rng = np.random.default_rng(4)
    half = rng.normal(size=(5, 3, 3))
    hessians = half + half.swapaxes(1, 2)
    decode = quadratic(hessians, rng.normal(size=(5, 3)))
    found = decoder_view(decode, base_points(3), method="differences", batch_size=batch_size)
    squares = np.square(hessians)
    off = squares.sum(axis=(1, 2)) - np.trace(squares, axis1=1, axis2=2)
    assert found.hessian_penalty == pytest.approx(2 * off.max())
    assert found.hessian_ratio == pytest.approx(off.sum() / squares.sum())
    by_latent = squares.sum(axis=0)
    shares = 1 - by_latent.diagonal() / by_latent.sum(axis=1)
    np.testing.assert_allclose(found.table["hessian_ratio"], shares)


def test_hessian_penalty_is_the_variance_over_random_signs():
    """Section 3 of the paper: Var of v' H v over signs v is twice the sum off the diagonal."""
    half = np.random.default_rng(5).normal(size=(1, 3, 3))
    hessian = np.repeat(half + half.swapaxes(1, 2), 2, axis=0)
    signs = 1 - 2 * (np.arange(8)[:, None] >> np.arange(3) & 1)
    variance = np.var(np.einsum("ki,ij,kj->k", signs, hessian[0], signs))
    decode = quadratic(hessian, np.ones((2, 3)))
    found = decoder_view(decode, base_points(3), method="differences")
    assert found.hessian_penalty == pytest.approx(variance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_and_products_of_latents(dtype):
    codes = base_points(3).astype(dtype)
    mixing = random_matrix(6).T.astype(dtype)
    additive = decoder_view(lambda z: np.sin(z) @ mixing, codes, method="differences")
    assert additive.hessian_ratio < 1e-4
    straight = decoder_view(lambda z: z @ mixing, codes, method="differences")
    assert straight.hessian_ratio == straight.hessian_penalty == 0
    assert 0 < straight.hessian_error < {"float32": 0.02, "float64": 1e-10}[dtype]
    together = decoder_view(
        lambda z: np.stack([z[:, 0] * z[:, 1], z[:, 1] * z[:, 2]], axis=1),
        codes,
        method="differences",
    )
    assert together.hessian_ratio == pytest.approx(1, abs=1e-4)


def test_coarse_rounding_is_said_and_not_taken_for_curvature():
    mixing = random_matrix(8).T

    def decode(z):
        return np.round(z @ mixing, 2)

    found = decoder_view(decode, base_points(3), method="differences")
    assert found.hessian_ratio == 0 and 1 <= found.hessian_error <= 8


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.Dense(12, activation="sigmoid"),
            keras.layers.Reshape((2, 2, 3)),
        ]
    )


def by_hand(model, z):
    """Jacobian of `network` at one point by the chain rule, `(12, 3)`."""
    first, first_bias, second, second_bias = (np.float64(w) for w in model.get_weights())
    hidden = np.tanh(z @ first + first_bias)
    image = 1 / (1 + np.exp(-(hidden @ second + second_bias)))
    return (first * (1 - hidden**2) @ second * image * (1 - image)).T


@pytest.mark.parametrize("batch_size", [3, 256])
def test_autodiff_is_the_chain_rule_and_differences_are_near(batch_size):
    model, codes = network(), base_points(3, n=5)
    exact = decoder_view(model, codes, batch_size=batch_size)
    slopes = np.stack([by_hand(model, z) for z in codes])
    maps = np.sqrt(np.square(slopes).mean(axis=0)).T.reshape(3, 2, 2, 3)
    np.testing.assert_allclose(exact.pixel_maps, maps, rtol=1e-4, atol=1e-7)
    assert exact.derivative_error == 0

    def decode(z):
        return ops.convert_to_numpy(model(ops.convert_to_tensor(z, "float32")))

    near = decoder_view(decode, codes, method="differences", batch_size=batch_size)
    for name in (*SCORES, *CURVED):
        assert getattr(near, name) == pytest.approx(getattr(exact, name), rel=1e-3)
    assert np.abs(near.pixel_maps - exact.pixel_maps).max() < near.derivative_error < 1e-3
    pd.testing.assert_frame_equal(near.table, exact.table, rtol=1e-3)


def test_error_of_differences_shrinks_with_the_fourth_power_of_the_step():
    codes = base_points(2)
    exact = np.sqrt(np.square(np.cos(codes)).mean(axis=0))

    def error(step):
        found = decoder_view(np.sin, codes, method="differences", step=step)
        slopes = found.pixel_maps.diagonal()
        assert np.abs(slopes - exact).max() < found.derivative_error
        return np.abs(slopes - exact).max()

    assert error(0.2) / error(0.1) == pytest.approx(16, rel=0.1)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="models are TensorFlow's")
def test_mean_image_of_a_vae():
    vae = sv.models.mlp_vae((4, 4, 1), latent_dim=2, hidden=8)
    codes = base_points(2)
    found = decoder_view(lambda z: vae.decode(z).mean(), codes)
    assert found.pixel_maps.shape == (2, 4, 4, 1)
    near = decoder_view(lambda z: vae.decode(z).mean().numpy(), codes, method="differences")
    np.testing.assert_allclose(found.pixel_maps, near.pixel_maps, atol=1e-4)
    with pytest.raises(TypeError, match=r"lambda z: vae.decode\(z\).mean\(\)"):
        decoder_view(vae, codes)


def test_base_points_in_pieces_give_the_same():
    matrix = random_matrix(7)
    for batch_size in (1, 13, 40):
        found = view_of(matrix, batch_size=batch_size)
        pd.testing.assert_frame_equal(found.points, view_of(matrix).points)


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"method": "difference"}, ValueError, "Did you mean 'differences'"),
        ({"step": 0}, ValueError, "`step` must be a finite float above 0"),
        ({"hessian_step": math.nan}, ValueError, "`hessian_step`"),
        ({"threshold": 1.0}, ValueError, "`threshold`"),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
        ({"codes": np.zeros(3)}, ValueError, "`codes`"),
        ({"decode": None}, TypeError, "`decode` must be a callable"),
        ({"decode": lambda z: z[:2]}, ValueError, "one output of at least 2 entries"),
        ({"decode": lambda z: z[:, :1]}, ValueError, "one output of at least 2 entries"),
        ({"decode": lambda z: z * np.nan}, ValueError, "finite"),
        ({"method": "autodiff", "decode": np.asarray}, ValueError, 'method="differences"'),
        (
            {"method": "autodiff", "decode": lambda z: ops.convert_to_tensor(np.asarray(z))},
            ValueError,
            'method="differences"',
        ),
    ],
)
def test_misuse_is_said_in_a_line(kwargs, error, match):
    arguments = {"decode": lambda z: z, "codes": np.zeros((2, 3)), "method": "differences"}
    with pytest.raises(error, match=match) as caught:
        decoder_view(**arguments | kwargs)
    assert "Received" in str(caught.value) and "\n" not in str(caught.value)
