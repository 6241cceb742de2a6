import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsevae.data import Shapes3D
from sparsevae.data.render import views as views_module
from sparsevae.data.render.views import FLOOR, OBJECT, SKY, WALL, render_views

DATA = Shapes3D()
CUBE, CYLINDER, SPHERE, CAPSULE = range(4)
MIDDLE = 7  # orientation 0 degrees


@pytest.fixture(scope="module")
def views():
    """Shares `(scale, shape, orientation, row, column, surface)`."""
    return render_views(64).reshape(8, 4, 15, 64, 64, 4)


def changed(factor, factors):
    """Pixels `(n, 64, 64)` that any other value of the factor changes."""
    first = DATA.observe(factors)
    mask = np.zeros(first.shape[:3], bool)
    for value in range(DATA.factor_sizes[factor]):
        others = np.array(factors)
        others[:, factor] = value
        mask |= (DATA.observe(others) != first).any(axis=-1)
    return mask


def test_public_facts():
    assert DATA.name == "shapes3d" and DATA.source == "render"
    assert DATA.factor_names == (
        "floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"
    )  # fmt: skip
    assert DATA.factor_sizes == (10, 10, 10, 8, 4, 15)
    assert len(DATA) == 480_000 and DATA.image_shape == (64, 64, 3)
    values = DATA.factor_space.values
    np.testing.assert_allclose(values[0], np.arange(10) / 10)
    assert (values[3][0], values[3][-1]) == (0.75, 1.25)
    assert (values[5][0], values[5][7], values[5][-1]) == (-30, 0, 30)


@pytest.mark.parametrize(
    ("image_size", "digest"),
    [
        (32, "94961a9d0d6715eaf18953f713d2079b916e91c66fbae78ce533719c1484acc1"),
        (64, "87cb62d495b06f8c9bfcbc3b49396dee020d7789e955e5f144165eca1876b22c"),
        pytest.param(
            128,
            "a9ff0ff0250f1452fc56c37b6c942391bc057e51729a59734b8c898e248bd8f4",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_images_are_golden(image_size, digest):
    data = Shapes3D(image_size)
    images = data.images(np.arange(0, len(data), 997))  # 482 images, every value of every factor
    assert images.shape[1:] == data.image_shape == (image_size, image_size, 3)
    assert hashlib.sha256(images.tobytes()).hexdigest() == digest


def test_images_are_exact_products(views):
    """The same images from whole numbers alone."""
    factors, images = DATA.sample(200, np.random.default_rng(0))
    whole = np.round(views * 4096).astype(np.int64)
    np.testing.assert_array_equal(whole, views.astype(np.float64) * 4096)
    # From 10 saturated hues: red, orange, ..., as in the authors' animation.
    rgb = "ff0000 ff9900 ccff00 33ff00 00ff66 00ffff 0066ff 3300ff cc00ff ff0099"
    rgb = np.array([list(bytes.fromhex(color)) for color in rgb.split()], np.int64)
    sky = np.tile([153, 226, 249], (200, 1))
    colors = np.stack([*(rgb[factors[:, k]] for k in range(3)), sky], axis=1)
    product = np.einsum("nhws,nsc->nhwc", whole[tuple(factors[:, 3:].T)], colors)
    np.testing.assert_array_equal(images, np.minimum(product // 4096, 255))


@given(st.lists(st.integers(0, len(DATA) - 1), min_size=1, max_size=30), st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_images_do_not_depend_on_the_batch(indices, cut):
    whole = DATA.images(indices)
    for part in (slice(cut), slice(cut, None)):
        np.testing.assert_array_equal(DATA.images(np.array(indices[part], np.int64)), whole[part])


def test_views_do_not_hang_on_the_last_digits(monkeypatch):
    """So rounding, which differs from machine to machine, changes no image."""
    before = render_views(32)
    for name in ("_DISTANCE", "_BACK", "_UNIT"):
        monkeypatch.setattr(views_module, name, getattr(views_module, name) * (1 + 1e-11))
    np.testing.assert_array_equal(render_views(32), before)


def test_every_pixel_is_shared_out_among_the_surfaces(views):
    seen = views > 0
    assert seen.any(axis=-1).all()
    assert (seen.sum(axis=-1) == 1).mean() > 0.9
    alone = seen.sum(axis=-1) == 1
    assert set(np.unique(views[alone & seen[..., SKY], SKY])) == {1}
    walls = np.unique(views[alone & seen[..., WALL], WALL])
    assert {round(float(brightness), 2) for brightness in walls} >= {1, 0.8, 0.71}
    assert views[..., OBJECT].max() <= 1.4 + 2**-12 and views[..., FLOOR].max() <= 1
    rows = np.arange(64)[:, None]
    top, bottom = ((seen[0, SPHERE, MIDDLE, ..., k] * rows).max() for k in (SKY, FLOOR))
    assert top < 32 and bottom == 63


def test_hues_change_their_own_surface_and_never_the_sky():
    factors = DATA.sample_factors(40, np.random.default_rng(2))
    floor, wall, thing = (changed(k, factors) for k in range(3))
    sky = (DATA.observe(factors) == [153, 226, 249]).all(axis=-1)
    assert sky[:, 0].all() and sky.mean() > 0.15
    for one, other in ((floor, wall), (floor, thing), (wall, thing)):
        assert (one & other).mean() < 0.03  # edges only
    assert (floor | wall | thing | sky).mean() > 0.98  # but sky with a little of something else
    assert not ((floor | wall | thing) & sky).mean() > 0.01


def test_areas_grow_as_the_square_of_the_scale(views):
    areas = (views[..., MIDDLE, :, :, OBJECT] > 0).sum(axis=(2, 3))
    assert (np.diff(areas, axis=0) > 0).all()
    # The larger object reaches nearer to the eye: a little more than (1.25 / 0.75)^2.
    ratio = areas[-1] / areas[0]
    assert (ratio > 2.5).all() and (ratio < 4).all()


def test_round_objects_keep_their_outline_and_the_cube_turns(views):
    covered = views[..., OBJECT] > 0
    for shape in (CYLINDER, SPHERE, CAPSULE):
        np.testing.assert_array_equal(covered[:, shape], covered[:, shape, :1].repeat(15, axis=1))
        np.testing.assert_array_equal(covered[:, shape], covered[:, shape, :, :, ::-1])
    np.testing.assert_array_equal(covered[:, CUBE], covered[:, CUBE, ::-1, :, ::-1])
    widths = covered[3, CUBE].any(axis=1).sum(axis=-1)
    assert (np.diff(widths[MIDDLE:]) >= 0).all() and widths[-1] > widths[MIDDLE]


def test_the_sphere_is_round_and_the_capsule_the_tallest(views):
    def extent(shape, axis):
        return (views[4, shape, MIDDLE, ..., OBJECT] > 0).any(axis=axis).sum()

    assert abs(int(extent(SPHERE, 0)) - int(extent(SPHERE, 1))) <= 1
    heights = [extent(shape, 1) for shape in range(4)]
    assert np.argmax(heights) == CAPSULE


def test_the_shadow_falls_to_the_right(views):
    dark = (views[..., FLOOR] > 0.32) & (views[..., FLOOR] < 0.34)
    assert dark.any(axis=(3, 4)).all()
    columns = np.arange(64) - 31.5
    center = (dark[3] * columns).sum(axis=(2, 3)) / dark[3].sum(axis=(2, 3))  # shape, orientation
    assert (center > 0).all()


def test_objects_are_lit_from_above(views):
    sphere = views[4, SPHERE, MIDDLE, ..., OBJECT]
    rows = np.flatnonzero((sphere[:, 31:33] > 0.2).all(axis=1))[1:-1]
    assert (np.diff(sphere[rows, 31]) < 0).all()
    top = views[0, CYLINDER, MIDDLE, ..., OBJECT].max()
    assert top > 1.3  # the level end of a low cylinder is the brightest


def test_other_sizes_show_the_same_scene():
    small = Shapes3D(32)
    factors, images = small.sample(50, np.random.default_rng(3))
    halved = DATA.observe(factors).reshape(50, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert abs(halved - images).mean() < 1.5
    with pytest.raises(ValueError, match=r"`image_size` must be 32, 64 or 128.*48"):
        Shapes3D(48)


def test_empty_batch_and_bad_indices():
    assert DATA.images(np.array([], np.int64)).shape == (0, 64, 64, 3)
    with pytest.raises(ValueError, match=r"`indices`.*479999.*480000"):
        DATA.images([480_000])


def test_returned_images_are_the_callers_own():
    first = DATA.images([5])
    kept = first.copy()
    first[:] = 7
    np.testing.assert_array_equal(DATA.images([5]), kept)


def test_pickling_is_small():
    dump = pickle.dumps(DATA)
    assert len(dump) < 10_000
    np.testing.assert_array_equal(pickle.loads(dump).images([7, 70_000]), DATA.images([7, 70_000]))
