"""Who may import whom, and what stays light."""

import subprocess
import sys
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
