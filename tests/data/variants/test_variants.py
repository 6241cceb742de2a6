"""Colour, noise and pictures behind any set of images."""

import pickle

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from sparsevae.data import DataFileError, DSprites, FactorSpace, GroundTruthData
from sparsevae.data.array import GridArray, LabelledArray, PlainArray
from sparsevae.data.ground_truth import LabelledData
from sparsevae.data.variants import random_bytes as random_bytes_module
from sparsevae.data.variants.backgrounds import texture
from sparsevae.data.variants.random_bytes import random_bytes
from sparsevae.data.variants.variant import VARIANTS, apply, split_name

SPACE = FactorSpace(("row", "column"), (4, 5))
RNG = np.random.default_rng(0)
GREY = RNG.integers(256, size=(20, 16, 12, 1), dtype=np.uint8)
COLOR = RNG.integers(256, size=(20, 16, 12, 3), dtype=np.uint8)
FACTORS = SPACE.factors(np.arange(20))
NUMBERS = np.arange(20)


def grid(images=GREY):
    return GridArray("blocks", "file", SPACE, images)


def labelled(images=GREY):
    return LabelledArray("blocks", "file", SPACE, images, FACTORS[::-1])


def plain(images=GREY):
    return PlainArray("blocks", "file", images)


def constant(value, channels=1, n=3_000, size=1):
    return PlainArray("flat", "file", np.full((n, size, size, channels), value, np.uint8))


# What a variant keeps


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("images", [GREY, COLOR], ids=["grey", "colour"])
def test_a_variant_has_three_channels_and_everything_else_of_its_base(variant, images):
    for base in (grid(images), labelled(images), plain(images)):
        data = apply(base, variant)
        assert data.name == f"{variant}_blocks" and data.source == "file"
        assert data.image_shape == (16, 12, 3) and len(data) == 20
        changed = data.images(NUMBERS)
        assert changed.shape == (20, 16, 12, 3) and changed.dtype == np.uint8
        for kind in (GroundTruthData, LabelledData):
            assert isinstance(data, kind) == isinstance(base, kind)
        for attribute in ("factors", "index", "sample", "draw"):
            assert hasattr(data, attribute) == hasattr(base, attribute)


@pytest.mark.parametrize("variant", VARIANTS)
def test_factors_are_those_of_the_base(variant):
    for base in (grid(), labelled()):
        data = apply(base, variant)
        assert data.factor_space == base.factor_space
        np.testing.assert_array_equal(data.factors(NUMBERS), base.factors(NUMBERS))
        factors, _ = data.sample(30, np.random.default_rng(0), fixed={"row": 2})
        assert (factors[:, 0] == 2).all()
    data = apply(grid(), variant)
    np.testing.assert_array_equal(data.index(FACTORS), NUMBERS)
    np.testing.assert_array_equal(data.observe(FACTORS[:3]), data.images([0, 1, 2]))


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_image_is_the_same_in_every_batch_process_and_call(variant):
    data = apply(DSprites(), variant)
    numbers = np.random.default_rng(1).integers(len(data), size=70)
    together = data.images(numbers)
    np.testing.assert_array_equal(data.images(numbers[::-1])[::-1], together)
    np.testing.assert_array_equal(data.images(numbers[40:43]), together[40:43])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data)).images(numbers), together)
    assert (
        (apply(DSprites(), variant, seed=1).images(numbers) != together).any(axis=(1, 2, 3)).all()
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_image_gives_an_empty_batch(variant):
    assert apply(grid(), variant).images(np.arange(0)).shape == (0, 16, 12, 3)


def test_variants_can_be_put_on_top_of_each_other_and_stream():
    data = apply(apply(grid(), "color"), "noisy")
    assert data.name == "noisy_color_blocks"
    assert next(iter(data.as_tf_dataset(batch_size=2))).shape == (2, 16, 12, 3)


# What a variant does


def test_color_is_the_image_times_a_colour_of_its_own():
    changed = apply(constant(255), "color").images(np.arange(3_000))[:, 0, 0]
    counts = np.stack([np.bincount(channel, minlength=256) for channel in changed.T])
    assert not counts[:, :128].any()
    for channel in counts:
        assert stats.chisquare(channel[128:]).pvalue > 1e-4
    assert np.abs(np.corrcoef(changed.T) - np.eye(3)).max() < 0.08
    colors = changed.astype(float)
    half = apply(constant(100), "color").images(np.arange(3_000))[:, 0, 0]
    np.testing.assert_allclose(half, 100 * colors / 255, atol=0.51)
    assert not apply(constant(0), "color").images([0]).any()


def test_noise_is_added_and_cut():
    data = apply(constant(0, n=8, size=64), "noisy")
    noise = data.images(np.arange(8))
    assert stats.chisquare(np.bincount(noise.ravel(), minlength=256)).pvalue > 1e-4
    flat = noise.reshape(8, -1, 3)
    rows = np.concatenate([flat[..., 0], flat[..., 1], flat[..., 2]]).astype(float)
    assert np.abs(np.corrcoef(rows) - np.eye(24)).max() < 0.08  # images and channels
    neighbours = np.corrcoef(noise[:, :, :-1].ravel(), noise[:, :, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02
    brighter = apply(constant(90, n=8, size=64), "noisy").images(np.arange(8))
    np.testing.assert_array_equal(brighter, np.minimum(noise.astype(int) + 90, 255))


def test_scream_shows_a_patch_mixed_with_a_colour_and_inverts_it_where_white():
    picture = RNG.integers(256, size=(40, 50, 3), dtype=np.uint8)
    black = apply(constant(0, n=200, size=16), "scream", background=picture)
    patches = black.images(np.arange(200)).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(picture.astype(int), (16, 16, 3))
    places = []
    for patch in patches[:20]:
        found = 2 * patch - windows[:, :, 0]  # the colour, up to rounding
        spread = np.ptp(found, axis=(2, 3)).max(axis=-1)
        assert (spread <= 1).sum() == 1
        places.append(np.argwhere(spread <= 1)[0])
    assert len(np.unique(places, axis=0)) > 15
    white = apply(constant(255, n=200, size=16), "scream", background=picture)
    np.testing.assert_array_equal(white.images(np.arange(200)), 255 - patches)
    between = apply(constant(51, n=200, size=16), "scream", background=picture)
    expected = patches * 0.8 + (255 - patches) * 0.2
    np.testing.assert_allclose(between.images(np.arange(200)), expected, atol=0.51)


def test_patches_reach_every_edge_and_colours_are_uniform():
    picture = np.zeros((10, 9, 3), np.uint8)
    picture[0, 0] = picture[0, -1] = picture[-1, 0] = picture[-1, -1] = 255
    data = apply(constant(0, n=3_000, size=8), "scream", background=picture)
    images = data.images(np.arange(3_000))
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1], 0].astype(int) - images[:, 3, 3, :1]
    share = (corners > 100).mean(axis=0)  # 3 x 2 places, of which one shows a corner
    np.testing.assert_allclose(share, 1 / 6, atol=0.03)
    for channel in images[:, 3, 3].T:
        assert stats.chisquare(np.bincount(channel, minlength=128)).pvalue > 1e-4
        assert channel.max() == 127  # the mean of white and black, rounded down


def test_a_picture_as_large_as_the_images_is_one_patch():
    picture = RNG.integers(256, size=(16, 12, 3), dtype=np.uint8)
    data = apply(plain(), "scream", background=picture)
    assert data.images([0]).shape == (1, 16, 12, 3)


def test_colour_images_are_taken_channel_by_channel():
    for variant in VARIANTS:
        changed = apply(plain(COLOR), variant).images(NUMBERS)
        for channel in range(3):
            alone = apply(plain(COLOR[..., [channel]]), variant).images(NUMBERS)
            np.testing.assert_array_equal(changed[..., channel], alone[..., channel])


def test_the_texture_is_the_same_everywhere_and_fills_the_range():
    picture = texture()
    assert picture.shape == (512, 512, 3) and picture.dtype == np.uint8
    assert np.std(picture.reshape(-1, 3), axis=0).min() > 20
    np.testing.assert_array_equal(
        picture[[0, 100, 400], [0, 200, 300]], [[88, 112, 109], [212, 176, 121], [224, 191, 128]]
    )


def test_background_from_a_file(tmp_path):
    picture = RNG.integers(256, size=(30, 40, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "wall.png")
    from_file = apply(plain(), "scream", background=tmp_path / "wall.png")
    from_array = apply(plain(), "scream", background=picture)
    np.testing.assert_array_equal(from_file.images(NUMBERS), from_array.images(NUMBERS))


# Random bytes


def test_bytes_belong_to_their_number():
    together = random_bytes(3, np.array([5, 0, 5, 2**40]), 11)
    assert together.shape == (4, 11)
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(random_bytes(3, np.array([2**40]), 20)[0, :11], together[3])
    first = [234, 144, 43, 80, 150, 159, 74, 161, 10, 10, 233]
    np.testing.assert_array_equal(together[0], first)  # as on every other machine


def test_the_generator_is_splitmix64():
    """The first three numbers from seed 0, as its authors' C code prints them."""
    words = random_bytes_module._mixed(random_bytes_module._STEP * np.arange(1, 4, dtype=np.uint64))
    assert [hex(word) for word in words] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_bytes_of_neighbouring_numbers_and_seeds_are_independent():
    for rows in (
        random_bytes(0, np.arange(300), 1_000),
        np.concatenate([random_bytes(seed, np.zeros(1, int), 1_000) for seed in range(300)]),
    ):
        correlations = np.corrcoef(rows.astype(float))[np.triu_indices(300, 1)]
        assert stats.kstest(correlations * np.sqrt(1_000), "norm").pvalue > 1e-4
        assert stats.chisquare(np.bincount(rows.ravel(), minlength=256)).pvalue > 1e-4


# Names and errors


@pytest.mark.parametrize(
    ("name", "parts"),
    {
        "noisy_dsprites": ("noisy", "dsprites"),
        "color_mpi3d_toy": ("color", "mpi3d_toy"),
        "scream_noisy_toy": ("scream", "noisy_toy"),
        "dsprites": (None, "dsprites"),
        "mpi3d_toy": (None, "mpi3d_toy"),
        "noisy": (None, "noisy"),
        "noisy_": (None, "noisy_"),
        "colors_toy": (None, "colors_toy"),
    }.items(),
)
def test_names(name, parts):
    assert split_name(name) == parts


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"variant": "noise"}, ValueError, "`variant`.*Did you mean 'noisy'"),
        ({"seed": -1}, ValueError, "`seed`.*-1"),
        ({"seed": 0.5}, TypeError, "`seed`.*0.5"),
        ({"variant": "noisy", "background": "a.png"}, ValueError, "'scream' only.*'noisy'"),
        ({"background": "/does/not/exist.png"}, FileNotFoundError, "`background`.*exist.png"),
        ({"background": 3}, TypeError, "`background`.*3"),
        ({"background": np.zeros((99, 99), np.uint8)}, ValueError, r"`background`.*\(99, 99\)"),
        ({"background": np.zeros((99, 99, 3))}, ValueError, "`background`.*float64"),
        (
            {"background": np.zeros((99, 11, 3), np.uint8)},
            ValueError,
            r"`background`.*at least as large as the images, \(16, 12\).*\(99, 11\)",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        apply(plain(), **{"variant": "scream"} | arguments)


def test_a_background_that_is_no_image_is_named(tmp_path):
    (tmp_path / "wall.png").write_bytes(b"<html>")
    with pytest.raises(DataFileError, match=r"`background`.*wall\.png is not an image"):
        apply(plain(), "scream", background=tmp_path / "wall.png")


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"1 or 3 channels.*\(16, 12, 2\)"):
        apply(plain(COLOR[..., :2]), "noisy")
