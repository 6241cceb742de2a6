"""Layer profile: networks in which the place of a rotation is known, and what is refused."""

import keras
import numpy as np
import pytest
from factor_images import FactorImages, turn
from scipy import stats

from sparsevae import models
from sparsevae.analysis import layer_profile
from sparsevae.analysis.activations import activations
from sparsevae.analysis.probes import Probes, linear_cka, matching, participation, targets
from sparsevae.data import DSprites, FactorSpace, GroundTruthData, MissingFactorsError, from_array

DATA = FactorImages()
RNG = np.random.default_rng(0)


def network(*matrices):
    """Dense layers of given kernels on the pixels, which are the factors."""
    images = x = keras.Input((1, 4, 1))
    x = keras.layers.Flatten()(x)
    for k, matrix in enumerate(matrices):
        layer = keras.layers.Dense(np.shape(matrix)[1], name=f"layer{k}")
        x = layer(x)
        layer.kernel.assign(np.asarray(matrix, "float32"))
    return keras.Model(images, x)


def profile(model, n_samples=600, **options):
    return layer_profile(model, DATA, n_samples=n_samples, n_rotations=20, **options)


def test_the_layer_of_a_planted_rotation_is_found():
    matrices = [np.eye(4), 3 * np.eye(4)[[2, 0, 3, 1]], turn(np.pi / 4) @ turn(0.7, axes=(2, 3))]
    table = profile(network(*matrices, np.eye(4))).table.set_index("layer")
    np.testing.assert_allclose(table.probe, 1, atol=1e-3)
    assert (table.rotation[:3] < 0.01).all()  # the input, the identity, the permutation
    assert (table.rotation[3:] > 0.3).all()
    assert (table.dci_d[:3] > 0.98).all() and (table.dci_d[3:] < 0.6).all()
    assert table.matching.drop("input").idxmin() == "layer2"
    assert (table.cka.drop("input") > 0.95).all()
    assert table.matching["layer3"] == pytest.approx(1)
    assert (table.rotation_null > 0.2).all()
    np.testing.assert_allclose(table.participation[1:3], 1 / 4)
    assert table.participation["layer2"] > 0.45


def test_rotation_rises_with_the_angle():
    angles = np.linspace(0, np.pi / 4, 5)
    tables = [profile(network(turn(angle)), n_samples=3_000).factors for angle in angles]
    indices = np.array([table.query("layer == 'layer0'").rotation for table in tables])
    assert (np.diff(indices[:, :2], axis=0) > 0).all()
    np.testing.assert_allclose(indices[:, 2:], 0, atol=1e-6)
    # the better of two units that mix a factor with one as large has cos^2 of its variance
    np.testing.assert_allclose(indices[:, 0], np.sin(angles) ** 2, atol=0.05)


def test_noise_tells_nothing_of_a_small_set():
    """Images that were drawn again would be known to the probe."""
    images = RNG.integers(0, 255, (120, 8, 8, 1)).astype(np.uint8)
    data = from_array(images, factors={name: RNG.integers(0, 5, 120) for name in "ab"})
    x = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(256, "relu")(keras.layers.Flatten()(x))
    table = layer_profile(keras.Model(x, hidden), data).table
    assert (table.probe < 0.2).all()


def test_layers_come_in_the_order_of_the_network_and_the_others_are_named():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)], name="backbone")
    images = keras.Input((1, 4, 1))
    x = keras.layers.Flatten()(images)
    twice = keras.layers.Dense(4, name="twice")
    first, second = keras.layers.Dense(4, name="first"), keras.layers.Dense(4, name="second")
    model = keras.Model(images, second(first(twice(twice(inner(x))))))
    found = profile(model, layers=["second", "first"])
    assert found.table.layer.tolist() == ["input", "first", "second"]
    assert found.table.matching.notna().sum() == 2 and not found.left_out
    found = profile(model)
    assert found.left_out == {"backbone": "a nested model", "twice": "called 2 times"}
    assert "Not probed: backbone (a nested model), twice (called 2 times)" in str(found)


def test_like_units_have_like_nulls_whatever_else_is_asked_for():
    model = network(np.eye(4), np.eye(4))
    table = profile(model).table.set_index("layer")
    assert table.rotation_null.nunique() == 1
    alone = profile(model, layers=["layer1"]).table.set_index("layer")
    assert alone.rotation_null["layer1"] == table.rotation_null["layer1"]


def test_a_random_rotation_is_like_its_null():
    rotations = stats.ortho_group.rvs(4, 20, random_state=0)
    table = [profile(network(one)).table.iloc[1] for one in rotations]
    difference = np.array([row.rotation - row.rotation_null for row in table])
    assert abs(difference.mean()) < 4 * difference.std() / 20**0.5 + 0.02


def test_what_is_lost_is_not_there():
    found = profile(network(np.diag([1, 1, 0, 0]))).factors.query("layer == 'layer0'")
    np.testing.assert_allclose(found.probe, [1, 1, 0, 0], atol=1e-3)
    assert found.rotation.isna().tolist() == [False, False, True, True]
    np.testing.assert_allclose(found.rotation[:2], 0, atol=1e-6)


def test_dead_units():
    table = profile(network(np.zeros((4, 3)))).table
    assert table.alive[1] == 0 and table.probe[1] == 0 and table.dci_d[1] == 0
    assert np.isnan(table.rotation[1]) and table.matching[1] == 0 and table.cka[1] == 0


def test_duplicated_units_are_no_rotation():
    table = profile(network(np.repeat(np.eye(4), 3, axis=1))).table
    assert table.rotation[1] < 0.01 and table.alive[1] == 12 and table.dci_d[1] > 0.95


def test_cyclic_and_categorical_factors():
    """A circle by cosine and sine and a class by indicators are on axes."""
    data = FactorImages((12, 3, 10), kinds=["cyclic", "categorical", "ordered"])
    model = keras.Sequential([keras.Input((12 + 3,)), keras.layers.Dense(5, use_bias=False)])
    angle = 2 * np.pi * np.arange(12) / 12
    kernel = np.zeros((15, 5))
    kernel[:12, :2] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    kernel[12:, 2:] = np.eye(3)

    def inputs_of(images):
        first, second, _ = images.reshape(len(images), 3).T
        return np.concatenate([np.eye(12)[first], np.eye(3)[second]], axis=1).astype("float32")

    def found(kernel, **options):
        model.layers[0].kernel.assign(kernel)
        return layer_profile(model, data, 900, inputs_of=inputs_of, **options).factors[3:5]

    aligned = found(kernel)
    np.testing.assert_allclose(aligned.probe, 1, atol=1e-3)
    np.testing.assert_allclose(aligned.rotation, 0, atol=1e-3)
    kernel[:, :2] = kernel[:, :2] @ turn(np.pi / 4, n=2)
    assert found(kernel).rotation.iloc[0] == pytest.approx(0.5, abs=0.05)
    ordered = found(kernel, kinds={"factor0": "ordered"})
    assert ordered.probe.iloc[0] < 0.9


def test_probes_agree_with_scikit_learn():
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score

    factors = RNG.integers(5, size=(500, 2))
    wanted = targets(factors, ("one", "other"), ("ordered", "categorical"), {})
    units = np.concatenate([factors @ RNG.normal(size=(2, 6)), RNG.normal(size=(500, 3))], axis=1)
    units += RNG.normal(size=units.shape)
    seen = Probes(units, wanted).seen()
    units = (units - units[:300].mean(axis=0)) / units[:300].std(axis=0)
    columns = []
    for column in wanted.values.T:
        fits = [Ridge(300 * 10.0**k).fit(units[:300], column[:300]) for k in range(-4, 2)]
        best = max(fits, key=lambda fit: r2_score(column[300:400], fit.predict(units[300:400])))
        columns.append(max(r2_score(column[400:], best.predict(units[400:])), 0))
    np.testing.assert_allclose(seen.probe, [columns[0], np.mean(columns[1:])], rtol=1e-6)
    turn = stats.ortho_group.rvs(9, random_state=0)
    turned = Probes(units @ turn, wanted)
    np.testing.assert_allclose(Probes(units, wanted).seen(turn).probe, seen.probe)
    np.testing.assert_allclose(turned.seen().probe, seen.probe, atol=0.02)  # standardized anew


def test_similarities_of_layers():
    first = RNG.normal(size=(400, 6))
    turned = first @ stats.ortho_group.rvs(6, random_state=1)
    assert linear_cka(first, 5 * turned) == pytest.approx(1)
    assert linear_cka(first, RNG.normal(size=(400, 6))) < 0.1
    assert matching(first, -2 * first[:, ::-1]) == pytest.approx(1)
    assert matching(first, turned) < 0.9
    assert participation(np.eye(5)) == pytest.approx(1 / 5)
    assert participation(np.ones((3, 3, 2, 8))) == pytest.approx(1)
    assert participation(np.zeros((2, 8))) == 0


@pytest.mark.parametrize("gate", [None, "binary"])
def test_every_layer_of_a_vae_is_there(gate):
    data = DSprites(32)
    vae = models.conv_vae(data.image_shape, 6, gate=gate)
    found = layer_profile(vae, data, n_samples=120, n_rotations=1, max_units=256)
    table = found.table
    names = [[layer.name for layer in network.layers if layer.weights] for network in vae.networks]
    assert table.layer.tolist() == ["input", *names[0], "input", *names[1]]
    assert table.part.tolist() == ["encoder"] * (1 + len(names[0])) + ["decoder"] * (
        1 + len(names[1])
    )
    assert (table.units <= 256).all()
    assert table.participation.notna().tolist() == [name != "input" for name in table.layer]
    assert len(found.factors) == 5 * len(table)
    latents = table[table.layer == "encoder_z_mean"].iloc[0], table[table.part == "decoder"].iloc[0]
    assert latents[0].probe == pytest.approx(latents[1].probe)
    assert table.cka.isna().tolist() == [name == "input" for name in table.layer]
    assert "encoder_conv_1" in str(found)


def test_branches_are_compared_with_the_layer_that_feeds_them():
    images = keras.Input((1, 4, 1))
    x = keras.layers.Dense(4, name="first")(keras.layers.Flatten()(images))
    heads = [keras.layers.Dense(4, name=name)(x) for name in ("one", "other")]
    model = keras.Model(images, keras.layers.Dense(4, name="last")(keras.layers.add(heads)))
    for layer, scale in zip(["first", "one", "other", "last"], [1, 2, 0, 1], strict=True):
        model.get_layer(layer).kernel.assign(scale * np.eye(4))
    table = profile(model).table.set_index("layer")
    assert table.matching[["first", "one", "last"]].to_numpy() == pytest.approx(1)
    assert table.matching["other"] == 0  # beside "first", not "one"


def test_pictures_are_averaged_over_windows():
    images = RNG.random((3, 10, 10, 2)).astype("float32")
    model = keras.Sequential(
        [keras.Input((10, 10, 2)), keras.layers.Dense(2, kernel_initializer="identity")]
    )
    found = activations(model, images, None, max_units=18, batch_size=2)[0].values
    assert found.shape == (3, 18)  # windows of 4: 3 x 3 of them
    np.testing.assert_allclose(found[:, :2], images[:, :4, :4].mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found[:, -2:], images[:, 8:, 8:].mean(axis=(1, 2)), rtol=1e-5)


def test_layers_by_name_and_data_that_is_no_grid():
    images = RNG.integers(0, 256, (80, 1, 4, 1)).astype(np.uint8)
    data = from_array(images, factors={"a": images[:, 0, 0, 0] // 64, "b": ["x", "y"] * 40})
    model = network(np.eye(4), np.eye(4))
    found = layer_profile(model, data, 200, layers=["layer1"])
    assert found.table.layer.tolist() == ["input", "layer1"]
    assert found.factors.factor.unique().tolist() == ["a", "b"]
    assert found.table.equals(layer_profile(model, data, 200, layers=["layer1"]).table)


class Constant(GroundTruthData):
    def __init__(self):
        super().__init__("constant", "test", FactorSpace(["one"], [1]), (1, 4, 1))

    def images(self, indices):
        return np.zeros((len(indices), 1, 4, 1), np.uint8)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def twice():
    images = keras.Input((1, 4, 1))
    shared = keras.layers.Dense(4, name="shared")
    return keras.Model(images, shared(shared(keras.layers.Flatten()(images))))


def without_layers():
    images = keras.Input((1, 4, 1))
    return keras.Model(images, keras.layers.Flatten(name="flat")(images))


NO_FACTORS = from_array(np.zeros((60, 1, 4, 1), np.uint8))
FEW = from_array(np.zeros((40, 1, 4, 1), np.uint8), factors={"a": np.arange(40) % 2})
MISUSE = {
    "no factors": (network(np.eye(4)), NO_FACTORS, {}, MissingFactorsError, "must have factors"),
    "one value": (network(np.eye(4)), Constant(), {}, ValueError, "takes two values"),
    "few": (network(np.eye(4)), DATA, {"n_samples": 10}, ValueError, "`n_samples`"),
    "subclassed": (Subclassed(), DATA, {}, ValueError, "a subclassed one hides its graph"),
    "no model": ("encoder", DATA, {}, TypeError, "must be a Keras model"),
    "name": (network(np.eye(4)), DATA, {"layers": ["layer_0"]}, ValueError, "mean 'layer0'"),
    "no list": (network(np.eye(4)), DATA, {"layers": "layer0"}, TypeError, "list of names"),
    "shared": (twice(), DATA, {"layers": ["shared"]}, ValueError, "'shared', called 2"),
    "all shared": (twice(), DATA, {}, ValueError, "must have a layer with weights"),
    "nothing": (without_layers(), DATA, {}, ValueError, "must have a layer with weights"),
    "kind": (network(np.eye(4)), DATA, {"kinds": {"factor": "cyclic"}}, ValueError, "factor0"),
    "kinds": (network(np.eye(4)), DATA, {"kinds": ["cyclic"]}, TypeError, "a dict by factor"),
    "seed": (network(np.eye(4)), DATA, {"seed": -1}, ValueError, "`seed` must be"),
    "rows": (network(np.eye(4)), DATA, {"inputs_of": lambda x: x[::2]}, ValueError, "for each"),
    "few images": (network(np.eye(4)), FEW, {}, ValueError, "that 50 are drawn.*: 36 different"),
    "nan": (network(np.nan * np.eye(4)), DATA, {}, ValueError, "NaN.*'layer0'"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISUSE)
def test_misuse_is_one_line(kind):
    model, data, options, error, message = MISUSE[kind]
    with pytest.raises(error, match=message) as caught:
        layer_profile(model, data, **{"n_samples": 100, **options})
    assert "\n" not in str(caught.value)
