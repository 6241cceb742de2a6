"""The exact state of a run on disk, and the callback that writes it."""

import errno
import os
import signal

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from sparsevae import sparsity
from sparsevae.models.callbacks import Checkpoints, DivergedError, Progress
from sparsevae.models.checkpoints import checkpoint_path, checkpoints, load_state, save_state

N_STEPS = 9  # over all phases


@pytest.fixture
def vae(make_vae):
    return gated(make_vae)


def gated(make_vae, **kwargs):
    control = sparsity.Strength(20.0, ramp=(2, 4), freeze=7)
    return make_vae("hard_concrete", eager=True, control=control, rate=1e-2, **kwargs)


def train(vae, images, n_steps, *callbacks, per_epoch=None):
    """Trains on the batches that follow those already seen, as a run does."""
    batches = tf.data.Dataset.from_tensor_slices(images).batch(16).repeat()
    vae.fit(
        batches.skip(int(vae.optimizer.iterations)),
        steps_per_epoch=per_epoch or n_steps,
        epochs=n_steps // (per_epoch or n_steps),
        callbacks=list(callbacks),
        verbose=0,
    )


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def unbroken(make_vae, images, values):
    """State after a run without a break."""
    vae = gated(make_vae)
    train(vae, images, N_STEPS)
    return values(vae)


# Files


def test_round_trip_is_exact(make_vae, images, values, tmp_path):
    vae, other = gated(make_vae), gated(make_vae, seed=1)
    train(vae, images, 5)
    save_state(vae, tmp_path / "state.npz")
    load_state(other, tmp_path / "state.npz")
    assert_equal(values(other), values(vae))
    assert len(values(vae)) > 3 * len(vae.trainable_variables)  # weights, two moments, the rest
    assert int(other.optimizer.iterations_of("gates")) == 3
    assert os.listdir(tmp_path) == ["state.npz"]


@pytest.mark.parametrize("n_before", [1, 3, 8], ids=["open", "learning", "frozen"])
def test_training_goes_on_as_if_unbroken(
    make_vae, images, values, unbroken, vae, n_before, tmp_path
):
    train(vae, images, n_before)
    save_state(vae, tmp_path / "state.npz")
    fresh = gated(make_vae)
    load_state(fresh, tmp_path / "state.npz")
    train(fresh, images, N_STEPS - n_before)
    assert_equal(values(fresh), unbroken)


@pytest.fixture(scope="module")
def file(make_vae, images, tmp_path_factory):
    vae = gated(make_vae)
    train(vae, images, 1)
    path = tmp_path_factory.mktemp("state") / "step_000000001.npz"
    save_state(vae, path)
    return path.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_cut_off_file_is_refused(vae, values, file, share, tmp_path):
    path = tmp_path / "step_000000001.npz"
    path.write_bytes(file[: int(share * len(file))])
    before = values(vae)
    with pytest.raises(ValueError, match=r"step_000000001\.npz is damaged"):
        load_state(vae, path)
    assert_equal(values(vae), before)


def test_a_flipped_bit_never_passes(vae, values, file, tmp_path):
    """At 90 places: refused with the model unchanged, or in a byte that means nothing."""
    path = tmp_path / "step_000000001.npz"
    path.write_bytes(file)
    load_state(vae, path)
    whole = values(vae)
    rng = np.random.default_rng(0)
    headers = [k + j for k in find(file, b"PK") for j in rng.integers(0, 60, 3)]
    places = [*rng.integers(0, len(file), 30), *rng.choice(headers, 60)]
    n_refused = 0
    for place in places:
        damaged = bytearray(file)
        damaged[min(place, len(file) - 1)] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            load_state(vae, path)
        except ValueError as error:
            assert path.name in str(error)
            n_refused += 1
    assert n_refused >= 45
    assert_equal(values(vae), whole)


def find(data, pattern):
    place = data.find(pattern)
    while place >= 0:
        yield place
        place = data.find(pattern, place + 1)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01."], ids=["", "text", "pickle"])
def test_a_file_of_another_kind_is_refused(vae, content, tmp_path):
    path = tmp_path / "step_000000001.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"step_000000001\.npz"):
        load_state(vae, path)


def test_an_array_file_is_refused(vae, tmp_path):
    path = tmp_path / "step_000000001.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=r"step_000000001\.npz"):
        load_state(vae, path)


@pytest.mark.parametrize("gate", [None, "continuous"])
def test_a_file_of_another_model_is_refused(make_vae, vae, values, gate, tmp_path):
    path = tmp_path / "state.npz"
    save_state(make_vae(gate, eager=True), path)
    before = values(vae)
    with pytest.raises(ValueError, match=r"state\.npz belongs to another model: .*expected"):
        load_state(vae, path)
    assert_equal(values(vae), before)


def full_disk(file, **arrays):
    """What `np.savez` does when the disk is full."""
    with open(file, "wb") as out:
        out.write(b"PK half a file")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file(vae, images, values, monkeypatch, tmp_path):
    path = tmp_path / "state.npz"
    save_state(vae, path)
    old = path.read_bytes()
    train(vae, images, 1)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full_disk)
        with pytest.raises(OSError, match=r"No space left for .*state\.npz") as caught:
            save_state(vae, path)
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == ["state.npz"] and path.read_bytes() == old


def test_checkpoints_are_listed_by_step(tmp_path):
    for step in (20, 3, 100_000_000):
        checkpoint_path(tmp_path, step).touch()
    (tmp_path / "step_7.npz").touch()
    (tmp_path / ".step_000000009.npz.partial-1-ab-0.npz").touch()
    assert list(checkpoints(tmp_path)) == [3, 20, 100_000_000]
    assert checkpoints(tmp_path)[20] == tmp_path / "step_000000020.npz"
    assert checkpoints(tmp_path / "absent") == {}


# The callback


class At(keras.callbacks.Callback):
    """Calls a function once the optimizer has made `step` steps."""

    def __init__(self, step, call):
        super().__init__()
        self.step, self.call = step, call

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            self.call(self.model)


@pytest.fixture(autouse=True)
def handlers_are_restored():
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


def steps_kept(folder):
    return list(checkpoints(folder / "checkpoints"))


def test_every_epoch_is_kept_and_the_newest_two_stay(vae, images, tmp_path):
    train(vae, images, 8, Checkpoints(tmp_path), Progress(8), per_epoch=2)
    assert steps_kept(tmp_path) == [6, 8]
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history["step"]) == [2, 4, 6, 8]
    assert list(history["learning"]) == [0, 1, 1, 0]
    wanted = {"seconds", "loss", "elbo", "kl", "density", "density/image", "sparsity_strength"}
    assert wanted <= set(history)
    assert np.isfinite(history.to_numpy()).all()


def test_a_log_with_the_name_of_a_column_is_refused(vae, images, tmp_path):
    def log(epoch, logs):
        logs["seconds"] = 0.0

    callback = keras.callbacks.LambdaCallback(on_epoch_end=log)
    with pytest.raises(ValueError, match=r"one value.*Checkpoints: seconds$"):
        train(vae, images, 2, callback, Checkpoints(tmp_path))
    assert os.listdir(tmp_path) == []


def test_a_resumed_run_continues_its_history(make_vae, vae, images, values, unbroken, tmp_path):
    train(vae, images, 6, Checkpoints(tmp_path), per_epoch=2)
    fresh = gated(make_vae)
    load_state(fresh, checkpoints(tmp_path / "checkpoints")[4])  # as if that of step 6 were lost
    train(fresh, images, N_STEPS - 4, Checkpoints(tmp_path))
    assert list(pd.read_csv(tmp_path / "history.csv")["step"]) == [2, 4, N_STEPS]
    assert_equal(values(fresh), unbroken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_with_a_checkpoint_of_that_step(
    make_vae, vae, images, values, unbroken, number, tmp_path
):
    kill = At(3, lambda model: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt):
        train(vae, images, 8, kill, Checkpoints(tmp_path), per_epoch=2)
    assert int(vae.optimizer.iterations) == 3
    assert steps_kept(tmp_path) == [2, 3]
    fresh = gated(make_vae)
    load_state(fresh, checkpoints(tmp_path / "checkpoints")[3])
    train(fresh, images, N_STEPS - 3)
    assert_equal(values(fresh), unbroken)


def test_a_signal_during_the_last_checkpoint_is_not_lost(vae, images, monkeypatch, tmp_path):
    write = np.savez

    def savez(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        write(*args, **kwargs)

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(KeyboardInterrupt):
        train(vae, images, 2, Checkpoints(tmp_path))
    assert steps_kept(tmp_path) == [2]
    load_state(vae, checkpoints(tmp_path / "checkpoints")[2])


def test_a_full_disk_ends_the_run_with_the_last_checkpoint(
    vae, images, values, monkeypatch, tmp_path
):
    fill = At(3, lambda model: monkeypatch.setattr(np, "savez", full_disk))
    with pytest.raises(OSError, match="No space left"):
        train(vae, images, 6, fill, Checkpoints(tmp_path), per_epoch=2)
    assert steps_kept(tmp_path) == [2]
    load_state(vae, checkpoints(tmp_path / "checkpoints")[2])


def spoil(model):
    """What one step of an exploding optimizer does."""
    weight = model.trainable_variables[0]
    weight.assign(np.full(weight.shape, np.nan))


@pytest.mark.parametrize("step", [3, 4], ids=["within an epoch", "in an epoch's last step"])
def test_nan_ends_the_run_with_the_last_good_checkpoint(vae, images, values, step, tmp_path):
    spoiler = At(step, spoil)
    with pytest.raises(DivergedError, match=r"checkpoint of step 2 is kept.*learning rate"):
        train(vae, images, 8, spoiler, Checkpoints(tmp_path), per_epoch=2)
    assert steps_kept(tmp_path) == [2]
    load_state(vae, checkpoints(tmp_path / "checkpoints")[2])
    assert all(np.isfinite(value).all() for value in values(vae))
    assert list(pd.read_csv(tmp_path / "history.csv")["step"]) == [2]


def test_a_poisoned_batch_ends_the_run(vae, images, tmp_path):
    """Before a step is made on it."""
    poison = np.where(np.arange(64) == 50, np.nan, 1).astype("float32")[:, None, None, None]
    with pytest.raises(ValueError, match=r"Batch 3 .*Float images must lie in \[0, 1\].*NaN"):
        train(vae, images / np.float32(255) * poison, 8, Checkpoints(tmp_path), per_epoch=2)
    assert steps_kept(tmp_path) == [2]


def test_a_huge_learning_rate_is_reported(make_vae, images, tmp_path):
    vae = make_vae(eager=True, rate=1e30)
    with pytest.raises(DivergedError, match="no checkpoint exists yet"):
        train(vae, images, 4, Checkpoints(tmp_path))
    assert steps_kept(tmp_path) == []
