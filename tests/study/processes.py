"""Scripts as processes that know the tiny data set."""

import os
import subprocess
import sys
import time
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
SITE = CHILD.with_name("site") / "sitecustomize.py"


def start(script, *arguments, **environment):
    """A process that runs `scripts/SCRIPT`; its output is kept."""
    command = [sys.executable, str(CHILD), "-", script, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True, env={**os.environ, **environment})


def finish(script, *arguments):
    """Exit code, output and errors of a script."""
    with start(script, *arguments) as process:
        output, errors = process.communicate(timeout=3600)
    return process.returncode, output, errors


def wait_for(condition, seconds=300):
    """Waits until `condition()` is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
