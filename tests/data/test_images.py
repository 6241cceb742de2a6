"""Images at every door: bytes, booleans and floats mean one thing everywhere."""

import base64
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from sparsevae import export, models
from sparsevae.data import from_array, load
from sparsevae.export.server import bodies, contract

BINARY = np.random.default_rng(0).integers(0, 2, (40, 16, 16, 1))
ONES = BINARY.astype(np.uint8)
REFUSED = "scale 0 to 255, where these are almost black.*Received: 0 and 1 only"


@pytest.fixture(scope="module")
def vae():
    vae = models.mlp_vae((16, 16, 1), 2, hidden=8)
    vae.compile("adam")
    return vae


@pytest.fixture(scope="module")
def encoder(vae, tmp_path_factory):
    return export.load(export.save(vae, tmp_path_factory.mktemp("saved") / "m"))


def npy(path, images):
    np.save(path / "a.npy", images)
    return path / "a.npy"


def folder(path, images):
    for k, image in enumerate(images[:3]):
        Image.fromarray(image[..., 0]).save(path / f"{k}.png")
    return path


def body(images):
    file = io.BytesIO()
    np.save(file, images)
    return bodies.read_images(file.getvalue(), (16, 16, 1))


def png(images):
    file = io.BytesIO()
    Image.fromarray(images[0, ..., 0]).save(file, "PNG")
    value = {"b64": base64.b64encode(file.getvalue()).decode()}
    return contract._read_png([value], (16, 16, 1))


def batches(images):
    return tf.data.Dataset.from_tensor_slices(images).batch(8)


DOORS = {
    "from_array": lambda vae, encoder, images, path: from_array(images),
    "load npy": lambda vae, encoder, images, path: load(npy(path, images)),
    "fit": lambda vae, encoder, images, path: vae.fit(images, verbose=0),
    "fit data set": lambda vae, encoder, images, path: vae.fit(batches(images), verbose=0),
    "fit generator": lambda vae, encoder, images, path: vae.fit(
        iter([images]), steps_per_epoch=1, verbose=0
    ),
    "evaluate": lambda vae, encoder, images, path: vae.evaluate(images, verbose=0),
    "predict": lambda vae, encoder, images, path: vae.predict(images, verbose=0),
    "codes": lambda vae, encoder, images, path: vae.codes(images),
    "encode": lambda vae, encoder, images, path: vae.encode(images),
    "elbo": lambda vae, encoder, images, path: vae.elbo(images),
    "export": lambda vae, encoder, images, path: encoder.encode(images),
    "export data set": lambda vae, encoder, images, path: encoder.encode(batches(images)),
    "server npy": lambda vae, encoder, images, path: body(images),
}
PICTURES = {
    "load folder": lambda vae, encoder, images, path: load(folder(path, images)),
    "export folder": lambda vae, encoder, images, path: encoder.encode(folder(path, images)),
    "server png": lambda vae, encoder, images, path: png(images),
    "server raw": lambda vae, encoder, images, path: bodies.read_images(
        images.tobytes(), (16, 16, 1)
    ),
}


@pytest.mark.parametrize("door", DOORS | PICTURES)
def test_bytes_of_0_and_1_are_refused(vae, encoder, tmp_path, door):
    call = (DOORS | PICTURES)[door]
    with pytest.raises(ValueError, match=REFUSED) as caught:
        call(vae, encoder, ONES, tmp_path)
    assert "\n" not in str(caught.value)
    black, grey = np.zeros_like(ONES), ONES.copy()
    grey[:, 0, 0] = 2
    for good in (ONES * 255, black, grey):
        call(vae, encoder, good, tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_booleans_are_black_and_white(vae, encoder, tmp_path, door):
    DOORS[door](vae, encoder, BINARY > 0, tmp_path)


def test_all_kinds_mean_the_same(vae, encoder):
    kinds = [ONES * 255, BINARY > 0, BINARY.astype("float32"), BINARY.astype("float64")]
    for encode in (vae.codes, encoder.encode, lambda x: vae.predict(x, verbose=0)):
        first, *others = (encode(images) for images in kinds)
        for other in others:
            np.testing.assert_allclose(other, first, atol=1e-6)
    as_data = from_array(BINARY > 0)
    np.testing.assert_array_equal(as_data.images(np.arange(40)), ONES * 255)


def test_bytes_above_1_may_come_late():
    images = np.zeros((1000, 4, 4), np.uint8)
    images[777, 0, 0] = 1
    with pytest.raises(ValueError, match="0 and 1 only"):
        from_array(images)
    images[778, 0, 0] = 9
    assert len(from_array(images)) == 1000


def test_from_array_takes_a_size():
    data = from_array(ONES * 255, image_size=np.int64(8))
    assert data.image_shape == (8, 8, 1) and len(data) == 40
    with pytest.raises(ValueError, match="`image_size`"):
        from_array(ONES * 255, image_size=0)
