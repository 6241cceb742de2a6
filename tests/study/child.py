"""Runs a script of the project with the tiny data set: `child.py WHEN SCRIPT ARGUMENTS...`.

WHEN says where the process meets its end: `-` nowhere, `kill:6` and `interrupt:6` after training
step 6, `write:1` half-way through its first checkpoint, `export` half-way through an export.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

import numpy as np
import tiny

SCRIPTS = Path(__file__).parents[2] / "scripts"
SITE = Path(__file__).with_name("site")


def meet_end(when: str) -> None:
    """Arranges the end."""
    from sparsevae.models import SparseVAE, callbacks

    kind, _, number = when.partition(":")
    left = int(number or 0)

    def die(number=signal.SIGKILL):
        os.kill(os.getpid(), number)

    def at_step(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == left:
            die(signal.SIGKILL if kind == "kill" else signal.SIGINT)

    def half(file, **arrays):
        nonlocal left
        left -= 1
        if left == 0:
            Path(file).write_bytes(b"PK half a checkpoint")
            die()
        write(file, **arrays)

    def half_an_export(self, path):
        Path(path).write_bytes(b"half a model")
        die()

    if kind in ("kill", "interrupt"):
        callbacks.Progress.on_train_batch_end = at_step
    if kind == "write":
        write, np.savez = np.savez, half
    if kind == "export":
        SparseVAE.save = half_an_export


if __name__ == "__main__":
    when, script, *arguments = sys.argv[1:]
    tiny.register()
    # Processes that the script starts know the data set too.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(SITE), str(SCRIPTS.parent), os.environ.get("PYTHONPATH", "")]
    )
    if when != "-":
        meet_end(when)
    sys.path.insert(0, str(SCRIPTS))
    sys.argv = [script, *arguments]
    runpy.run_path(str(SCRIPTS / script), run_name="__main__")
