"""What a run does with its model: builds, trains, tests it."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import pandas as pd

from sparsevae import models, objectives, sparsity
from sparsevae.data import ImageData
from sparsevae.data.pipeline import Draws, FieldDraws
from sparsevae.models import SparseVAE, callbacks, checkpoints
from sparsevae.study.one.gating import make_control, make_gate
from sparsevae.study.one.weak import make_objective
from sparsevae.study.settings import RunSettings

N_TEST = 10_000


def build(settings: RunSettings, data: ImageData) -> SparseVAE:
    """The compiled model of a run; the policy of the process is left as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        return _built(settings, data)
    finally:
        keras.config.set_dtype_policy(before)


def _built(settings, data):
    likelihood = settings.likelihood
    if likelihood == "gaussian":
        likelihood = objectives.Gaussian(settings.variance)
    regularizer = None
    if settings.gate == "l1_weights":
        regularizer = keras.regularizers.L1(settings.strength)
    builder = {
        "conv": models.conv_vae,
        "mlp": functools.partial(models.mlp_vae, hidden=settings.hidden),
        "sparse_decoding": functools.partial(
            models.sparse_decoding_vae,
            hidden=settings.hidden,
            decoder_hidden=settings.decoder_hidden,
        ),
    }[settings.model]
    vae = builder(
        data.image_shape,
        settings.latent_dim,
        gate=make_gate(settings),
        where=settings.where,
        granularity=settings.granularity,
        seed=settings.seed,
        kernel_regularizer=regularizer,
        objective=make_objective(settings, data),
        likelihood=likelihood,
        control=make_control(settings),
        n_data=len(data),
    )
    vae.compile(
        keras.optimizers.Adam(settings.learning_rate),
        steps_per_execution=settings.steps_per_execution,
    )
    return vae


def train(
    vae: SparseVAE,
    data: ImageData,
    settings: RunSettings,
    folder: Path,
    distribution: Draws | FieldDraws | None = None,
    watchers: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains to the end from the newest checkpoint of the run folder, if there is one."""
    kept = checkpoints.checkpoints(folder / "checkpoints")
    if kept:
        checkpoints.load_state(vae, kept[max(kept)])
    every = settings.checkpoint_every
    step = int(vae.optimizer.iterations)
    writers = [callbacks.Progress(settings.n_steps), callbacks.Checkpoints(folder)]
    while step < settings.n_steps:
        n_epochs, n_steps = (settings.n_steps - step) // every, every
        if step % every or not n_epochs:  # part of an epoch: after a stop, or at the very end
            n_epochs, n_steps = 1, min(every - step % every, settings.n_steps - step)
        vae.fit(
            data.as_tf_dataset(
                settings.batch_size, settings.seed, start=step, distribution=distribution
            ),
            steps_per_epoch=n_steps,
            initial_epoch=step // every,
            epochs=step // every + n_epochs,
            callbacks=[*writers, *watchers],
            verbose=0,
        )
        step = int(vae.optimizer.iterations)


def evaluate(vae: SparseVAE, data: ImageData, settings: RunSettings) -> dict:
    """Test ELBO on images of the whole set with noise-free gates, active latents, densities."""
    batches = data.as_tf_dataset(250, seed=settings.seed + 2**20)
    result = {"step": int(vae.optimizer.iterations)}
    result |= vae.evaluate(batches, steps=N_TEST // 250, verbose=0, return_dict=True)
    del result["loss"], result["penalty"]
    if vae.gated_layers:
        open_links = sparsity.share_of_links(vae.gated_layers, lambda layer: layer.gate.support())
        result["density"] = float(open_links)
        result["effective_density"] = sparsity.report(vae).effective_density
        result["densities"] = {k: float(v) for k, v in sparsity.layer_densities(vae).items()}
    if settings.gate == "l1_weights":
        result |= _cut(vae, batches, settings.cut_threshold)
    return result


def findings(vae: SparseVAE, folder: Path, tested: Mapping[str, float]) -> list[dict]:
    """What went wrong with the gates, as dicts, see `sparsity.failures`; after `evaluate`.

    Args:
        vae: Trained and tested.
        folder: Of the run; its history is looked at.
        tested: As `evaluate` gives it.
    """
    path = folder / "history.csv"
    history = pd.read_csv(path).to_dict("records") if path.exists() else []
    history[-1:] = [{**row, "val_elbo": tested["elbo"]} for row in history[-1:]]
    return [dataclasses.asdict(found) for found in sparsity.failures(vae, history)]


def _cut(vae, batches, threshold):
    """The naive baseline's sparsity, and its ELBO without the small weights; the model is kept."""
    weights = vae.get_weights()
    share = sparsity.share_below(vae, threshold)
    sparsity.cut_below(vae, threshold)
    cut = vae.evaluate(batches, steps=N_TEST // 250, verbose=0, return_dict=True)
    vae.set_weights(weights)
    return {"share_cut": share, "elbo_after_cut": cut["elbo"]}
