"""The whole journey of one run: data, training, scores, pictures, record."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from sparsevae import metrics, records
from sparsevae.metrics.encoding import factors_to_score
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study.one import pictures
from sparsevae.study.one.analyses import analyzed, checked_analyses
from sparsevae.study.one.analysis_pictures import draw_analyses
from sparsevae.study.one.live_pictures import LivePictures
from sparsevae.study.one.loading import load_data
from sparsevae.study.one.plan import read_plan, write_plan
from sparsevae.study.one.pruning import begin_with, noted_sources, take_masks
from sparsevae.study.one.training import build, evaluate, findings, train
from sparsevae.study.one.weak import training_draws
from sparsevae.study.settings import RunSettings


def run(
    settings: RunSettings,
    parent: str | Path = "runs",
    tensorboard: bool = False,
    watchers: Sequence[keras.callbacks.Callback] = (),
) -> dict:
    """Trains, scores and pictures one model; starting it again goes on where it stopped.

    With more `n_steps` a run goes on from its last checkpoint, also a complete one: its record is
    `record_STEP.json` from then on, and the run is complete again when the new record is there.
    The phases of sparsity stay where the first settings put them, so gates that have been fixed
    stay so while the weights train on. `metrics`, `analyses` and `cut_threshold` may change too.

    Args:
        settings: What to do.
        parent: Folder that holds the run folder `settings.name`.
        tensorboard: Whether to write TensorBoard logs, pictures among them, into the run folder.
        watchers: More callbacks of `fit`, after those that write history and checkpoints. What
            they raise ends the run with its checkpoints kept.

    Returns:
        The record, as in `record.json`: settings, steps that the phases are laid out for
        (`n_steps_planned`), test ELBO and its terms in nats per observation, active latents,
        densities by layer, what went wrong with the gates (`findings`), scores, and what analyses
        found.

    Raises:
        ValueError: if the folder holds a run of other settings, or one trained for more steps; if
            `pruned_from` or `mask_from` is a run of other layers, or the data does not bear an
            analysis.
        FileNotFoundError: if `pruned_from` or `mask_from` is not a complete run.
        callbacks.DivergedError: if the loss becomes NaN.
        KeyboardInterrupt: after SIGINT or SIGTERM, with a checkpoint written.
    """
    folder = Path(parent) / settings.name
    plan = read_plan(folder, settings)
    if records.is_complete(folder) and not plan.changed:
        return records.read_record(folder)
    _set_up(settings)
    data = load_data(settings)
    checked_analyses(settings.analyses, data)
    distribution = training_draws(settings, data)
    vae = build(dataclasses.replace(settings, n_steps=plan.n_steps_planned), data)
    write_plan(folder, plan)
    if settings.pruned_from is not None and not checkpoints(folder / "checkpoints"):
        begin_with(vae, settings.pruned_from, folder)
    if settings.mask_from is not None and not checkpoints(folder / "checkpoints"):
        take_masks(vae, settings.mask_from, folder)
    if tensorboard:
        logs = keras.callbacks.TensorBoard(folder / "tensorboard", write_graph=False)
        watchers = [logs, LivePictures(data, folder), *watchers]
    train(vae, data, settings, folder, distribution, watchers)
    with records.atomic_file(folder / "model.keras") as temporary:
        vae.save(temporary)
    tested = evaluate(vae, data, settings)
    names = settings.metrics if factors_to_score(data).shape[1] else "all"
    record = {
        "name": settings.name,
        "settings": dataclasses.asdict(settings),
        "n_steps_planned": plan.n_steps_planned,
        "data_source": data.source,
        "factor_names": list(data.factor_names) if hasattr(data, "factors") else [],
        **noted_sources(folder),
        **tested,
        "findings": findings(vae, folder, tested),
        "scores": metrics.evaluate(vae.codes, data, metrics=names, seed=0),
    }
    if settings.analyses:
        found = analyzed(vae, data, settings.analyses)
        record["analyses"] = {name: one.numbers for name, one in found.items()}
    records.write_json(folder / "scores.json", record["scores"])
    pictures.draw(vae, data, folder)
    if settings.analyses:
        draw_analyses(found, folder)
    records.write_record(folder, record)
    return record


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
