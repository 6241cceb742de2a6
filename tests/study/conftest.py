import runpy
import sys
from pathlib import Path

import pytest
import tiny

from sparsevae.study import RunSettings

SCRIPTS = Path(__file__).parents[2] / "scripts"
SETTINGS = {
    "name": "tiny",
    "data": "tiny",
    "where": "decoder",
    "latent_dim": 3,
    "strength": 20.0,
    "n_steps": 12,
    "checkpoint_every": 4,
    "batch_size": 8,
    "seed": 3,
}


@pytest.fixture(autouse=True, scope="session")
def tiny_data():
    tiny.register()


@pytest.fixture(scope="session")
def arguments():
    """The settings of `finished` as a command line."""
    return [part for k, v in SETTINGS.items() for part in (f"--{k.replace('_', '-')}", str(v))]


@pytest.fixture(scope="session")
def settings():
    return RunSettings(**SETTINGS)


@pytest.fixture(scope="session")
def finished(settings, tmp_path_factory):
    """Folder and record of a run without a break."""
    from sparsevae.study import run

    parent = tmp_path_factory.mktemp("runs")
    return parent / "tiny", run(settings, parent)


@pytest.fixture
def script(monkeypatch, capsys):
    """Runs a script in this process: exit code, stdout, stderr."""

    def script(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.syspath_prepend(str(SCRIPTS))
        code = 0
        try:
            runpy.run_path(str(SCRIPTS / name), run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
        return code, *capsys.readouterr()

    return script
