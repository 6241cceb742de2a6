"""The whole journey of one run: data, training, scores, pictures, record."""

import dataclasses
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import keras
import tensorflow as tf

from sparsevae import data as data_sets
from sparsevae import gates, metrics, models, objectives, records, sparsity
from sparsevae.data import GroundTruthData
from sparsevae.models import SparseVAE, callbacks, checkpoints
from sparsevae.study import pictures
from sparsevae.study.settings import RunSettings

PACKAGES = ("sparsevae", "keras", "tensorflow", "tensorflow-probability", "numpy")
N_TEST = 10_000


def run(
    settings: RunSettings,
    parent: str | Path = "runs",
    tensorboard: bool = False,
    watchers: Sequence[keras.callbacks.Callback] = (),
) -> dict:
    """Trains, scores and pictures one model; starting it again goes on where it stopped.

    Args:
        settings: What to do.
        parent: Folder that holds the run folder `settings.name`.
        tensorboard: Whether to write TensorBoard logs into the run folder too.
        watchers: More callbacks of `fit`, after those that write history and checkpoints. What
            they raise ends the run with its checkpoints kept.

    Returns:
        The record, as in `record.json`: settings, versions, test ELBO and its terms in nats per
        observation, active latents, densities by layer, scores.

    Raises:
        ValueError: if the folder holds a run of other settings.
        callbacks.DivergedError: if the loss becomes NaN.
        KeyboardInterrupt: after SIGINT or SIGTERM, with a checkpoint written.
    """
    folder = Path(parent) / settings.name
    if records.is_complete(folder):
        _claim(folder, settings)
        return records.read_record(folder)
    _set_up(settings)
    data = data_sets.load(settings.data, settings.data_dir, settings.data_source)
    vae = build(settings, data)
    _claim(folder, settings)
    if tensorboard:
        logs = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
        watchers = [logs, *watchers]
    train(vae, data, settings, folder, watchers)
    with records.atomic_file(folder / "model.keras") as temporary:
        vae.save(temporary)
    record = {
        "name": settings.name,
        "settings": dataclasses.asdict(settings),
        "data_source": data.source,
        **evaluate(vae, data, settings),
        "scores": metrics.evaluate(vae.codes, data, metrics=settings.metrics, seed=0),
    }
    records.write_json(folder / "scores.json", record["scores"])
    pictures.draw(vae, data, folder)
    records.write_record(folder, record)
    return record


def build(settings: RunSettings, data: GroundTruthData) -> SparseVAE:
    """The compiled model of a run."""
    keras.config.set_dtype_policy(settings.precision)
    likelihood = settings.likelihood
    if likelihood == "gaussian":
        likelihood = objectives.Gaussian(settings.variance)
    gate = control = regularizer = None
    if settings.gate not in ("none", "l1_weights"):
        gate = gates.NAMES[settings.gate](**settings.gate_options)
        control = sparsity.Strength.over(
            settings.strength,
            settings.n_steps,
            settings.open_until,
            settings.full_at,
            settings.freeze_at,
            settings.weighting,
        )
    if settings.gate == "l1_weights":
        regularizer = keras.regularizers.L1(settings.strength)
    builder = {"conv": models.conv_vae, "mlp": models.mlp_vae}[settings.model]
    vae = builder(
        data.image_shape,
        settings.latent_dim,
        gate=gate,
        where=settings.where,
        seed=settings.seed,
        kernel_regularizer=regularizer,
        objective=objectives.BetaVAE(settings.beta),
        likelihood=likelihood,
        control=control,
    )
    vae.compile(
        keras.optimizers.Adam(settings.learning_rate),
        steps_per_execution=settings.steps_per_execution,
    )
    return vae


def train(vae, data, settings: RunSettings, folder: Path, watchers: Sequence = ()) -> None:
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
            data.as_tf_dataset(settings.batch_size, settings.seed, start=step),
            steps_per_epoch=n_steps,
            initial_epoch=step // every,
            epochs=step // every + n_epochs,
            callbacks=[*writers, *watchers],
            verbose=0,
        )
        step = int(vae.optimizer.iterations)


def evaluate(vae: SparseVAE, data: GroundTruthData, settings: RunSettings) -> dict:
    """Test ELBO on fresh images with noise-free gates, active latents, densities."""
    batches = data.as_tf_dataset(250, seed=settings.seed + 2**20)
    result = {"step": int(vae.optimizer.iterations)}
    result |= vae.evaluate(batches, steps=N_TEST // 250, verbose=0, return_dict=True)
    del result["loss"], result["penalty"]
    if vae.gated_layers:
        open_links = sparsity.share_of_links(vae.gated_layers, lambda layer: layer.gate.support())
        result["density"] = float(open_links)
        result["densities"] = {k: float(v) for k, v in sparsity.layer_densities(vae).items()}
    if settings.gate == "l1_weights":
        result |= _cut(vae, batches, settings.cut_threshold)
    return result


def _cut(vae, batches, threshold):
    """The naive baseline's sparsity, and its ELBO without the small weights; the model is kept."""
    weights = vae.get_weights()
    share = sparsity.share_below(vae, threshold)
    sparsity.cut_below(vae, threshold)
    cut = vae.evaluate(batches, steps=N_TEST // 250, verbose=0, return_dict=True)
    vae.set_weights(weights)
    return {"share_cut": share, "elbo_after_cut": cut["elbo"]}


def _set_up(settings):
    """Process-wide: threads, and TensorFlow's promise of the same result for the same seed."""
    if settings.n_threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(settings.n_threads)
            tf.config.threading.set_inter_op_parallelism_threads(settings.n_threads)
        except RuntimeError:
            raise RuntimeError(
                "`n_threads` can be chosen before a process first uses TensorFlow only. Leave it "
                f"at 0, or begin in a fresh process. Received: n_threads={settings.n_threads}"
            ) from None
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)


def _claim(folder, settings):
    """Writes settings.json, or checks that the folder belongs to a run of these settings."""
    path = folder / "settings.json"
    wanted = dataclasses.asdict(settings)
    if not path.exists():
        made_by = {name: metadata.version(name) for name in PACKAGES}
        records.write_json(
            path, {"settings": wanted, "versions": made_by, "git_commit": _git_commit()}
        )
        return
    # settings that are younger than the file had their default
    found = dataclasses.asdict(RunSettings(**records.read_json(path)["settings"]))
    differing = {k: (found[k], v) for k, v in wanted.items() if found[k] != v}
    if differing:
        listed = "; ".join(f"{k} was {old!r}, now {new!r}" for k, (old, new) in differing.items())
        raise ValueError(
            f"{folder} holds a run of other settings: {listed}. Choose another name, or delete it"
        )


def _git_commit():
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
