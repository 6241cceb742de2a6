"""When to give up a trial before its end."""

from pathlib import Path

import keras
import numpy as np
import pandas as pd

from sparsevae import records
from sparsevae.study.cells.cell import StoppedError
from sparsevae.study.searches.plan import sign
from sparsevae.study.settings import RunSettings

MIN_TRIALS = 3  # complete ones to compare with


class StopHopeless(keras.callbacks.Callback):
    """Ends training by `StoppedError` once the price has risen and the trial has no future.

    That is when no latent is active, as lost latents do not come back; or when at least half of
    the complete trials of the same length were better in all objectives at the same step (with
    one objective and an odd number of trials that is the median rule). Scores are not known while
    a model trains, and a trial that others beat in all the rest may have the best: with a score
    among the objectives only the first rule holds.

    Args:
        settings: Of the trial.
        folder: Of the search: other trials are `FOLDER/trial_*/seed_0`.
        objectives: Names of the search's objectives.

    References:
        Golovin et al. 2017, Google Vizier, section 3.1: the median stopping rule.
    """

    def __init__(self, settings: RunSettings, folder: str | Path, objectives: list[str]):
        super().__init__()
        self.settings, self.folder, self.objectives = settings, Path(folder), objectives
        self._reason = ""

    def on_epoch_end(self, epoch, logs=None):
        step = int(self.model.optimizer.iterations)
        if self.settings.full_at * self.settings.n_steps <= step < self.settings.n_steps:
            self._reason = self._judge(step, logs or {})
            self.model.stop_training = bool(self._reason)

    def on_train_end(self, logs=None):
        """Raised here, when all other callbacks have put things in order."""
        if self._reason:
            raise StoppedError(self._reason)

    def _judge(self, step, logs):
        if logs.get("active_latents", 1) == 0:
            return f"stopped at step {step}: no latent is left"
        if not set(self.objectives) <= set(logs):
            return ""
        others = self._others(step)
        if len(others) < MIN_TRIALS:
            return ""
        signs = np.array([sign(name) for name in self.objectives])
        mine = np.array([float(logs[name]) for name in self.objectives]) * signs
        n_better = int((np.array(others) * signs < mine).all(axis=1).sum())
        if 2 * n_better < len(others):
            return ""
        return f"stopped at step {step}: {n_better} of {len(others)} others were better there"

    def _others(self, step):
        """Values of the complete trials at one step."""
        names, values = self.objectives, []
        for folder in sorted(self.folder.glob("trial_*/seed_0")):
            if not records.is_complete(folder):
                continue
            history = pd.read_csv(folder / "history.csv")
            same_length = history["step"].iloc[-1] == self.settings.n_steps
            row = history[history["step"] == step]
            if same_length and len(row) and set(names) <= set(history):
                values.append(row[names].iloc[0].tolist())
        return values
