"""The exact state of a run on disk: what a `.keras` file leaves out is here too."""

import re
from pathlib import Path

import keras
import numpy as np

from sparsevae.records import atomic_file

_PATTERN = re.compile(r"step_(\d{9})\.npz")
# Names of slots begin with the path of a weight, which counts earlier models; variables without a
# name are counted, too.
_OF_PROCESS = re.compile(r"(?<=optimizer/\d{4}/)(variable(_\d+)?$|.*_)")


def save_state(model: keras.Model, path: str | Path) -> None:
    """Writes all variables of a compiled model: weights, gates, random-number state, optimizers.

    Args:
        model: Compiled `SparseVAE`.
        path: File to write, `.npz`; whole or not there at all.

    Raises:
        OSError: if the disk is full.
    """
    with atomic_file(path) as temporary:
        np.savez(temporary, **{name: np.asarray(v) for name, v in _variables(model).items()})


def load_state(model: keras.Model, path: str | Path) -> None:
    """Sets all variables of a compiled model from a file of `save_state`.

    Raises:
        ValueError: if the file is damaged or belongs to another model; the model is unchanged.
    """
    variables = _variables(model)
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            state = {_OF_PROCESS.sub("", name): file[name] for name in file.files}
    except Exception as error:  # a damaged zip file raises one of a dozen kinds
        raise ValueError(
            f"{path} is damaged ({error}). Delete it: the run goes on from the one before"
        ) from error
    expected = {name: tuple(v.shape) for name, v in variables.items()}
    found = {name: value.shape for name, value in state.items()}
    if expected != found:
        wrong = sorted(expected.items() ^ found.items())[0][0]
        raise ValueError(
            f"{path} belongs to another model: {wrong} is {found.get(wrong, 'missing')}, "
            f"expected {expected.get(wrong, 'nothing of this name')}"
        )
    for name, variable in variables.items():
        variable.assign(state[name])


def checkpoints(folder: str | Path) -> dict[int, Path]:
    """Checkpoint files of a folder by step, oldest first."""
    found = ((_PATTERN.fullmatch(path.name), path) for path in Path(folder).glob("step_*.npz"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def checkpoint_path(folder: str | Path, step: int) -> Path:
    """Name of the checkpoint of one step."""
    return Path(folder) / f"step_{step:09d}.npz"


def _variables(model):
    """Variables by a name that is the same in every process: order of creation and path's end."""
    metrics = {id(v) for m in model.metrics for v in m.variables}
    model_variables = [v for v in model.variables if id(v) not in metrics]
    groups = {
        "model": model_variables,
        "optimizer": model.optimizer.variables,
    }
    return {
        _OF_PROCESS.sub("", f"{group}/{number:04d}/{variable.name}"): variable
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }
