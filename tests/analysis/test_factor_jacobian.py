"""Factor Jacobian: encoders whose answers are known, and what is refused."""

import numpy as np
import pytest
from factor_images import FactorImages, linear, standardized, turn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sparsevae.analysis import factor_jacobian
from sparsevae.data import DSprites, FactorSpace, GroundTruthData, Toy, from_array

DATA = FactorImages()


def of(matrix, **options):
    return factor_jacobian(linear(matrix), DATA, n_points=400, **options)


def test_a_perfect_code_has_ones():
    found = of(np.eye(4))
    np.testing.assert_allclose(found.matrix, np.eye(4), atol=0.08)  # spread of 400 draws
    for end in ("", "_active"):
        for name in ("modularity", "compactness", "score", "gain"):
            assert getattr(found, f"{name}{end}") == pytest.approx(1)
    np.testing.assert_allclose(found.table[["score", "gain"]], 1)
    assert (found.support.one_factor == 1).all()
    assert (found.support.factors_per_latent == 1).all()
    assert found.factor_names == DATA.factor_names
    assert "latent 3" in str(found) and "local_active" in str(found)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.lists(st.floats(0.2, 50), min_size=4, max_size=4))
def test_order_sign_and_scale_do_not_matter(order, scales):
    signs = np.array([1, -1, 1, -1])
    code = np.array(turn(0.3)) * np.ones(4)
    one, other = of(code), of(code[:, order] * np.array(scales) * signs)
    for name in ("modularity", "compactness", "score", "gain"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=0.02)
    np.testing.assert_allclose(one.matrix[order], other.matrix, atol=1e-9)
    assert one.table.loc["local", "score"] == pytest.approx(other.table.loc["local", "score"])


def test_scores_fall_with_the_angle_of_a_rotation():
    found = [of(turn(angle)) for angle in np.linspace(0, np.pi / 4, 7)]
    for name in ("modularity", "compactness", "score", "gain"):
        values = [getattr(one, name) for one in found]
        assert (np.diff(values) < 0).all(), name
    # two latents of four are half and half at 45 degrees: (3/4 - 1/4) / (3/4)
    share = (2 + 2 / 2**0.5) / (2 + 4 / 2**0.5)
    assert found[-1].modularity == pytest.approx((share - 1 / 4) / (3 / 4), abs=0.02)
    assert found[-1].compactness == pytest.approx((3 / 4 - 1 / 4) / (3 / 4), abs=0.02)


def test_random_rotations_of_a_perfect_code_gain_nothing():
    gains = []
    for seed in range(20):
        rotation = stats.ortho_group.rvs(4, random_state=seed)
        found = of(rotation, seed=seed)
        gains.append(found.gain)
        low, high = found.table.loc["all", ["null_low", "null_high"]]
        assert low < 0 < high
    assert abs(np.mean(gains)) < 4 * np.std(gains) / 20**0.5
    assert np.mean(np.abs(gains)) < 0.4


def test_what_is_lost_is_not_taken_for_rotated():
    """Two factors are lost, the others are on axes: the gain is that of two perfect latents."""
    found = of(np.eye(4)[:, :2])
    assert found.modularity == pytest.approx(1)
    assert found.compactness == pytest.approx(0.5)
    assert found.gain > 0.4
    rotated = of(turn(np.pi / 4)[:, :2])
    assert rotated.gain < 0  # by 45 degrees: worse than most rotations of the plane


def test_dead_latents():
    code = np.concatenate([np.eye(4), np.zeros((4, 2))], axis=1)
    found = of(code)
    np.testing.assert_array_equal(found.active, [True] * 4 + [False] * 2)
    np.testing.assert_array_equal(found.matrix[4:], 0)
    np.testing.assert_array_equal(found.matrix_active, found.matrix[:4])
    assert found.score == found.score_active == pytest.approx(1)
    code[0, 4] = 0.01  # moves, but is not used
    found = of(code)
    assert found.active.sum() == 4 and found.matrix[4, 0] == pytest.approx(1, abs=0.08)
    assert found.score_active == pytest.approx(1)
    assert found.compactness < 0.95 < found.modularity


def test_all_latents_dead():
    found = factor_jacobian(lambda images: np.zeros((len(images), 3)), DATA, n_points=20)
    assert not found.active.any()
    assert not found.table.to_numpy().any()
    assert (found.support.one_factor == 0).all()


def test_a_duplicated_code_is_modular_and_not_compact():
    found = of(np.repeat(np.eye(4), 2, axis=1))
    assert found.modularity == pytest.approx(1)
    assert found.compactness == pytest.approx((1 / 2 - 1 / 8) / (7 / 8))


def test_one_latent():
    found = of(np.eye(4)[:, :1])
    assert found.modularity == pytest.approx(1)
    assert found.compactness == pytest.approx(1 / 4)
    assert found.gain == 0


def test_local_rotations_are_seen_at_the_points():
    """The plane of the first two latents is turned by 45 degrees for half of the images only."""
    turned = np.array(turn(np.pi / 4))

    def encode(images):
        factors = standardized(images)
        return np.where(factors[:, 3:] > 0, factors @ turned, factors)

    def signs(images):
        factors = standardized(images)
        return factors * np.where(factors[:, 3:] > 0, [1, 1, 1, 1], [-1, -1, 1, 1])

    found = factor_jacobian(encode, DATA, n_points=400)
    here = factor_jacobian(linear(turned), DATA, n_points=400)
    assert here.table.loc["local", "score"] < found.table.loc["local", "score"] < 1
    # signs that depend on another factor: each point is perfect away from the jump
    points = factor_jacobian(signs, DATA, n_points=400).table
    assert points.loc["local", "score"] > points.loc["all", "score"] + 0.05


def test_ordered_factors_have_one_sided_differences_at_the_ends():
    found = factor_jacobian(linear(np.eye(2), (2, 3)), FactorImages((2, 3)), n_points=400)
    sizes = np.abs(found.local[:, [0, 1], [0, 1]])
    np.testing.assert_allclose(sizes, sizes[0] * np.ones((400, 1)))  # linear: one slope everywhere


def test_categorical_factors_are_swapped():
    """Any injective code of a class has a root mean square slope of 1, however it is numbered."""
    numbers = np.array([0.0, 5.0, 1.0, 9.0, 2.0, -3.0, 4.0, 4.5])
    data = FactorImages((8, 8), kinds=["categorical", "ordered"])

    def encode(images):
        factors = images.reshape(len(images), 2)
        return np.stack([numbers[factors[:, 0]], factors[:, 1]], axis=1)

    found = factor_jacobian(encode, data, n_points=4_000)
    assert found.matrix[0, 0] == pytest.approx(1, abs=0.03)
    as_ordered = factor_jacobian(encode, data, n_points=4_000, kinds={"factor0": "ordered"})
    assert as_ordered.matrix[0, 0] > 1.2  # neighbors are far apart


class Circle(GroundTruthData):
    """A hand at 8 angles, and a lamp; with `closed` the last angle has the first one's picture."""

    def __init__(self, closed):
        self.period = 7 if closed else 8
        space = FactorSpace(["angle", "lamp"], [8, 8], kinds=["cyclic", "ordered"])
        super().__init__("circle", "test", space, (1, 2, 1))

    def images(self, indices):
        angle, lamp = self.factors(indices).T
        return np.stack([angle % self.period, lamp], axis=1).astype(np.uint8).reshape(-1, 1, 2, 1)


@pytest.mark.parametrize("closed", [False, True])
def test_cyclic_factors_go_around(closed):
    data = Circle(closed)

    def encode(images):
        angle, lamp = images.reshape(len(images), 2).astype(float).T
        turn = 2 * np.pi * angle / data.period
        return np.stack([np.cos(turn), np.sin(turn), lamp], axis=1)

    found = factor_jacobian(encode, data, n_points=500)
    # both coordinates of the circle together have the same slope at every angle
    speed = np.sum((found.local[:, :2, 0] * encode_spread(encode, data)[:2]) ** 2, axis=1)
    np.testing.assert_allclose(speed, speed[0])
    as_ordered = factor_jacobian(encode, data, n_points=500, kinds={"angle": "ordered"})
    speed = np.sum((as_ordered.local[:, :2, 0] * encode_spread(encode, data)[:2]) ** 2, axis=1)
    assert speed.max() > 1.05 * speed.min()


def test_a_cosine_of_a_cyclic_factor_weighs_as_much_as_an_ordered_one():
    data = Circle(closed=False)

    def encode(images):
        angle, lamp = images.reshape(len(images), 2).astype(float).T
        cosine = np.sqrt(2) * np.cos(2 * np.pi * angle / data.period)
        lamp = (lamp - 3.5) / np.std(np.arange(8))
        return np.stack([cosine, lamp, cosine + lamp], axis=1)

    found = factor_jacobian(encode, data, n_points=4_000)
    np.testing.assert_allclose(found.matrix[:2], np.eye(2), atol=0.05)
    assert found.matrix[2, 0] == pytest.approx(found.matrix[2, 1], rel=0.05)


def encode_spread(encode, data):
    rng = np.random.default_rng(0)
    return encode(data.observe(data.sample_factors(500, rng))).std(axis=0)


def test_sets_know_the_kinds_of_their_factors():
    assert DSprites().factor_space.kinds[0] == "categorical"
    assert DSprites().factor_space.kinds[2] == "cyclic"
    assert set(Toy().factor_space.kinds) == {"ordered"}


def test_seeded_runs_repeat():
    one, other = of(turn(0.4), seed=3), of(turn(0.4), seed=3)
    assert one.table.equals(other.table) and (one.matrix == other.matrix).all()
    assert not one.table.equals(of(turn(0.4), seed=4).table)


def test_every_image_is_encoded_in_batches():
    sizes = []

    def encode(images):
        sizes.append(len(images))
        return standardized(images)

    factor_jacobian(encode, DATA, n_points=100, batch_size=30)
    assert max(sizes) == 30 and sum(sizes) == 9 * 100


IMAGES = np.zeros((6, 4, 4, 1), np.uint8)
TABLE = {"one": [0, 0, 1, 1, 2, 2], "two": [0, 0, 0, 1, 1, 1]}
MISUSE = {
    "no factors": (from_array(IMAGES), {}, TypeError, "must be a GroundTruthData"),
    "no grid": (from_array(IMAGES, factors=TABLE), {}, TypeError, "one image for each combination"),
    "one factor": (FactorImages((1, 8, 1)), {}, ValueError, "two factors or more.*Received: 1"),
    "kinds": (DATA, {"kinds": "cyclic"}, TypeError, "a dict by factor"),
    "seed": (DATA, {"seed": -1}, ValueError, "`seed` must be"),
    "unknown factor": (DATA, {"kinds": {"factor9": "cyclic"}}, ValueError, "Did you mean 'factor"),
    "unknown kind": (DATA, {"kinds": {"factor1": "circular"}}, ValueError, "'cyclic'"),
    "too few points": (DATA, {"n_points": 1}, ValueError, "`n_points`"),
    "no integer": (DATA, {"n_points": 10.5}, TypeError, "`n_points`"),
}


@pytest.mark.parametrize("kind", MISUSE)
def test_misuse_is_one_line(kind):
    data, options, error, message = MISUSE[kind]
    with pytest.raises(error, match=message) as caught:
        factor_jacobian(lambda images: standardized(images), data, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda images: np.zeros(len(images)), "codes .n_images, latent_dim"),
        (lambda images: np.zeros((len(images) + 1, 2)), "codes .n_images, latent_dim"),
        (lambda images: np.full((len(images), 2), np.nan), "finite"),
    ],
)
def test_codes_that_are_refused(encode, message):
    with pytest.raises(ValueError, match=message):
        factor_jacobian(encode, DATA, n_points=10)
