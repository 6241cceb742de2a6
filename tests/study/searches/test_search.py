"""Searches that are run, killed and gone on with, alone and as chief and workers."""

import dataclasses
import os
import shutil
import signal
import socket
import time

import keras
import numpy as np
import pandas as pd
import pytest
from processes import start, wait_for
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sparsevae import export, records
from sparsevae.models.checkpoints import checkpoints
from sparsevae.study import RunSettings, SearchPlan, search
from sparsevae.study.cells import display
from sparsevae.study.cells.claims import claimant, is_claimed
from sparsevae.study.one.summary import search_summary
from sparsevae.study.searches.gap import FILE_NAME as GAP
from sparsevae.study.searches.oracles import FILE_NAME as ORACLE
from sparsevae.study.searches.progress import SearchWatch
from sparsevae.study.searches.result import PICTURE, TABLE
from sparsevae.study.searches.tuner import SparsityTuner

SIZES = {"data": "tiny", "latent_dim": 3, "n_steps": 20, "batch_size": 8, "metrics": ["mig"]}
PLAN = {
    "tuner": "random",
    "n_trials": 3,
    "gates": ["binary", "continuous"],
    "betas": [1.0],
    "stop_hopeless": False,
}
COMMAND = [
    *("--data", "tiny", "--latent-dim", "3", "--batch-size", "8", "--metrics", "mig"),
    *("--tuner", "random", "--gates", "binary", "continuous", "--betas", "1"),
    "--no-stop-hopeless",
]


def prepare(runs, name="search"):
    """A gap that is known already: the dense model is not trained."""
    folder = runs / name
    records.write_json(folder / GAP, {"collapsed": -63.0, "dense": -23.0})
    scores = {"mig": 0.1}
    records.write_record(folder / "dense", {"elbo": -23.0, "scores": scores, "active_latents": 3})
    return folder


def run_search(folder, settings=None, tensorboard=False, **plan):
    settings = RunSettings(folder.name, **{**SIZES, **(settings or {})})
    places = {"runs": folder.parent, "saved": folder.parent / "saved"}
    plan = SearchPlan(**{**PLAN, **plan})
    return search(settings, plan, **places, workers=1, tensorboard=tensorboard)


def make_tuner(folder, **plan):
    plan = SearchPlan(**{**PLAN, **plan})
    return SparsityTuner(plan.base(RunSettings(folder.name, **SIZES)), plan, folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder and result of a search without a break, in this process."""
    folder = prepare(tmp_path_factory.mktemp("whole"))
    return folder, run_search(folder, tensorboard=True)


def test_the_front_is_that_of_the_trials(whole):
    folder, result = whole
    trials = result.trials
    assert list(trials["status"]) == ["complete"] * 3
    assert (trials["strength"] / trials["strength_in_gaps"]).tolist() == pytest.approx([40] * 3)
    for row in trials.to_dict("records"):
        record = records.read_record(folder / f"trial_{row['trial']}" / "seed_0")
        assert (row["elbo"], row["density"]) == (record["elbo"], record["density"])
        beaten = (trials["elbo"] >= row["elbo"]) & (trials["density"] <= row["density"])
        strictly = (trials["elbo"] > row["elbo"]) | (trials["density"] < row["density"])
        assert row["on_front"] == (not (beaten & strictly).any())
    assert len(result.front) >= 1


def test_everything_is_left_on_disk(whole):
    folder, result = whole
    pd.testing.assert_frame_equal(pd.read_parquet(folder / TABLE), result.trials, check_dtype=False)
    assert (folder / PICTURE).read_bytes().startswith(b"\x89PNG")
    (exported,) = result.exported
    card = export.load(exported).card
    best = result.front[result.front["strength"] == card["settings"]["strength"]]
    assert len(best) == 1 and card["elbo"] == best["elbo"].iloc[0]


def test_the_summary_shows_what_was_varied(whole):
    folder, result = whole
    text = search_summary(result, str(folder), ["elbo", "density"])
    assert "The front:" in text and "learning_rate_multiplier" not in text
    assert "Δ = 40.00 nats: ELBO -63.00 without latents, -23.00 dense" in text
    trials = result.trials.assign(learning_rate_multiplier=[10.0, 20.0, 30.0])
    varied = dataclasses.replace(result, trials=trials)
    assert "learning_rate_multiplier" in search_summary(varied, str(folder), ["elbo", "density"])


def test_hyperparameters_and_curves_reach_tensorboard(whole):
    folder, result = whole
    for row in result.trials.to_dict("records"):
        trial = folder / f"trial_{row['trial']}"
        assert list((trial / "seed_0" / "tensorboard" / "train").iterdir())
        events = EventAccumulator(str(trial / "tensorboard" / "hparams"))
        events.Reload()
        assert events.Scalars("elbo")[0].value == pytest.approx(row["elbo"], rel=1e-5)
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        assert b"strength_in_gaps" in content and row["gate"].encode() in content


def test_trials_are_watched(whole, tmp_path):
    """Before the dense run has ended, while a trial waits, runs, and when all have ended."""
    (state,) = SearchWatch(make_tuner(tmp_path / "new")).states()
    assert (state.status, state.step, state.n_steps) == ("running", 0, 20)
    folder, result = shutil.copytree(whole[0], tmp_path / "search"), whole[1]
    tuner = make_tuner(folder, n_trials=5)
    watch = SearchWatch(tuner)
    states = watch.states()
    assert [s.status for s in states] == ["complete"] * 3 and [s.step for s in states] == [20] * 3
    for state, row in zip(states, result.trials.to_dict("records"), strict=True):
        assert state.name.startswith(f"trial_{row['trial']}: strength ")
        assert row["gate"] in state.name and state.values["density"] == row["density"]
        assert display.measured(watch, state).startswith(f"ELBO {row['elbo']:.2f}, density ")
    assert display.headline(watch, states) == "search: 3/5 complete"
    with_score = SearchWatch(make_tuner(folder, objectives=["mig"]))
    assert ", mig 0." in display.measured(with_score, with_score.states()[0])
    tuner.oracle.create_trial("tuner0")
    assert watch.states()[3].status == "running"
    tuner.oracle.release("tuner0")
    assert watch.states()[3].status == "waiting"


def test_a_finished_search_is_read_not_run_again(whole, monkeypatch):
    folder, result = whole
    monkeypatch.setattr("sparsevae.SparseVAE.fit", None)
    again = run_search(folder)
    pd.testing.assert_frame_equal(again.trials, result.trials)


def test_a_search_can_grow(whole):
    """Three trials more make four; those that are there stay."""
    folder, result = whole
    grown = run_search(folder, n_trials=4)
    assert len(grown.trials) == 4
    pd.testing.assert_frame_equal(
        grown.trials.iloc[:3].drop(columns="on_front"),
        result.trials.drop(columns="on_front"),
    )


def test_another_search_in_the_same_folder_is_refused(whole):
    folder, _ = whole
    with pytest.raises(ValueError, match=r"another search: n_steps was 20, now 30"):
        run_search(folder, settings={"n_steps": 30})
    with pytest.raises(ValueError, match=r"tuner was 'random', now 'grid'"):
        run_search(folder, tuner="grid")


@pytest.mark.slow
def test_a_trial_that_diverges_has_failed_and_the_search_goes_on(tmp_path):
    folder = prepare(tmp_path)
    rates = {"learning_rates": (1e-4, 1e8), "search_seed": 2}  # 0.002 and far too much twice
    result = run_search(folder, settings={"likelihood": "gaussian"}, **rates)
    failed = result.trials[result.trials["status"] == "failed"]
    assert len(result.trials) == 3 and 1 <= len(failed) <= 2
    assert failed["reason"].str.startswith("diverged: ").all()
    assert failed["elbo"].isna().all() and not failed["on_front"].any()
    again = run_search(folder, settings={"likelihood": "gaussian"}, **rates)
    pd.testing.assert_frame_equal(again.trials, result.trials)


def test_a_search_of_failures_says_so(tmp_path):
    rates = {"learning_rates": (1e29, 1e30), "n_trials": 2}
    with pytest.raises(RuntimeError, match=r"No trial of .* was completed. The last: diverged"):
        run_search(prepare(tmp_path), settings={"likelihood": "gaussian"}, **rates)


def test_what_is_wrong_with_the_settings_ends_the_search(tmp_path):
    folder = prepare(tmp_path)
    with pytest.raises(RuntimeError, match=r"trial_0: .*initial_densty.*goes on from here"):
        run_search(folder, settings={"gate_options": {"initial_densty": 0.5}})
    assert not list(folder.glob("trial_*/seed_0/failed.json"))


@pytest.mark.slow
def test_udr_needs_several_seeds_and_no_labels(tmp_path):
    folder = prepare(tmp_path)
    result = run_search(folder, objectives=["udr", "elbo"], n_seeds=2, n_trials=2)
    assert result.trials["udr"].between(0, 1).all()
    for row in result.trials.to_dict("records"):
        trial = folder / f"trial_{row['trial']}"
        udr = records.read_json(trial / "udr.json")
        assert row["udr"] == pytest.approx(np.mean(udr["models"]))
        elbos = [records.read_record(trial / f"seed_{seed}")["elbo"] for seed in range(2)]
        assert row["elbo"] == pytest.approx(np.mean(elbos)) and elbos[0] != elbos[1]


@pytest.mark.slow
def test_a_score_can_be_the_one_objective(tmp_path):
    result = run_search(prepare(tmp_path), objectives=["dci_es_explicitness"], n_trials=2)
    assert result.trials["on_front"].sum() == 1
    best = result.front["dci_es_explicitness"].iloc[0]
    assert best == result.trials["dci_es_explicitness"].max()


def test_a_search_over_density(tmp_path):
    """Models have the density that was asked for; with one objective it is drawn over that."""
    limits = {"target_densities": (0.1, 0.4), "gates": ["binary"], "places": ["decoder"]}
    plan = {"over": "target_density", "objectives": ["elbo"], "n_trials": 1, **limits}
    result = run_search(folder := prepare(tmp_path), {"n_steps": 40}, **plan)
    (row,) = result.trials.to_dict("records")
    assert 0.1 <= row["target_density"] <= 0.4 and "strength_in_gaps" not in row
    assert row["density"] == pytest.approx(row["target_density"], abs=1e-3)
    assert (folder / PICTURE).exists()
    text = search_summary(result, str(folder), ["elbo"])
    assert "target_density" in text and "strength" not in text


def test_a_score_of_several_values_must_say_which_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="one value of a score: dci_es_explicitness, dci_es_size"):
        run_search(prepare(tmp_path), objectives=["dci_es"], n_trials=1)
    assert not list(tmp_path.rglob("trial_*"))


def test_the_tuner_is_kerastuners(whole):
    """What its users know works: best trials and models."""
    tuner = make_tuner(whole[0])
    (model,) = tuner.get_best_models(1)
    assert isinstance(model, keras.Model) and model.codes(np.zeros((2, 16, 16, 1))).shape == (2, 3)
    assert set(tuner.get_best_hyperparameters(1)[0].values) >= {"strength", "gate"}


# As processes


def tune(runs, *arguments, **environment):
    places = ("--runs", runs, "--saved", runs / "saved")
    return start("tune.py", *COMMAND, *arguments, *places, **environment)


def begun(folder):
    """Run folders with a checkpoint that are not complete."""
    found = {path.parent.parent for path in folder.glob("trial_*/seed_0/checkpoints/step_*.npz")}
    return [run for run in found if not records.is_complete(run)]


def at_work(folder):
    """Processes that hold such a run now."""
    runs = [run.parent for run in begun(folder) if is_claimed(run.parent, "seed_0")]
    return [pid for pid in (claimant(run, "seed_0") for run in runs) if pid]


def assert_each_once(folder, n_trials):
    state = records.read_json(folder / ORACLE)
    assert len(state["trials"]) == n_trials
    assert sorted(state["end_order"]) == sorted(state["trials"])
    assert {trial["status"] for trial in state["trials"].values()} == {"COMPLETED"}
    assert not state["retry_queue"]
    assert list(pd.read_parquet(folder / TABLE)["status"]) == ["complete"] * n_trials


def test_killed_and_restarted_it_goes_on_with_no_trial_lost(tmp_path):
    """From the checkpoint of the trial that was running."""
    folder = prepare(tmp_path)
    sizes = ("--n-trials", 3, "--n-steps", 120, "--workers", 1)
    with tune(tmp_path, *sizes) as process:
        wait_for(lambda: begun(folder))
        run = begun(folder)[0]
        process.kill()
    steps = max(checkpoints(run / "checkpoints"))
    settings = (run / "settings.json").stat().st_mtime_ns
    with tune(tmp_path, *sizes) as process:
        output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-2000:]
    assert "The front:" in output and "Exported:" in output and "Δ = 40.00 nats" in output
    assert_each_once(folder, 3)
    assert (run / "settings.json").stat().st_mtime_ns == settings  # the run was gone on with
    assert steps in set(pd.read_csv(run / "history.csv")["step"])


def members(runs):
    """Starts the chief or a worker of one search, by its name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sizes = ("--n-trials", 5, "--n-steps", 300, "--patience", 5)
    address = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}
    return lambda name: tune(runs, *sizes, KERASTUNER_TUNER_ID=name, **address)


@pytest.mark.slow
def test_a_chief_and_two_workers_one_killed_midway(tmp_path):
    """Separate processes on loopback: the killed worker's trial is run again, by the other."""
    folder = prepare(tmp_path)
    process = members(tmp_path)
    with process("chief") as chief, process("tuner0") as victim, process("tuner1") as other:
        wait_for(lambda: begun(folder))
        wait_for(lambda: victim.pid in at_work(folder))
        os.kill(victim.pid, signal.SIGKILL)
        (run,) = (r for r in begun(folder) if claimant(r.parent, "seed_0") == victim.pid)
        assert not records.is_complete(run)
        output, errors = chief.communicate(timeout=900)
        said, _ = other.communicate(timeout=60)
        victim.communicate()
    assert chief.returncode == 0, errors[-2000:]
    assert other.returncode == 0 and "No more trials." in said
    assert "tuner0 is lost; trial" in output and "The front:" in output
    assert records.is_complete(run)
    assert_each_once(folder, 5)


@pytest.mark.slow
def test_workers_wait_for_a_chief_that_was_killed(tmp_path):
    """They train on, and report to the next one, which takes up the search."""
    folder = prepare(tmp_path)
    process = members(tmp_path)
    with process("tuner0") as one, process("tuner1") as other:
        with process("chief") as chief:
            wait_for(lambda: len(begun(folder)) == 2)
            chief.kill()
            chief.communicate()
        assert not records.read_json(folder / ORACLE)["end_order"]
        with process("chief") as chief:
            _, errors = chief.communicate(timeout=900)
        said = [worker.communicate(timeout=60)[0] for worker in (one, other)]
    assert chief.returncode == one.returncode == other.returncode == 0, errors[-2000:]
    assert all("No more trials." in text for text in said)
    assert_each_once(folder, 5)


@pytest.mark.slow
def test_workers_of_one_machine_killed_one_after_another(tmp_path):
    """Two processes that the command starts itself; both are killed once, then the command."""
    folder = prepare(tmp_path)
    sizes = ("--n-trials", 6, "--n-steps", 300)
    for kill in ("worker", "worker", "all", ""):
        with tune(tmp_path, *sizes) as process:
            if kill:
                wait_for(lambda: at_work(folder))
                victim = at_work(folder)[0] if kill == "worker" else process.pid
                os.kill(victim, signal.SIGKILL)
                time.sleep(3)
                process.kill()
            output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors[-2000:]
    assert "6 trials: 6 complete" in output
    assert_each_once(folder, 6)
