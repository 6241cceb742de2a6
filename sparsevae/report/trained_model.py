"""The model of a run, from its file or its newest checkpoint, and codes to begin with."""

import dataclasses
import warnings

import keras
import numpy as np

from sparsevae import objectives, sparsity
from sparsevae.models import SparseVAE
from sparsevae.models.checkpoints import checkpoints, load_state
from sparsevae.report.run_folder import RunFolder
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.training import build
from sparsevae.study.settings import RunSettings

_N_IMAGES = 256


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """What pages look into.

    Attributes:
        vae: The model with its gates.
        exact: The same without gates, in float32.
        source: Where it is from, in words.
        images: Some images of its set `(n, height, width, channels)`; none if it is not there.
        codes: Their posterior means `(n, latent_dim)`; draws from the prior without images.
        kl: Mean KL of each latent in nats `(latent_dim,)`; None without images.
        missing: What could not be had, a sentence each.
    """

    vae: SparseVAE
    exact: SparseVAE
    source: str
    images: np.ndarray
    codes: np.ndarray
    kl: np.ndarray | None
    missing: list[str]

    def small_decoder(self) -> keras.Model:
        """The decoder without the channels that do nothing."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where there is nothing to remove
            return sparsity.compact(self.exact.decoder)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Mean images."""
        return self.exact.decode(z).mean().numpy()


def trained_model(run: RunFolder) -> TrainedModel:
    """The model of a run that is complete, or going on.

    Raises:
        FileNotFoundError: if there is neither a model nor a checkpoint.
        ValueError: and others, if the settings are of other code.
    """
    data, missing = None, []
    try:
        settings = RunSettings(**{"name": "run", **run.settings})
        data = load_data(settings, run.record.get("data_source"))
    except (ValueError, TypeError, OSError, ImportError) as error:
        missing.append(
            f"Images of the data set are not there: {' '.join(str(error).split())[:300]}"
        )
    vae, source = _model(run, data, missing)
    exact = sparsity.harden(vae, dtype="float32")
    images, kl = np.zeros((0, *vae.image_shape), np.uint8), None
    codes = np.random.default_rng(0).normal(size=(_N_IMAGES, vae.latent_dim)).astype(np.float32)
    if data is not None and tuple(data.image_shape) == tuple(vae.image_shape):
        images = data.images(data.draw(_N_IMAGES, np.random.default_rng(0)))
        posterior = exact.encode(images)
        codes = posterior.mean().numpy()
        kl = objectives.kl_per_latent(posterior, exact.prior).numpy().mean(axis=0)
    return TrainedModel(vae, exact, source, images, codes, kl, missing)


def _model(run, data, missing):
    """From the file of the model, else the newest checkpoint that is whole."""
    path = run.folder / "model.keras"
    if path.exists():
        try:
            return keras.saving.load_model(path, compile=False), "model.keras"
        except Exception as error:  # of Keras, zipfile and h5py
            missing.append(_damaged(path.name, error))
    kept = checkpoints(run.folder / "checkpoints")
    if kept and data is not None:
        planned = run.record.get("n_steps_planned") or run.settings["n_steps"]
        settings = RunSettings(**{**run.settings, "name": "run", "n_steps": planned})
        vae = build(settings, data)
        for step in sorted(kept, reverse=True):
            try:
                load_state(vae, kept[step])
                return vae, f"the checkpoint of step {step:,}"
            except ValueError as error:
                missing.append(_damaged(kept[step].name, error))
    state = "is damaged" if path.exists() else "is not there yet"
    raise FileNotFoundError(f"{path.name} {state}, and no checkpoint can be used")


def _damaged(name, error):
    return f"{name} is damaged, or of other code: {' '.join(str(error).split())[:300]}"
