"""Pictures while a model trains, and at its end."""

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sparsevae import data, models, sparsity
from sparsevae.models.callbacks import Checkpoints
from sparsevae.study.one import pictures
from sparsevae.study.one.live_pictures import LivePictures

TOY = data.load("toy")


def trained(folder, every=None):
    """A model of 3 epochs of 2 steps, with pictures for TensorBoard unless `every` is None."""
    keras.utils.set_random_seed(0)
    control = sparsity.TargetDensity.over(0.5, 6)
    vae = models.mlp_vae(TOY.image_shape, 3, hidden=8, gate="binary", control=control)
    vae.compile(keras.optimizers.Adam(0.01))
    callbacks = [Checkpoints(folder)]
    if every is not None:
        callbacks.append(LivePictures(TOY, folder, every))
    batches = TOY.as_tf_dataset(8, 0)
    vae.fit(batches, steps_per_epoch=2, epochs=3, callbacks=callbacks, verbose=0)
    return vae


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    return folder, trained(folder, every=2)


def test_tensorboard_shows_pictures_of_every_second_checkpoint_and_the_end(live):
    folder, _ = live
    events = EventAccumulator(str(folder / "tensorboard" / "pictures"), {"tensors": 0}).Reload()
    names = {"reconstructions", "traversals", "masks", "mask_evolution"}
    assert {*events.Tags()["tensors"]} == names
    for name in names:
        assert [event.step for event in events.Tensors(name)] == [4, 6]


def test_pictures_change_nothing_of_the_training(live, tmp_path):
    for one, other in zip(live[1].weights, trained(tmp_path).weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_run_ends_with_its_pictures(live):
    folder, vae = live
    pictures.draw(vae, TOY, folder)
    drawn = {path.name for path in (folder / "pictures").iterdir()}
    still = {"history", "mask_evolution", "masks", "reconstructions", "traversals", "wiring"}
    assert {f"{name}.png" for name in still} | {"traversals.gif"} <= drawn
    with Image.open(folder / "pictures" / "traversals.gif") as moving:
        assert moving.n_frames == 2 * len(pictures.TRAVERSAL) - 2


def test_models_without_gates_and_wide_ones_have_fewer(tmp_path, monkeypatch):
    history = pd.DataFrame({"step": [1, 2], "elbo": [-3.0, -2.0]})
    history.to_csv(tmp_path / "history.csv", index=False)
    vae = models.mlp_vae(TOY.image_shape, 3, hidden=8)
    pictures.draw(vae, TOY, tmp_path)
    assert {path.stem for path in (tmp_path / "pictures").glob("*.png")} == {
        "history", "reconstructions", "traversals",
    }  # fmt: skip
    monkeypatch.setattr(pictures, "_MOST_LINKS", 10)
    assert pictures._wiring(sparsity.harden(vae)) == {}
    sparse = models.sparse_decoding_vae(TOY.image_shape, 3, hidden=4, decoder_hidden=4)
    assert pictures._wiring(sparse) == {}


def test_traversals_of_several_codes_are_those_of_each(live):
    codes, values = np.array([[0.0, 1, 2], [2, 1, 0]]), np.array([-1.0, 1.0])
    both = pictures.traversals_of(live[1], codes, values)
    assert both.shape == (2, 3, 2, *TOY.image_shape)
    for k, code in enumerate(codes):
        one = pictures.traversals(live[1], code, values)
        np.testing.assert_allclose(both[k], one, rtol=1e-5)


def test_how_often_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"`every`.*at least 1.*every=0"):
        LivePictures(TOY, tmp_path, every=0)
    with pytest.raises(TypeError, match="`every`"):
        LivePictures(TOY, tmp_path, every=1.5)
