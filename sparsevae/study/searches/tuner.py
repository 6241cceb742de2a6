"""A KerasTuner tuner whose trials are resumable runs."""

import time
from pathlib import Path

import keras_tuner
from keras_tuner.engine import trial as trials

from sparsevae.study.cells.cell import failure, forget_failures, run_cell
from sparsevae.study.searches import trial as folders
from sparsevae.study.searches.gap import collapse_gap
from sparsevae.study.searches.hopeless import StopHopeless
from sparsevae.study.searches.oracles import FILE_NAME, make_oracle
from sparsevae.study.searches.plan import SearchPlan, sign
from sparsevae.study.searches.space import SparsityHyperModel, run_settings
from sparsevae.study.settings import RunSettings

_PAUSE = 1.0  # seconds between questions to an oracle that has nothing now


class SparsityTuner(keras_tuner.Tuner):
    """Runs the trials that the oracle of a plan proposes, each in its own folder.

    A trial goes on from the newest checkpoint of its runs, whichever process trained it, and is
    read where they are complete. With KerasTuner's environment variables it is a worker of a
    chief elsewhere, see `service`.

    Args:
        base: Settings that all trials share.
        plan: Of the search.
        folder: Of the search.
        tensorboard: Whether runs write TensorBoard logs.
    """

    def __init__(
        self, base: RunSettings, plan: SearchPlan, folder: str | Path, tensorboard: bool = False
    ):
        self.base, self.plan, self.folder = base, plan, Path(folder)
        self.tensorboard = tensorboard
        super().__init__(
            make_oracle(plan), directory=str(self.folder.parent), project_name=self.folder.name
        )

    def run_trial(self, trial, *args, **kwargs):
        """Values of the plan's objectives, from complete runs or from a trial ended early."""
        gap = collapse_gap(self.base, self.folder)
        self.hypermodel = SparsityHyperModel(self.base, self.plan, gap.nats)
        folder = folders.trial_folder(self.folder, trial.trial_id)
        names = self.plan.objectives
        for seed in range(self.plan.n_seeds):
            settings = run_settings(trial.hyperparameters, self.base, self.plan, gap.nats, seed)
            watchers = []
            if self.plan.stop_hopeless:
                watchers = [StopHopeless(settings, self.folder, names)]
            if run_cell(folder, settings, self.tensorboard, _PAUSE, watchers) == "failed":
                return self._failed(folder, settings, names)
        folders.check_objectives(folder, names)
        if "udr" in names:
            folders.measure_udr(folder, self.base, self.plan.n_seeds)
        return folders.values(folder, names, self.plan.n_seeds)

    def _failed(self, folder, settings, names):
        noted = failure(folder / settings.name)
        if not noted["lasting"]:
            forget_failures(folder)
            raise keras_tuner.errors.FatalRuntimeError(
                f"{folder.name}: {noted['reason']}. The same command goes on from here"
            )
        status, reason = folders.status(folder, self.plan.n_seeds)
        found = folders.last_values(folder, names) if status == "stopped" else {}
        if set(found) < set(names):
            raise keras_tuner.errors.FailedTrialError(reason)
        return found

    def search(self, *args, **kwargs):
        """Runs trials until the oracle has no more."""
        while (trial := self.oracle.create_trial(self.tuner_id)).status != "STOPPED":
            if trial.status == trials.TrialStatus.IDLE:
                time.sleep(_PAUSE)
                continue
            try:
                found = self.run_trial(trial)
            except keras_tuner.errors.FailedTrialError as error:
                trial.status, trial.message = trials.TrialStatus.FAILED, str(error)
            else:
                self.oracle.update_trial(trial.trial_id, found)
                trial.status = trials.TrialStatus.COMPLETED
            self.oracle.end_trial(trial)

    def load_model(self, trial):
        """The trial's trained model; of several seeds the best by the first objective."""
        import keras

        first, n_seeds = self.plan.objectives[0], self.plan.n_seeds
        folder = folders.trial_folder(self.folder, trial.trial_id)
        best = folders.best_seed(folder, first, sign(first), n_seeds)
        return keras.saving.load_model(best / "model.keras")

    # KerasTuner would build models to find the space, and keep its state in a second file

    def _populate_initial_space(self):
        pass

    def _get_tuner_fname(self):
        return str(self.folder / FILE_NAME)

    def save(self):
        if not self._is_worker():
            self.oracle.save()

    def reload(self):
        if not self._is_worker():
            self.oracle.reload()
