import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsevae.data import DSprites
from sparsevae.data.render import dsprites
from sparsevae.data.render.dsprites import render_packed

DATA = DSprites()
FRAMES = Path(__file__).with_name("dsprites_frames.npz")
SQUARE, ELLIPSE, HEART = range(3)


def sweep_factors():
    """Factors of the 320 frames of the authors' animation, in its order."""
    up, down = range(32), range(31, -1, -1)
    grow = [(scale, 0, 0, 0) for scale in [*range(6), *range(5, -1, -1), *range(6)]]
    turn = [(5, orientation, 0, 0) for orientation in range(40)]
    travel = [(5, 39, 0, y) for y in up] + [(5, 39, x, 31) for x in up]
    travel += [(5, 39, 31, y) for y in down] + [(5, 39, x, 0) for x in down]
    frames = [(HEART, *rest) for rest in grow + turn + travel]
    frames += [(HEART, scale, 39, 0, 0) for scale in range(5, -1, -1)]
    for shape in (ELLIPSE, SQUARE):
        frames += [(shape, *rest) for rest in grow + turn]
        frames += [(shape, scale, 0, 0, 0) for scale in range(5, -1, -1)]
    return np.array(frames)


def test_public_facts():
    assert DATA.name == "dsprites" and DATA.source == "render"
    assert DATA.factor_names == ("shape", "scale", "orientation", "posX", "posY")
    assert DATA.factor_sizes == (3, 6, 40, 32, 32)
    assert len(DATA) == 737_280 and DATA.image_shape == (64, 64, 1)
    assert DATA.factor_space.values[0] == (1, 2, 3)
    assert DATA.factor_space.values[2][-1] == 2 * np.pi
    assert "737280" in repr(DATA) and "render" in repr(DATA)


def test_frames_of_the_animation_are_exact():
    frames = DATA.observe(sweep_factors()) // 255
    assert frames.shape == (320, 64, 64, 1)
    digest = "79e3b6d529222a04a628c13d9b5fa03b92a37b364d484a01fb5b828615af7d12"
    assert hashlib.sha256(frames.tobytes()).hexdigest() == digest


def test_real_frames_are_reproduced():
    with np.load(FRAMES) as frames:
        rendered = DATA.observe(frames["classes"][:, 1:])[..., 0]
        np.testing.assert_array_equal(rendered, 255 * frames["images"])
        np.testing.assert_array_equal(frames["classes"][:, 1:], sweep_factors())


@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        (SQUARE, [100, 144, 196, 256, 324, 400]),
        (ELLIPSE, [76, 104, 144, 184, 228, 288]),
        (HEART, [58, 84, 108, 140, 182, 222]),
    ],
)
def test_areas(shape, counts):
    images = DATA.observe([[shape, scale, 0, 0, 0] for scale in range(6)])
    assert np.count_nonzero(images, axis=(1, 2, 3)).tolist() == counts


def test_images_are_uint8_black_and_white_with_a_margin():
    factors, images = DATA.sample(2000, np.random.default_rng(0))
    assert images.dtype == np.uint8 and images.shape == (2000, 64, 64, 1)
    assert set(np.unique(images)) == {0, 255}
    assert images[:, 2:62, 2:62].any(axis=(1, 2, 3)).all()
    assert images.sum(dtype=np.int64) == images[:, 2:62, 2:62].sum(dtype=np.int64)
    np.testing.assert_array_equal(images, DATA.observe(factors))
    np.testing.assert_array_equal(images, DATA.images(DATA.index(factors)))


def test_position_moves_the_sprite_right_and_down():
    def center(factors):
        rows, columns = np.nonzero(DATA.observe([factors])[0, :, :, 0])
        return columns.mean() + 0.5, rows.mean() + 0.5

    # A square at orientation 0 is symmetric about its center, up to the pixel grid.
    np.testing.assert_allclose(center([SQUARE, 5, 0, 0, 0]), (16, 16), atol=0.5)
    np.testing.assert_allclose(center([SQUARE, 5, 0, 31, 0]), (48, 16), atol=0.5)
    np.testing.assert_allclose(center([SQUARE, 5, 0, 0, 31]), (16, 48), atol=0.5)


def test_orientation_turns_counter_clockwise_and_closes():
    factors = np.array([[HEART, 5, k, 15, 15] for k in range(40)])
    heart = DATA.observe(factors)
    np.testing.assert_array_equal(heart[0], heart[39])
    assert len(np.unique(heart.reshape(40, -1), axis=0)) == 39
    # The tip of the upright heart points down; after a quarter turn it points right. The mass of a
    # heart lies away from its tip.
    assert _mass_from_middle(heart[0].any(axis=1), heart[0].sum(axis=1)) < -1
    assert _mass_from_middle(heart[10].any(axis=0), heart[10].sum(axis=0)) < -1


def _mass_from_middle(occupied, mass):
    positions = np.flatnonzero(occupied)
    return np.average(np.arange(64), weights=mass[:, 0]) - (positions[0] + positions[-1]) / 2


def test_scale_nests_the_ellipse():
    images = DATA.observe([[ELLIPSE, scale, 7, 10, 20] for scale in range(6)])
    assert (images[:-1] <= images[1:]).all()


@given(st.integers(0, len(DATA) - 1), st.integers(0, 4), st.integers(1, 39))
@settings(max_examples=50, deadline=None)
def test_one_changed_factor_changes_the_image(index, factor, step):
    first = DATA.factors([index])
    second = first.copy()
    second[0, factor] = (first[0, factor] + step) % DATA.factor_sizes[factor]
    ends = {0, 39} if factor == 2 else set()
    turns = {int(first[0, 2]), int(second[0, 2])}
    same = (first == second).all() or turns == ends
    if factor != 2 or first[0, 0] == HEART or same:
        assert same == (DATA.observe(first) == DATA.observe(second)).all()


@given(st.lists(st.integers(0, len(DATA) - 1), min_size=1, max_size=30), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_images_do_not_depend_on_the_batch(indices, cut):
    whole = DATA.images(indices)
    for part in (slice(cut), slice(cut, None)):
        some = np.array(indices[part], np.int64)
        np.testing.assert_array_equal(DATA.images(some), whole[part])
    np.testing.assert_array_equal(DATA.images(indices), whole)


def inside_outline(factors, image_size):
    """Whether pixel centers lie in the outline, point by point: `(image_size, image_size)`."""
    shape, scale, angle, x, y = (
        DATA.factor_space.values[k][factor] for k, factor in enumerate(factors)
    )
    center = (np.arange(image_size) + 0.5) * 64 / image_size - 16
    dx, dy = center[None, :] - 32 * x, center[:, None] - 32 * y
    u = (np.cos(angle) * dx - np.sin(angle) * dy) / scale
    v = (np.sin(angle) * dx + np.cos(angle) * dy) / scale
    if shape == 1:
        return np.maximum(abs(u), abs(v)) <= 9.5995
    if shape == 2:
        return (u / 12.76589) ** 2 + (v / 7.21235) ** 2 <= 1
    inside = np.zeros(u.shape, bool)
    corners = dsprites._HEART.T
    for (u0, v0), (u1, v1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (v0 > v) != (v1 > v)
        inside ^= crosses & (u < u0 + (v - v0) * (u1 - u0) / (v1 - v0))
    return inside


@pytest.mark.parametrize("image_size", [32, 64, 128])
def test_every_size_draws_the_same_outlines(image_size):
    data = DSprites(image_size)
    assert data.image_shape == (image_size, image_size, 1)
    factors, images = data.sample(60, np.random.default_rng(1))
    expected = np.stack([inside_outline(row, image_size) for row in factors])
    np.testing.assert_array_equal(images[..., 0], 255 * expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data)).observe(factors), images)


@pytest.mark.parametrize("image_size", [48, 0, 64.5, "64"])
def test_other_sizes_are_refused(image_size):
    with pytest.raises(ValueError, match=r"`image_size` must be 32, 64 or 128.*image_size="):
        DSprites(image_size)


def test_empty_batch():
    assert DATA.images(np.array([], np.int64)).shape == (0, 64, 64, 1)


def test_returned_images_are_the_callers_own():
    first = DATA.images([5])
    first[:] = 7
    assert set(np.unique(DATA.images([5]))) == {0, 255}


def test_pickling_is_small():
    dump = pickle.dumps(DATA)
    assert len(dump) < 10_000
    np.testing.assert_array_equal(pickle.loads(dump).images([7, 70_000]), DATA.images([7, 70_000]))


def test_indices_are_checked():
    with pytest.raises(ValueError, match=r"`indices`.*737279.*737280"):
        DATA.images([737_280])
    with pytest.raises(TypeError, match="`indices`"):
        DATA.images([0.5])


@pytest.mark.slow
def test_whole_set_is_exact():
    digest = hashlib.sha256()
    for start in range(0, len(DATA), 4096):
        factors = DATA.factors(np.arange(start, start + 4096))
        digest.update(render_packed(factors).tobytes())
    known = "82f6d55b7edc7736b0524d4af3a2b26592baf3ba68b8d307e0cb6310bdb88d1d"
    assert digest.hexdigest() == known
