"""KerasTuner's oracles, mended: no trial is lost or counted twice whenever who is killed.

As they come (1.4.8), an oracle's state and its trials are several files written in place, so that
a kill can cut one off or leave them at odds; a trial whose worker was killed stays RUNNING for
ever; grid search forgets where it was; several objectives are added up whatever their units.
"""

import itertools
import warnings
from collections.abc import Callable

import keras_tuner
import numpy as np
from keras_tuner import oracles
from keras_tuner.engine import trial as trials
from scipy.stats import qmc
from sklearn.exceptions import ConvergenceWarning

from sparsevae import records
from sparsevae.study.searches.front import chebyshev, normalized
from sparsevae.study.searches.plan import SearchPlan, sign
from sparsevae.study.searches.space import MAX_EPOCHS, space

FILE_NAME = "oracle.json"
MIN_FITTED = 3  # trials that a Gaussian process is fitted to
_N_POINTS = {"strength": 5, "target_density": 5}  # of a grid
_N_POINTS |= {"learning_rate": 3, "gate_learning_rate": 3}


class _Mended:
    """Base of all oracles here; the other base is KerasTuner's."""

    objective_names: list[str]
    over_at: list | None = None  # numbers of trials made and allowed when there was no more to do
    announce: Callable[[trials.Trial], None] | None = None

    # One file, put in place in one step

    def get_state(self):
        listed = {name: trial.get_state() for name, trial in self.trials.items()}
        return {**super().get_state(), "trials": listed, "over_at": self.over_at}

    def set_state(self, state):
        self.over_at = state["over_at"]
        listed = state["trials"].items()
        self.trials = {name: trials.Trial.from_state(trial) for name, trial in listed}
        super().set_state(state)
        waiting = dict.fromkeys((*self._retry_queue, *self.ongoing_trials.values()))
        self._retry_queue = [n for n in map(_name, waiting) if not self._has_ended(n)]

    def save(self):
        records.write_json(self._get_oracle_fname(), self.get_state())

    def reload(self):
        """Takes up what is on disk; trials that were running wait for somebody to go on."""
        self.set_state(records.read_json(self._get_oracle_fname()))
        self.ongoing_trials = {}

    def _save_trial(self, trial):
        """Trials are part of the one file."""

    # Each trial once

    def _has_ended(self, trial_id):
        return trial_id in self.end_order

    @keras_tuner.synchronized
    def create_trial(self, tuner_id):
        trial = super().create_trial(tuner_id)
        if trial.status == trials.TrialStatus.STOPPED:
            if self.ongoing_trials:
                # One of these may still come back to the queue: nobody leaves before the last.
                self.tuner_ids.add(tuner_id)
                trial.status = trials.TrialStatus.IDLE
            else:
                self.over_at = [len(self.trials), self.max_trials]
                self.save()
        return trial

    @keras_tuner.synchronized
    def update_trial(self, trial_id, metrics, step=0):
        if self._has_ended(trial_id):
            return self.trials[trial_id]
        self.trials[trial_id].metrics = type(self.trials[trial_id].metrics)()
        return super().update_trial(trial_id, metrics, step)

    @keras_tuner.synchronized
    def end_trial(self, trial):
        """A second report, of a worker that was thought dead, changes nothing."""
        if self._has_ended(trial.trial_id):
            return
        # What comes over the wire is rounded to 32 bits.
        trial.hyperparameters = self.trials[trial.trial_id].hyperparameters
        super().end_trial(trial)
        self._retry_queue = [name for name in self._retry_queue if name != trial.trial_id]
        self.save()
        if self.announce:
            self.announce(self.trials[trial.trial_id])

    @keras_tuner.synchronized
    def release(self, tuner_id):
        """Takes the trial of a dead worker from it; returns its name, None if it had none."""
        self.tuner_ids.discard(tuner_id)
        trial = self.ongoing_trials.pop(tuner_id, None)
        if trial is None or self._has_ended(trial.trial_id):
            return None
        self._retry_queue.append(trial.trial_id)
        self.save()
        return trial.trial_id

    @keras_tuner.synchronized
    def is_over(self):
        """Whether the last trial has ended and every worker has been sent home."""
        left = self.ongoing_trials or self._retry_queue or self.tuner_ids
        return self.over_at == [len(self.trials), self.max_trials] and not left

    def planned_epochs(self) -> list[int]:
        """Length of each trial, of `MAX_EPOCHS`."""
        return [MAX_EPOCHS] * self.max_trials

    # Several objectives

    def score_trial(self, trial):
        if len(self.objective_names) == 1:
            super().score_trial(trial)
        else:
            trial.score = float(sum(_costs(trial, self.objective_names)))  # until the next proposal

    def populate_space(self, trial_id):
        done = [trial for trial in self.trials.values() if trial.status == "COMPLETED"]
        if len(self.objective_names) > 1 and done:
            rng = np.random.default_rng((self.seed, len(self.trials)))
            weights = rng.dirichlet(np.ones(len(self.objective_names)))
            costs = normalized([_costs(trial, self.objective_names) for trial in done])
            for trial, score in zip(done, chebyshev(costs, weights), strict=True):
                trial.score = float(score)
        return super().populate_space(trial_id)


class _Grid(keras_tuner.Oracle):
    """All combinations, in random order; where it stands follows from what has been tried."""

    def combinations(self):
        """Tuples of values, in the order of the space."""
        return list(itertools.product(*map(_points, self.hyperparameters.space)))

    def populate_space(self, trial_id):
        hps = self.hyperparameters.space
        combinations = self.combinations()
        for number in np.random.default_rng(self.seed).permutation(len(combinations)):
            values = {hp.name: v for hp, v in zip(hps, combinations[number], strict=True)}
            if not self._duplicate(values):
                return {"status": trials.TrialStatus.RUNNING, "values": values}
        return {"status": trials.TrialStatus.STOPPED}


class RandomOracle(_Mended, oracles.RandomSearchOracle):
    """Independent draws."""


class BayesianOracle(_Mended, oracles.BayesianOptimizationOracle):
    """A Gaussian process; of several objectives it sees a new weighting each time (ParEGO).

    It begins with a Latin hypercube of trials: a few random ones may leave out a kind of gates.
    """

    def __init__(self, n_spread, **kwargs):
        super().__init__(num_initial_points=MIN_FITTED, **kwargs)
        self.n_spread = n_spread

    def populate_space(self, trial_id):
        hps = self.hyperparameters.space
        rng = np.random.default_rng(self.seed)
        cube = qmc.LatinHypercube(max(len(hps), 1), optimization="random-cd", rng=rng)
        for point in cube.random(self.n_spread):
            values = {hp.name: hp.prob_to_value(p) for hp, p in zip(hps, point, strict=False)}
            if not self._duplicate(values):
                return {"status": trials.TrialStatus.RUNNING, "values": values}
        with warnings.catch_warnings():
            # A length scale at the end of its range is no news to anybody who searches.
            warnings.simplefilter("ignore", category=ConvergenceWarning)
            return super().populate_space(trial_id)

    def get_state(self):
        return {**super().get_state(), "n_spread": self.n_spread}

    def set_state(self, state):
        super().set_state(state)
        self.n_spread = state["n_spread"]  # a search that grows keeps its points


class HyperbandOracle(_Mended, oracles.HyperbandOracle):
    """Many short trials, the best of them again three times as long.

    Longer ones start afresh: as the phases of gates are fractions of a run, a short run is a
    whole one and not the beginning of a long one.
    """

    def planned_epochs(self):
        return [
            self._get_epochs(bracket, number)
            for bracket in range(self._get_num_brackets())
            for number in range(self._get_num_rounds(bracket))
            for _ in range(self._get_size(bracket, number))
        ]


class GridOracle(_Mended, _Grid):
    """All combinations of the choices, 5 strengths or densities, 3 learning rates of each kind."""

    def planned_epochs(self):
        return super().planned_epochs()[: len(self.combinations())]


_ORACLES = {
    "random": RandomOracle,
    "bayesian": BayesianOracle,
    "hyperband": HyperbandOracle,
    "grid": GridOracle,
}


def make_oracle(plan: SearchPlan) -> keras_tuner.Oracle:
    """The oracle of a plan."""
    objectives = [
        keras_tuner.Objective(name, "min" if sign(name) == 1 else "max") for name in plan.objectives
    ]
    arguments = {
        "objective": objectives if len(objectives) > 1 else objectives[0],
        "hyperparameters": space(plan),
        "seed": plan.search_seed + 1,  # 0 would be a random seed
        "max_consecutive_failed_trials": 10**9,  # a trial that fails tells something too
    }
    if plan.tuner == "hyperband":
        arguments["max_epochs"] = MAX_EPOCHS
    else:
        arguments["max_trials"] = plan.n_trials
    if plan.tuner == "bayesian":
        arguments["n_spread"] = max(2 * MIN_FITTED, plan.n_trials // 4)
    oracle = _ORACLES[plan.tuner](**arguments)
    oracle.objective_names = list(plan.objectives)
    oracle.verbose = 0
    return oracle


def _name(trial):
    return trial if isinstance(trial, str) else trial.trial_id


def _costs(trial, names):
    """Objectives of a complete trial, each so that lower is better."""
    return [sign(name) * trial.metrics.get_last_value(name) for name in names]


def _points(hp):
    if hasattr(hp, "values") and not hasattr(hp, "sampling"):
        return list(hp.values)
    points = np.geomspace(hp.min_value, hp.max_value, _N_POINTS[hp.name])
    return [float(point) for point in points]
