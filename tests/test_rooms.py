"""Who may import whom, what stays light, and that no module takes the name of a function."""

import importlib
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_import_contracts_of_pyproject_hold():
    lint = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    result = run(sys.executable, "-c", lint)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    "module", ["sparsevae", "sparsevae.metrics", "sparsevae.records", "sparsevae.plots"]
)
def test_light_rooms_load_neither_keras_nor_tensorflow(module):
    heavy = ("keras", "tensorflow", "tensorflow_probability", "tf_keras", "jax")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_rooms_and_names_are_lazy_attributes():
    code = (
        "import sys, sparsevae as sv; assert 'sparsevae.records' not in sys.modules; "
        "sv.records; assert 'sparsevae.records' in sys.modules; "
        "assert set(sv.__all__) <= set(dir(sv)); "
        "assert not hasattr(sv, 'nothing')"
    )
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr


def packages(name="sparsevae"):
    """The package of this name and all inside, their modules loaded."""
    package = importlib.import_module(name)
    found = [package]
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"{name}.{module.name}")
        found += packages(loaded.__name__) if module.ispkg else []
    return found


def test_every_room_has_a_door_sign_and_no_module_takes_the_name_of_a_function():
    rooms = packages()
    assert len(rooms) > 20
    for room in rooms:
        assert room.__doc__ and (room.__name__ == "sparsevae" or "In:" in room.__doc__), room
        for module in pkgutil.iter_modules(room.__path__):
            assert isinstance(getattr(room, module.name), types.ModuleType), (room, module.name)
        missing = [name for name in getattr(room, "__all__", ()) if not hasattr(room, name)]
        assert not missing, (room, missing)
