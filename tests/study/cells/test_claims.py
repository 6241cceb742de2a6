import os
import subprocess
import sys

import pytest

from sparsevae.study.cells.claims import LOCKS, claim, claimant, is_claimed

HOLD = """
import sys
from sparsevae.study.cells.claims import claim
with claim(sys.argv[1], "cell") as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the claim."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        assert process.stdout.readline() == "True\n"
        yield process
        process.kill()


def test_a_claim_is_held_once_and_dies_with_its_process(holder, tmp_path):
    assert is_claimed(tmp_path, "cell") and claimant(tmp_path, "cell") == holder.pid
    with claim(tmp_path, "cell") as mine:
        assert not mine
    holder.kill()
    holder.wait()
    assert not is_claimed(tmp_path, "cell")
    assert claimant(tmp_path, "cell") == holder.pid  # still says whose it was
    with claim(tmp_path, "cell") as mine:
        assert mine and is_claimed(tmp_path, "cell")
    assert not is_claimed(tmp_path, "cell")


def test_a_claim_says_its_holder_whatever_it_said_before(tmp_path):
    (tmp_path / LOCKS).mkdir()
    (tmp_path / LOCKS / "cell").write_text(f"{2**62} a.machine.of.a.{'long' * 30}.name\n")
    assert claimant(tmp_path, "cell") is None
    with claim(tmp_path, "cell"):
        assert claimant(tmp_path, "cell") == os.getpid()


def test_waiting_for_a_claim(holder, tmp_path):
    holder.stdin.close()  # it ends by itself
    with claim(tmp_path, "cell", wait=0.01) as mine:
        assert mine


def test_nobody_has_claimed_what_is_not_there(tmp_path):
    assert not is_claimed(tmp_path, "cell") and claimant(tmp_path, "cell") is None
