"""Callbacks of a long run: progress, history, checkpoints, and a stop that loses nothing."""

import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from sparsevae.models.checkpoints import checkpoint_path, checkpoints, save_state
from sparsevae.records import atomic_file
from sparsevae.training.epoch_logs import add_logs


class DivergedError(RuntimeError):
    """Training went to NaN or infinity."""


class Progress(keras.callbacks.Callback):
    """A bar over all steps of the run with rate, time left, ELBO, and density after each epoch.

    Args:
        n_steps: Steps of the whole run; the bar begins at the optimizer's step.
    """

    def __init__(self, n_steps: int) -> None:
        super().__init__()
        self.n_steps = n_steps
        self._bar = None
        self._density: dict[str, float] = {}  # to count links takes long

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._density = {"density": logs["density"]} if "density" in logs else {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        step = int(self.model.optimizer.iterations)
        self._bar = tqdm(total=self.n_steps, initial=step, unit="step", dynamic_ncols=True)
        self._shown = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if time.monotonic() - self._shown < 1:
            return
        self._shown = time.monotonic()
        values = {"elbo": logs["elbo"], **self._density}
        shown = {name: f"{float(value):.4g}" for name, value in values.items()}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(int(self.model.optimizer.iterations) - self._bar.n)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._bar.update(int(self.model.optimizer.iterations) - self._bar.n)
        self._bar.close()


class Checkpoints(keras.callbacks.Callback):
    """Writes a checkpoint and the history after every epoch; stops cleanly on SIGINT and SIGTERM.

    A signal ends the run after the step in progress, with a checkpoint of exactly that step, by
    `KeyboardInterrupt`. A loss that is NaN or infinite ends it with `DivergedError` and the last
    good checkpoint kept.

    Args:
        folder: Run folder; files are `checkpoints/step_*.npz` (the newest two) and `history.csv`.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)
        self._stop_signal = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._began = time.monotonic()
        self._rows = _read_history(self.folder, before=int(self.model.optimizer.iterations))
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():  # others get no signals
            self._handlers = {
                number: signal.signal(number, self._on_signal)
                for number in (signal.SIGINT, signal.SIGTERM)
            }

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._stop_signal is not None:  # it may come while the last checkpoint is written
            raise KeyboardInterrupt

    def on_fit_end(self) -> None:
        """Called by `SparseVAE.fit` however it ends: gives the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _on_signal(self, number, frame):
        self._stop_signal = number

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if batch % 50 == 0:
            self._check_finite(logs)
        if self._stop_signal is not None:
            self._save(logs)
            self.on_train_end()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._save(logs)

    def _check_finite(self, logs):
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            self._diverged(f"The loss became {loss}")

    def _check_weights(self):
        """A last step may spoil the weights after a loss that was still finite."""
        for weight in self.model.trainable_variables:
            if not np.isfinite(weight.numpy()).all():
                self._diverged(f"Weights of {weight.path} became NaN or infinite")

    def _diverged(self, what):
        kept = list(checkpoints(self.folder / "checkpoints"))
        last = f"the checkpoint of step {kept[-1]} is kept" if kept else "no checkpoint exists yet"
        raise DivergedError(
            f"{what} by step {int(self.model.optimizer.iterations)}; {last}. "
            "Lower the learning rate or the sparsity strength"
        )

    def _save(self, logs):
        self._check_finite(logs)
        self._check_weights()
        step = int(self.model.optimizer.iterations)
        seconds = time.monotonic() - self._began
        self._began = time.monotonic()
        logs = {**logs, **self.model.gate_logs()}  # a stop within an epoch has none yet
        row = {"step": step, "seconds": seconds}
        add_logs(self, row, {k: float(v) for k, v in logs.items()})
        self._rows.append(row)
        with atomic_file(self.folder / "history.csv") as temporary:
            pd.DataFrame(self._rows).to_csv(temporary, index=False)
        folder = self.folder / "checkpoints"
        save_state(self.model, checkpoint_path(folder, step))
        for path in list(checkpoints(folder).values())[:-2]:
            path.unlink()


def _read_history(folder, before):
    """Rows of an earlier part of the run, up to and with step `before`."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    history = pd.read_csv(path)
    return history[history["step"] <= before].to_dict("records")
