"""The mended oracles, without training: values are made up, processes die between any two calls."""

import dataclasses
import os
import shutil

import numpy as np
import pytest

from sparsevae.study import SearchPlan
from sparsevae.study.searches.oracles import FILE_NAME, make_oracle

FEW = {"gates": ["binary"], "betas": [1.0], "learning_rates": (1e-3, 1e-3)}
PLANS = {
    "random": SearchPlan(tuner="random", n_trials=8),
    "bayesian": SearchPlan(tuner="bayesian", n_trials=8, **FEW),
    "hyperband": SearchPlan(tuner="hyperband", objectives=["elbo"]),
    "grid": SearchPlan(tuner="grid", n_trials=100, **FEW),
}
N_TRIALS = {"random": 8, "bayesian": 8, "hyperband": 23, "grid": 10}


def fresh(plan, folder):
    """The oracle of a process that has just started."""
    oracle = make_oracle(plan)
    oracle._set_project_dir(str(folder.parent), folder.name)
    if (folder / FILE_NAME).exists():
        oracle.reload()
    return oracle


def values_of(trial):
    strength = trial.hyperparameters.values["strength"]
    return {"elbo": -50.0 - strength, "density": 1 / strength}


def finish(oracle, trial):
    oracle.update_trial(trial.trial_id, values_of(trial))
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def run(oracle, tuner_id="tuner0"):
    """Runs to the end; names of the trials that were run."""
    names = []
    while (trial := oracle.create_trial(tuner_id)).status != "STOPPED":
        names.append(trial.trial_id)
        finish(oracle, trial)
    return names


@pytest.mark.parametrize("tuner", PLANS)
def test_every_trial_is_run_once(tuner, tmp_path):
    oracle = fresh(PLANS[tuner], tmp_path / "search")
    names = run(oracle)
    assert sorted(names) == sorted(oracle.trials) and len(set(names)) == len(names)
    assert len(names) == len(oracle.planned_epochs()) == N_TRIALS[tuner]
    assert oracle.is_over()
    tried = [tuple(sorted(t.hyperparameters.values.items())) for t in oracle.trials.values()]
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize("tuner", PLANS)
def test_a_kill_after_any_write_loses_no_trial(tuner, tmp_path, monkeypatch):
    """Snapshots of the folder after every write stand for kills right after it."""
    plan, folder = PLANS[tuner], tmp_path / "search"
    snapshots = []
    oracle = fresh(plan, folder)
    save = type(oracle).save

    def save_and_copy(self):
        save(self)
        snapshots.append(shutil.copytree(folder, tmp_path / f"kill_{len(snapshots)}"))

    monkeypatch.setattr(type(oracle), "save", save_and_copy)
    for _ in range(5):
        finish(oracle, oracle.create_trial("tuner0"))
    oracle.create_trial("tuner0")
    monkeypatch.undo()
    assert len(snapshots) >= 11
    for snapshot in snapshots[:: 5 if tuner == "bayesian" else 1]:  # seconds for each proposal
        ended = set(fresh(plan, snapshot).end_order)
        again = fresh(plan, snapshot)
        names = run(again)
        assert not ended & set(names), "a complete trial was run again"
        assert len(set(names)) == len(names)
        assert set(again.end_order) == set(again.trials) and len(again.end_order) == len(
            again.trials
        )
        if tuner != "hyperband":  # finds its own number
            assert len(again.trials) == N_TRIALS[tuner]


@pytest.mark.parametrize("tuner", PLANS)
def test_the_seed_decides_what_is_tried(tuner, tmp_path):
    """Also seed 0, which KerasTuner takes for none."""
    plans = [dataclasses.replace(PLANS[tuner], search_seed=seed) for seed in (0, 0, 1)]
    oracles = [fresh(plan, tmp_path / f"search_{k}") for k, plan in enumerate(plans)]
    tried = [oracle.create_trial("tuner0").hyperparameters.values for oracle in oracles]
    assert tried[0] == tried[1] != tried[2]


def test_the_running_trial_is_the_first_to_go_on(tmp_path):
    plan, folder = PLANS["random"], tmp_path / "search"
    before = fresh(plan, folder).create_trial("tuner0")
    after = fresh(plan, folder).create_trial("tuner1")
    assert after.trial_id == before.trial_id
    assert after.hyperparameters.values == before.hyperparameters.values


def test_nothing_but_the_whole_file_is_read(tmp_path):
    """One file, renamed into place: no half of it is ever there."""
    folder = tmp_path / "search"
    run(fresh(PLANS["random"], folder))
    assert os.listdir(folder) == [FILE_NAME]


def test_a_lost_workers_trial_goes_to_another(tmp_path):
    oracle = fresh(PLANS["random"], tmp_path / "search")
    lost, kept = oracle.create_trial("tuner0"), oracle.create_trial("tuner1")
    assert oracle.release("tuner0") == lost.trial_id
    assert oracle.release("tuner0") is None
    again = oracle.create_trial("tuner2")
    assert again.trial_id == lost.trial_id
    finish(oracle, again)
    finish(oracle, kept)
    assert len(oracle.end_order) == 2


def test_the_return_of_a_lost_worker_changes_nothing(tmp_path):
    """It was only slow: its trial has been run again, its report comes second."""
    oracle = fresh(PLANS["random"], tmp_path / "search")
    slow = oracle.create_trial("tuner0")
    oracle.release("tuner0")
    again = oracle.create_trial("tuner1")
    finish(oracle, again)
    value = oracle.trials[slow.trial_id].metrics.get_last_value("elbo")
    oracle.update_trial(slow.trial_id, {"elbo": 0.0, "density": 0.0})
    slow.status = "FAILED"
    oracle.end_trial(slow)
    assert oracle.end_order == [slow.trial_id]
    assert oracle.trials[slow.trial_id].metrics.get_last_value("elbo") == value
    assert oracle.trials[slow.trial_id].metrics.get_history("elbo")[0].value == [value]


def test_nobody_leaves_while_a_trial_may_come_back(tmp_path):
    oracle = fresh(SearchPlan(tuner="random", n_trials=2), tmp_path / "search")
    first, _ = oracle.create_trial("tuner0"), oracle.create_trial("tuner1")
    finish(oracle, first)
    assert oracle.create_trial("tuner0").status == "IDLE"
    assert not oracle.is_over()
    oracle.release("tuner1")
    again = oracle.create_trial("tuner0")
    assert again.status == "RUNNING"
    finish(oracle, again)
    assert oracle.create_trial("tuner0").status == "STOPPED"
    assert oracle.is_over()


def test_a_search_that_is_over_stays_over_until_it_grows(tmp_path):
    folder = tmp_path / "search"
    run(fresh(SearchPlan(tuner="random", n_trials=3), folder))
    assert fresh(SearchPlan(tuner="random", n_trials=3), folder).is_over()
    longer = fresh(SearchPlan(tuner="random", n_trials=5), folder)
    assert not longer.is_over()
    assert len(run(longer)) == 2


def test_failed_trials_end_no_search(tmp_path):
    oracle = fresh(PLANS["random"], tmp_path / "search")
    for _ in range(6):
        trial = oracle.create_trial("tuner0")
        trial.status = "FAILED"
        oracle.end_trial(trial)
    assert len(run(oracle)) == 2


def test_each_end_is_announced_once(tmp_path):
    oracle = fresh(PLANS["random"], tmp_path / "search")
    ended = []
    oracle.announce = lambda trial: ended.append(trial.trial_id)
    assert ended == [] and run(oracle) == ended


def test_several_objectives_are_weighed_anew_each_time(tmp_path):
    """And every weighting calls a model of the front the best."""
    oracle = fresh(SearchPlan(tuner="random", n_trials=15), tmp_path / "search")
    best = set()
    for _ in range(15):
        finish(oracle, oracle.create_trial("tuner0"))
        oracle.populate_space("probe")
        scores = {name: trial.score for name, trial in oracle.trials.items()}
        assert np.isfinite(list(scores.values())).all()
        best.add(min(scores, key=scores.get))
    assert len(best) > 1


def test_of_several_objectives_a_trial_that_is_best_in_all_costs_nothing(tmp_path):
    oracle = fresh(SearchPlan(tuner="random", n_trials=4), tmp_path / "search")
    for elbo, density in ((-60.0, 0.9), (-50.0, 0.1), (-70.0, 0.5)):
        trial = oracle.create_trial("tuner0")
        oracle.update_trial(trial.trial_id, {"elbo": elbo, "density": density})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    oracle.populate_space("probe")
    first, best, last = (oracle.trials[name].score for name in oracle.end_order)
    assert best == 0 < min(first, last)


@pytest.mark.parametrize("seed", range(5))
def test_a_bayesian_search_begins_with_trials_that_are_spread(seed, tmp_path):
    """Six of a small search: four kinds of gates once or twice, other choices thrice."""
    oracle = fresh(SearchPlan(n_trials=10, search_seed=seed), tmp_path / "search")
    chosen = [oracle.create_trial(f"tuner{i}").hyperparameters.values for i in range(6)]
    gates = [values["gate"] for values in chosen]
    assert sorted(map(gates.count, set(gates))) == [1, 1, 2, 2]
    for name, half in (("strength", 1.0), ("learning_rate", 3e-4 * 10**0.5), ("beta", 2.0)):
        assert sum(values[name] < half for values in chosen) == 3
    assert [values["where"] for values in chosen].count("both") == 3


def test_a_bayesian_search_that_grows_keeps_its_points(tmp_path):
    folder = tmp_path / "search"
    run(fresh(SearchPlan(n_trials=6), folder))
    longer = fresh(SearchPlan(n_trials=40), folder)
    assert longer.n_spread == 6


def test_one_objective_is_optimized(tmp_path):
    """The Gaussian process finds the low strengths, where this made-up ELBO is best."""
    one = {**FEW, "places": ["both"]}
    plan = SearchPlan(tuner="bayesian", objectives=["elbo"], n_trials=12, **one)
    oracle = fresh(plan, tmp_path / "search")
    run(oracle)
    strengths = [t.hyperparameters.values["strength"] for t in oracle.trials.values()]
    assert np.median(strengths[5:]) < np.median(strengths[:3])
    assert min(strengths) < 0.2
