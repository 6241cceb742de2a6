"""Groups under `MirroredStrategy`, in a process of its own: devices are set before all else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_model import ON_JAX

pytestmark = pytest.mark.skipif(ON_JAX, reason="strategies are TensorFlow's")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def report():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    command = [sys.executable, str(HERE / "two_replicas.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


NAMES = ["adamw", "average", "loss_scale"]


@pytest.mark.parametrize("name", NAMES)
def test_active_groups_make_the_steps_of_the_stock_optimizer(name, report):
    assert report[name]["stock_to_active"] < 1e-6
    assert report[name]["stock_moved"] > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_inactive_group_stands_still_on_all_replicas(name, report):
    # its average is its value, but for rounding
    assert report[name]["inactive_moved"] <= (1e-6 if name == "average" else 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_rest_moves_as_if_an_inactive_group_were_frozen(name, report):
    assert report[name]["stock_frozen_to_inactive"] < 1e-6
