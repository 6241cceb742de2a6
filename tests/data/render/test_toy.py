import hashlib
import pickle

import numpy as np
import pytest

import sparsevae as sv
from sparsevae.data import Toy

DATA = Toy()
WIDTH, HEIGHT, BACKGROUND, X, Y = range(5)
MIDDLE = [3, 3, 3, 16, 16]


@pytest.fixture(scope="module")
def all_images():
    return DATA.images(np.arange(len(DATA)))[..., 0]


def sweep(factor):
    """Images `(size, 16, 16)`, int64, of all values of one factor, the others in the middle."""
    factors = np.tile(MIDDLE, (DATA.factor_sizes[factor], 1))
    factors[:, factor] = np.arange(DATA.factor_sizes[factor])
    return DATA.observe(factors)[..., 0].astype(np.int64)


def light(images):
    """Light of the box above the background, in whole white pixels."""
    return (images - 48).sum(axis=(1, 2)) / (255 - 48)


def test_public_facts():
    assert DATA.name == "toy" and DATA.source == "render"
    assert len(DATA) == 221_184 and DATA.image_shape == (16, 16, 1)
    assert DATA.images([0]).dtype == np.uint8
    assert DATA.images(np.array([], np.int64)).shape == (0, 16, 16, 1)


def test_images_are_golden_and_all_differ(all_images):
    digest = "a6926a4160ac8be85481f50474dc032159268a8a2fa03c692e8bfaa25946976a"
    assert hashlib.sha256(all_images.tobytes()).hexdigest() == digest
    assert len(np.unique(all_images.reshape(len(DATA), -1).view("V256"))) == len(DATA)


def test_corners_show_the_background_and_every_box_is_white_inside(all_images):
    background = DATA.factors(np.arange(len(DATA)))[:, BACKGROUND]
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        corner = all_images[:, row, column]
        largest_box = corner != 16 * background
        assert largest_box.mean() < 0.001  # only the largest box in its outermost place reaches it
    assert (all_images.max(axis=(1, 2)) == 255).all()
    assert (all_images.min(axis=(1, 2)) == 16 * background).all()


@pytest.mark.parametrize("factor", [WIDTH, HEIGHT])
def test_area_is_the_sides_multiplied(factor):
    sides = np.array(DATA.factor_space.values[factor])
    np.testing.assert_allclose(light(sweep(factor)), sides * sides[3], rtol=0.01)


@pytest.mark.parametrize(("factor", "axis"), [(X, 2), (Y, 1)])
def test_position_moves_the_box_by_a_quarter_of_a_pixel(factor, axis):
    images = sweep(factor) - 48
    assert np.ptp(light(images + 48)) < 0.3  # rounding of the edges only
    mass = images.sum(axis=3 - axis)
    center = mass @ (np.arange(16) + 0.5) / mass.sum(axis=1)
    np.testing.assert_allclose(center, 4.125 + np.arange(32) / 4, atol=0.02)
    across = images.sum(axis=axis)
    np.testing.assert_allclose(across, np.tile(across[:1], (32, 1)), atol=12)


def test_background_leaves_full_pixels_of_the_box_alone():
    images = sweep(BACKGROUND)
    full = images[0] == 255
    assert full.sum() >= 25 and (images[:, full] == 255).all()
    assert (np.diff(images[:, ~full], axis=0) > 0).all()


def test_width_and_height_mirror_each_other():
    factors = DATA.sample_factors(500, np.random.default_rng(0))
    mirrored = factors[:, [HEIGHT, WIDTH, BACKGROUND, Y, X]]
    np.testing.assert_array_equal(
        DATA.observe(factors), DATA.observe(mirrored).transpose(0, 2, 1, 3)
    )


def test_pickling_is_small():
    dump = pickle.dumps(DATA)
    assert len(dump) < 10_000
    np.testing.assert_array_equal(pickle.loads(dump).images([7, 70_000]), DATA.images([7, 70_000]))


@pytest.mark.slow
def test_a_small_vae_finds_all_five_factors():
    vae = sv.models.mlp_vae(DATA.image_shape, latent_dim=8, hidden=256)
    vae.compile("adam")
    history = vae.fit(DATA.as_tf_dataset(), steps_per_epoch=2_500, epochs=2, verbose=0).history
    assert history["active_latents"][-1] == 5
    factors, images = DATA.sample(4_000, np.random.default_rng(0))
    codes = np.asarray(vae.codes(images))
    features = np.concatenate([codes, codes**2, np.ones((len(codes), 1))], axis=1)
    for k, name in enumerate(DATA.factor_names):
        target = factors[:, k] - factors[:, k].mean()
        fitted = features @ np.linalg.lstsq(features, target, rcond=None)[0]
        assert np.var(target - fitted) < 0.3 * np.var(target), name
