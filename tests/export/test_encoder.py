"""The encoder as a scikit-learn transformer."""

import pickle

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn import base, config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

import sparsevae as sv
from sparsevae import export
from sparsevae.data import DataFileError
from sparsevae.export import encoder as encoder_module

LATENT_DIM = 4


def test_encoder_is_the_vae(vae, encoder, images):
    codes = vae.codes(images)
    assert (encoder.image_shape, encoder.latent_dim) == ((16, 16, 1), LATENT_DIM)
    for encode in (encoder.encode, encoder.transform):
        np.testing.assert_allclose(encode(images), codes, atol=1e-5)
    np.testing.assert_allclose(encoder.decode(codes), vae.decode(codes).mean(), atol=1e-5)
    np.testing.assert_allclose(encoder.reconstruct(images), vae(images), atol=1e-5)
    assert encoder.encode(images).dtype == encoder.reconstruct(images).dtype == np.float32


@pytest.mark.parametrize("batch_size", [1, 100, 1000])
def test_batches_make_no_difference(encoder, images, batch_size):
    few = images[:130]
    other = clone(encoder).set_params(batch_size=batch_size)
    np.testing.assert_allclose(other.encode(few), encoder.encode(few), atol=1e-6)


@pytest.mark.parametrize(
    ("batch_size", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_bad_batch_sizes_are_refused(folder, images, batch_size, error):
    with pytest.raises(error, match="`batch_size` must be an integer"):
        export.load(folder, batch_size).encode(images)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_and_bytes_mean_the_same(encoder, dtype):
    binary = np.random.default_rng(1).integers(0, 2, (9, 16, 16, 1))
    codes = encoder.encode((255 * binary).astype(np.uint8))
    np.testing.assert_allclose(encoder.encode(binary.astype(dtype)), codes, atol=1e-6)


def test_no_images_are_no_codes(encoder, images):
    assert encoder.encode(images[:0]).shape == (0, LATENT_DIM)
    assert encoder.reconstruct(images[:0]).shape == (0, 16, 16, 1)
    assert encoder.decode(np.zeros((0, LATENT_DIM))).shape == (0, 16, 16, 1)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 16, 16, 3), np.uint8), r"\(n, 16, 16, 1\).*\(2, 16, 16, 3\)"),
        (np.zeros((16, 16, 1), np.uint8), "shape"),
        (np.zeros((2, 16, 16, 1), np.int64), "uint8.*int64"),
        (np.full((2, 16, 16, 1), "a"), "uint8.*str"),
        (np.full((2, 16, 16, 1), 255.0), r"\[0, 1\].*255"),
        (np.full((2, 16, 16, 1), np.nan), "NaN"),
    ],
    ids=["channels", "one image", "int64", "strings", "0 to 255", "NaN"],
)
def test_bad_images_are_refused(encoder, images, message):
    for method in (encoder.encode, encoder.reconstruct):
        with pytest.raises(ValueError, match=message):
            method(images)


@pytest.mark.parametrize("codes", [np.zeros((2, 5)), np.zeros(4)], ids=np.shape)
def test_bad_codes_are_refused(encoder, codes):
    with pytest.raises(ValueError, match=r"`codes` must have the shape \(n, 4\)"):
        encoder.decode(codes)


def test_the_encoder_scores_like_the_vae(vae, encoder):
    """What `metrics.evaluate` needs is what an export gives."""

    class Bright:
        def __len__(self):
            return 3

        def factors(self, indices):
            return np.asarray(indices)[:, None]

        def images(self, indices):
            pixels = np.random.default_rng(5).integers(0, 80, (len(indices), 16, 16, 1))
            return (pixels + 80 * np.reshape(indices, (-1, 1, 1, 1))).astype(np.uint8)

    scores = [
        sv.metrics.evaluate(encode, Bright(), metrics=["mig", "sap"], n_samples=500)
        for encode in (vae.codes, encoder.encode)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


# In scikit-learn


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_valid_tag_types,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_mixin_order,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
    ],
    ids=lambda check: check.__name__,
)
def test_checks_of_scikit_learn_that_need_no_table(folder, check):
    """The others hand over two-dimensional arrays, which are no images."""
    check("Encoder", export.Encoder(folder))


def test_a_pipeline_is_fitted_scored_and_searched(encoder, images):
    bright = (images.mean(axis=(1, 2, 3)) > np.median(images.mean(axis=(1, 2, 3)))).astype(int)
    pipeline = make_pipeline(encoder, StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2)
    search.fit(images, bright)
    codes = StandardScaler().fit_transform(encoder.encode(images))
    alone = LogisticRegression(C=search.best_params_["logisticregression__C"]).fit(codes, bright)
    np.testing.assert_array_equal(search.predict(images), alone.predict(codes))


def test_fit_changes_nothing_and_clones_share_the_model(encoder, images):
    fitted = encoder.fit(images, np.zeros(len(images)))
    assert fitted is encoder
    twin = clone(encoder)
    assert twin is not encoder and twin.get_params() == encoder.get_params()
    assert twin._opened()[0] is encoder._opened()[0]
    twin.set_params(batch_size=3)
    assert encoder.batch_size == 512


def test_another_folder_is_another_model(encoder, images, tmp_path):
    twin = clone(encoder).set_params(folder=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="absent is not an exported model"):
        twin.encode(images)
    np.testing.assert_array_equal(
        twin.set_params(folder=encoder.folder).encode(images[:2]), encoder.encode(images[:2])
    )


def test_a_pickle_holds_the_path_alone(encoder, images):
    pickled = pickle.dumps(encoder)
    assert len(pickled) < 1000
    np.testing.assert_array_equal(pickle.loads(pickled).encode(images), encoder.encode(images))


def test_set_output(encoder, images):
    names = ["latent_0", "latent_1", "latent_2", "latent_3"]
    assert encoder.get_feature_names_out().tolist() == names
    table = clone(encoder).set_output(transform="pandas").fit_transform(images[:5])
    assert table.columns.tolist() == names
    np.testing.assert_array_equal(table.to_numpy(), encoder.encode(images[:5]))
    with config_context(transform_output="pandas"):
        assert type(encoder.encode(images[:5])) is np.ndarray


def test_it_is_a_fitted_transformer(folder):
    encoder = export.Encoder(folder)
    assert base.is_clusterer(encoder) is False and hasattr(encoder, "transform")
    tags = encoder.__sklearn_tags__()
    assert not tags.requires_fit and not tags.input_tags.two_d_array


# Other inputs


@pytest.mark.parametrize("with_labels", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_datasets_of_batches(encoder, images, dtype, with_labels):
    given = images[:20] if dtype == "uint8" else images[:20] / np.float32(255)
    dataset = tf.data.Dataset.from_tensor_slices((given, np.arange(20)) if with_labels else given)
    codes = encoder.transform(dataset.batch(8))
    np.testing.assert_allclose(codes, encoder.encode(images[:20]), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dataset: dataset, "shape"),
        (lambda dataset: dataset.batch(2).repeat(), "must end"),
        (lambda dataset: dataset.map(lambda x: {"images": x}).batch(2), "batches of images"),
        (lambda dataset: dataset.map(lambda x: tf.cast(x, tf.int32)).batch(2), "uint8.*int32"),
        (lambda dataset: dataset.map(lambda x: tf.cast(x, tf.float32)).batch(2), "uint8"),
    ],
    ids=["single images", "endless", "dict", "int32", "0 to 255"],
)
def test_bad_datasets_are_refused(encoder, images, change, message):
    with pytest.raises(ValueError, match=message):
        encoder.transform(change(tf.data.Dataset.from_tensor_slices(images)))


@pytest.fixture
def files(images, tmp_path):
    """A folder of images whose sorted order is that of the array."""
    folder = tmp_path / "files"
    (folder / "b").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for k, name in enumerate(["a.png", "b/0.bmp", "b/1.PNG", "c.tiff"]):
        Image.fromarray(images[k, :, :, 0]).save(folder / name)
    Image.fromarray(images[9, :, :, 0]).save(folder / ".hidden" / "d.png")
    (folder / "labels.csv").write_text("no image")
    return folder


def test_folders_of_images(encoder, images, files):
    for path in (files, str(files)):
        np.testing.assert_array_equal(encoder.transform(path), encoder.encode(images[:4]))


def test_images_are_turned_as_their_exif_says(encoder, images, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(np.rot90(images[0, :, :, 0])).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(encoder.encode(tmp_path), encoder.encode(images[:1]))


def test_one_bit_images_are_black_and_white(encoder, images, tmp_path):
    bits = images[0, :, :, 0] > 128
    Image.fromarray(bits).save(tmp_path / "bits.png")
    expected = encoder.encode(255 * bits[None, :, :, None].astype(np.uint8))
    np.testing.assert_array_equal(encoder.transform(tmp_path), expected)


def spoil(name):
    """A file that is not what the encoder takes, and what the error says."""

    def write(path):
        if name == "large":
            Image.new("L", (17, 16)).save(path)
        elif name == "color":
            Image.new("RGB", (16, 16)).save(path)
        elif name == "text":
            path.write_text("no image")
        else:
            Image.effect_noise((16, 16), 50).save(path)
            path.write_bytes(path.read_bytes()[:-60])

    return write


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("large", r"b.png must be 16 x 16 pixels of mode L or 1.*17 x 16, mode L"),
        ("color", r"b.png must be 16 x 16 pixels.*mode RGB"),
        ("text", r"b.png is not a whole image file"),
        ("cut", r"b.png is not a whole image file"),
    ],
)
def test_bad_image_files_are_named(encoder, files, kind, message):
    spoil(kind)(files / "b.png")
    with pytest.raises(ValueError, match=message):
        encoder.transform(files)


def test_folders_without_images_are_refused(encoder, tmp_path):
    with pytest.raises(DataFileError, match="holds no images"):
        encoder.transform(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"must be a folder of images.*absent"):
        encoder.transform(tmp_path / "absent")


def test_the_progress_bar_waits_two_seconds(encoder, images, monkeypatch):
    made = []

    class Bar(encoder_module.tqdm):
        def __init__(self, **kwargs):
            made.append(kwargs)
            super().__init__(**kwargs)

    monkeypatch.setattr(encoder_module, "tqdm", Bar)
    encoder.encode(images)
    assert made[0]["delay"] == 2 and made[0]["total"] == len(images)
