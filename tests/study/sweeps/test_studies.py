"""Studies that are run, killed and gone on with."""

import contextlib
import dataclasses
import os
import random
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from processes import SITE, finish, start, wait_for

from sparsevae.models.checkpoints import checkpoints
from sparsevae.study import read_study, run, study_table, sweep
from sparsevae.study.cells.claims import LOCKS

FILE = """\
runs = "RUNS"
[fixed]
data = "DATA"
where = "decoder"
latent_dim = 3
n_steps = STEPS
checkpoint_every = 4
batch_size = 8
metrics = ["mig"]
[grid]
seed = SEEDS
strength = STRENGTHS
"""


def study_file(folder, n_steps=12, seeds=(0, 1), strengths=(5.0, 20.0), data="tiny"):
    path = folder / "price.toml"
    words = {"RUNS": folder, "DATA": data, "STEPS": n_steps}
    words |= {"SEEDS": list(seeds), "STRENGTHS": list(strengths)}
    text = FILE
    for word, value in words.items():
        text = text.replace(word, str(value))
    path.write_text(text)
    return path


def workers_of(pid):
    """Process numbers of the children that hold claims or will."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()
    ]


def cells_begun(folder):
    return [path.parent for path in folder.glob("*/checkpoints/step_*.npz")]


def n_complete(folder):
    return len(list(folder.glob("*/record.json")))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study without a break; its folder, output and table."""
    folder = tmp_path_factory.mktemp("whole")
    code, output, errors = finish("study.py", "run", study_file(folder), "--tensorboard")
    assert code == 0, errors[-2000:]
    return folder / "price", output, pd.read_parquet(folder / "price" / "table.parquet")


def test_every_cell_is_run_into_the_table(whole):
    folder, output, table = whole
    assert list(table["status"]) == ["complete"] * 4
    assert table["elbo"].notna().all() and table["score_mig"].notna().all()
    assert sorted(set(table["seed"])) == [0, 1] and list(table["step"]) == [12] * 4
    assert "4 of 4 runs" in output and "strength" in output
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == {
        *("table.parquet", "report.html"),
        *table["run"],
    }


def test_a_worker_gives_the_numbers_that_a_process_of_its_own_gives(whole, tmp_path):
    """Whatever ran in the worker before."""
    folder, _, table = whole
    study = read_study(folder.parent / "price.toml")
    last = study.cells[-1]
    record = run(dataclasses.replace(last, n_threads=0), tmp_path)
    row = table.iloc[-1]
    assert row["run"] == last.name
    # this process has used TensorFlow before: its threads, and so its rounding, are as they are
    assert record["elbo"] == pytest.approx(row["elbo"], rel=1e-4)
    assert record["density"] == pytest.approx(row["density"], abs=0.01)


def test_hyperparameters_reach_tensorboard(whole):
    folder, _, table = whole
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for row in table.to_dict("records"):
        events = EventAccumulator(str(folder / row["run"] / "tensorboard" / "hparams"))
        events.Reload()
        assert events.Scalars("elbo")[0].value == pytest.approx(row["elbo"], rel=1e-5)
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        assert b"strength" in content and b"seed" in content


def test_a_complete_study_is_read_not_run_again(whole, monkeypatch):
    folder, _, table = whole
    monkeypatch.setattr("sparsevae.study.cells.worker.start", None)
    pd.testing.assert_frame_equal(
        sweep(folder.parent / "price.toml", workers=1), table, check_dtype=False
    )


def test_killed_at_the_head_and_at_a_worker(whole, tmp_path):
    """The table is that of the study without a break, and nothing was done twice."""
    path = study_file(tmp_path)
    folder = tmp_path / "price"
    with start("study.py", "run", path) as process:
        wait_for(lambda: cells_begun(folder))
        workers = workers_of(process.pid)
        process.kill()
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    done = {cell: cell.stat().st_mtime_ns for cell in folder.glob("*/record.json")}
    with start("study.py", "run", path) as process:
        wait_for(lambda: workers_of(process.pid))
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors[-2000:]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "table.parquet"), whole[2])
    assert {cell: cell.stat().st_mtime_ns for cell in done} == done


def test_bad_files_end_in_one_line(tmp_path):
    path = study_file(tmp_path)
    path.write_text(path.read_text().replace("strength", "strenght"))
    for command in ("run", "status", "table"):
        code, _, errors = finish("study.py", command, path)
        lines = [line for line in errors.splitlines() if line.strip()]
        assert code == 1 and len(lines) == 1
        assert f"{path}:12: " in lines[0] and "Did you mean 'strength'?" in lines[0]


def test_a_dry_run_probes_and_leaves_nothing(tmp_path):
    code, output, errors = finish("study.py", "run", study_file(tmp_path), "--dry-run")
    assert code == 0, errors[-2000:]
    assert "4 runs; 4 to do" in output and "a probe of 80 steps" in output
    assert not (tmp_path / "price").exists()


@pytest.mark.slow
def test_a_hundred_cells_killed_six_times(tmp_path):
    """At random moments, the head or a worker; the table is that of an unbroken study."""
    rng = random.Random(0)
    sizes = {"n_steps": 60, "seeds": range(20), "strengths": (1.0, 5.0, 20.0, 60.0, 200.0)}
    tables = []
    for name, n_kills in (("killed", 6), ("whole", 0)):
        (tmp_path / name).mkdir()
        path = study_file(tmp_path / name, data="toy", **sizes)
        folder = tmp_path / name / "price"
        for kill in range(n_kills):
            with start("study.py", "run", path) as process:
                target = n_complete(folder) + rng.randint(3, 12)
                wait_for(lambda f=folder, n=target: n_complete(f) >= n, 1200)
                time.sleep(rng.random() * 3)
                victims = workers_of(process.pid) if kill % 2 else [process.pid]
                for victim in victims:
                    os.kill(victim, signal.SIGKILL)
                time.sleep(1)
                process.kill()
        code, _, errors = finish("study.py", "run", path)
        assert code == 0, errors[-2000:]
        tables.append(pd.read_parquet(folder / "table.parquet"))
        assert n_complete(folder) == 100
    assert list(tables[0]["status"]) == ["complete"] * 100
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.slow
def test_a_lost_dask_worker_loses_nothing(whole, tmp_path):
    """Its cell is run again from its checkpoint, by another worker."""
    from distributed import LocalCluster

    path = study_file(tmp_path, n_steps=400)
    folder = tmp_path / "price"
    study = read_study(path)
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with LocalCluster(**workers, preload=[str(SITE)], dashboard_address=None) as cluster:
        command = ("study.py", "run", path, "--scheduler", cluster.scheduler_address)
        with start(*command) as process:
            wait_for(lambda: cells_begun(folder))
            begun = cells_begun(folder)[0].parent
            pid = int((folder / LOCKS / begun.name).read_text().split()[0])
            step = max(checkpoints(begun / "checkpoints"))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            _, errors = process.communicate(timeout=1200)
    assert process.returncode == 0, errors[-2000:]
    assert step >= 4
    table = study_table(study)
    assert list(table["status"]) == ["complete"] * 4 and list(table["step"]) == [400] * 4
